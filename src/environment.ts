// The names of the environment, their defaults, and what they may be. No schema library: each process would hold one for these few.

/** What a variable may be; `must` ends the sentence "<NAME> must be …". */
interface Setting<T> {
  readonly must: string;
  /** As the environment would have it; absent: it must be set, unless it is optional. */
  readonly byDefault?: string;
  readonly isOptional?: boolean;
  /** Undefined: it may not be that. */
  readonly read: (text: string) => T | undefined;
}

const text = (must: string, byDefault?: string, pattern = /^/): Setting<string> => ({
  must,
  ...(byDefault !== undefined && { byDefault }),
  read: (given) => (pattern.test(given) ? given : undefined),
});

const optional = (must: string): Setting<string> => ({ ...text(must), isOptional: true });

const oneOf = <T extends string>(...allowed: readonly T[]): Setting<T> => ({
  must: `${allowed.slice(0, -1).join(", ")} or ${allowed.at(-1)}`,
  read: (given) => allowed.find((each) => each === given),
});

const integer = (
  least: number,
  most: number,
  byDefault: number,
  must: string,
): Setting<number> => ({
  must,
  byDefault: String(byDefault),
  read: (given) => {
    const number = /^\d{1,9}$/.test(given) ? Number(given) : NaN;
    return number >= least && number <= most ? number : undefined;
  },
});

const count = (most: number, byDefault: number): Setting<number> =>
  integer(1, most, byDefault, `a number from 1 to ${most}`);

const SETTINGS = {
  HOST: text("an address to listen on", "127.0.0.1"),
  PORT: integer(0, 65_535, 8080, "a port, 0 to 65535; 0 takes a free one"),
  REDIS_URL: text(
    "a redis:// or rediss:// URL, or the absolute path of a Unix socket",
    "redis://127.0.0.1:6379",
    /^(rediss?:\/\/.|\/)/,
  ),
  LOG_LEVEL: {
    ...oneOf("fatal", "error", "warn", "info", "debug", "trace", "silent"),
    byDefault: "info",
  },
  DATA_DIR: text("a folder", "./data"),
  API_KEYS_FILE: optional("a file"),
  ALLOWED_HOSTS: optional("a list of hosts"),
  DENIED_HOSTS: optional("a list of hosts"),
  PRIVATE_NETWORKS: optional("a list of address ranges"),
  TOKEN_SERVICES: optional("a list of pairs of hosts"),
  AUTH_FILE: optional("a file"),
  DOCKER_HOST: optional("where a docker engine is"),
  DOCKER_CERT_PATH: optional("a folder"),
  SECRETS_KEY_FILE: text(
    "the path of a file with a key: 64 hexadecimal digits, such as `openssl rand -hex 32` makes",
  ),
  CERTS_DIR: optional("a folder"),
  TLS_VERIFY: { ...oneOf("required", "optional"), isOptional: true },
  REGISTRIES_CONF: optional("a file"),
  POLICY_FILE: optional("a file"),
  BLOB_CONCURRENCY: count(1024, 6),
  WORKER_CONCURRENCY: count(256, 4),
  WORKERS: count(256, 2),
};

/** What is not there is not set, or is a fault. */
export type Environment = {
  -readonly [Name in keyof typeof SETTINGS]?: NonNullable<
    ReturnType<(typeof SETTINGS)[Name]["read"]>
  >;
};

/** What could be read; an empty variable counts as one that is not set, as compose files leave them. */
export function readEnvironment(env: NodeJS.ProcessEnv, faults: string[]): Environment {
  const given: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries<Setting<unknown>>(SETTINGS)) {
    const { must, byDefault, isOptional = false } = setting;
    const said = env[name] === "" ? undefined : env[name];
    const taken = said ?? byDefault;
    if (taken === undefined) {
      if (!isOptional) faults.push(`${name} must be set: ${must}`);
      continue;
    }
    const value = setting.read(taken);
    // The value itself is not repeated: an address may hold a password.
    if (value === undefined) faults.push(`${name} must be ${must}`);
    else given[name] = value;
  }
  return given;
}
