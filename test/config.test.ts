import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { loadConfig } from "../src/config.ts";
import { decideHost, parseHosts } from "../src/host/egress.ts";

const KEY = "0".repeat(64);
let dir: string;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "transship-test-"));
  await writeFile(join(dir, "secrets"), `${KEY}\n`);
});
after(() => rm(dir, { recursive: true, force: true }));

const file = async (name: string, text: string): Promise<string> => {
  await writeFile(join(dir, name), text);
  return join(dir, name);
};
const load = (env: NodeJS.ProcessEnv) =>
  loadConfig({ SECRETS_KEY_FILE: join(dir, "secrets"), ...env });
const hash = (key: string) => createHash("sha256").update(key).digest("hex");

test("without settings but the secrets' key there are defaults", () => {
  assert.deepEqual(load({}), {
    host: "127.0.0.1",
    port: 8080,
    redisUrl: "redis://127.0.0.1:6379",
    logLevel: "info",
    dataDir: resolve("data"),
    apiKeys: undefined,
    secretsKeys: `${KEY}\n`,
    egress: { allowed: undefined, denied: parseHosts(""), privateNetworks: "all" },
    registryFiles: { mustVerify: false },
    docker: { host: "unix:///var/run/docker.sock" },
    policy: undefined,
    blobConcurrency: 6,
    workerConcurrency: 4,
    workers: 2,
  });
});

test("settings are taken, and an empty one counts as not set", () => {
  const config = load({
    HOST: "::1",
    PORT: "0",
    REDIS_URL: "/run/redis.sock",
    LOG_LEVEL: "debug",
    BLOB_CONCURRENCY: "3",
    WORKERS: "",
    API_KEYS_FILE: "",
    DOCKER_HOST: "tcp://127.0.0.1:2376",
    DOCKER_CERT_PATH: "certs",
  });
  assert.deepEqual(config.docker, { host: "tcp://127.0.0.1:2376", certPath: resolve("certs") });
  assert.equal(config.host, "::1");
  assert.equal(config.port, 0);
  assert.equal(config.redisUrl, "/run/redis.sock");
  assert.equal(config.logLevel, "debug");
  assert.equal(config.blobConcurrency, 3);
  assert.equal(config.workers, 2);
  assert.ok(Object.isFrozen(config));
});

test("all that is wrong is told at once, each by its name, and no value is repeated that may be secret", () => {
  const env = {
    PORT: "eighty",
    REDIS_URL: "http://user:m4rk3d@redis.example",
    LOG_LEVEL: "loud",
    BLOB_CONCURRENCY: "0",
    WORKER_CONCURRENCY: "1.5",
    WORKERS: "-1",
    DATA_DIR: join(dir, "secrets"),
    API_KEYS_FILE: join(dir, "nothing"),
    ALLOWED_HOSTS: "https://registry.example.com",
    DENIED_HOSTS: "10.0.0.0/99",
    PRIVATE_NETWORKS: "localhost",
    SECRETS_KEY_FILE: dir,
  };
  assert.throws(
    () => loadConfig(env),
    ({ message }: Error) => {
      for (const name of Object.keys(env)) assert.match(message, new RegExp(`^- ${name} `, "m"));
      assert.equal(message.split("\n").length, Object.keys(env).length + 1);
      assert.ok(!message.includes("m4rk3d"));
      return true;
    },
  );
});

test("the secrets' key is needed, and must be one", async () => {
  assert.throws(() => loadConfig({}), /SECRETS_KEY_FILE must be set/);
  const short = await file("short", "abc\n");
  assert.throws(
    () => loadConfig({ SECRETS_KEY_FILE: short }),
    ({ message }: Error) => message.includes("64 hexadecimal digits") && !message.includes("abc"),
  );
});

test("API keys belong to tenants and are kept as hashes", async () => {
  const path = await file("keys", "# who may\nalpha:one:two\r\n\nbeta:three\nalpha:four\n");
  assert.deepEqual(
    load({ API_KEYS_FILE: path }).apiKeys,
    new Map([
      [hash("one:two"), "alpha"],
      [hash("three"), "beta"],
      [hash("four"), "alpha"],
    ]),
  );
});

test("a file of API keys with faults is refused line by line, without its keys", async () => {
  const path = await file(
    "faulty",
    "alpha\nbe ta:m4rk3d\ngamma:\ndelta:a b\nok:same\nother:same\n",
  );
  assert.throws(
    () => load({ API_KEYS_FILE: path }),
    ({ message }: Error) => {
      for (const line of [1, 2, 3, 4, 6]) assert.match(message, new RegExp(`line ${line}:`));
      assert.ok(!message.includes("m4rk3d") && !message.includes("line 5"));
      return true;
    },
  );
  assert.throws(
    () => load({ API_KEYS_FILE: join(dir, "faulty-not") }),
    /cannot be read \(ENOENT\)/,
  );
  const empty = await file("empty", "# none\n");
  assert.throws(() => load({ API_KEYS_FILE: empty }), /no usable key/);
});

test("without API keys only a loopback address is taken", async () => {
  for (const HOST of ["127.0.0.1", "127.8.9.1", "localhost", "::1"])
    assert.equal(load({ HOST }).host, HOST);
  for (const HOST of ["0.0.0.0", "::", "192.0.2.1", "example.com", "127.0.0.1.example.com"])
    assert.throws(() => load({ HOST }), /HOST .* loopback/, HOST);
  assert.equal(
    load({ HOST: "0.0.0.0", API_KEYS_FILE: await file("one", "a:b\n") }).host,
    "0.0.0.0",
  );
});

test("private networks are open without API keys, closed with them, and what PRIVATE_NETWORKS says in both", async () => {
  const API_KEYS_FILE = await file("tenants", "a:b\n");
  const reaches = (env: NodeJS.ProcessEnv, host: string, port = 443) =>
    decideHost(host, port, load(env).egress) === true;
  for (const [env, ten, loopback] of [
    [{}, true, true],
    [{ API_KEYS_FILE }, false, false],
    [{ API_KEYS_FILE, PRIVATE_NETWORKS: "" }, false, false],
    [{ API_KEYS_FILE, PRIVATE_NETWORKS: "10.0.0.0/8" }, true, false],
    [{ PRIVATE_NETWORKS: "127.0.0.1" }, false, true],
    [{ DENIED_HOSTS: "127.0.0.0/8" }, true, false],
    [{ ALLOWED_HOSTS: "10.0.0.0/8, registry.example.com" }, true, false],
  ] as const) {
    assert.equal(reaches(env, "10.1.2.3"), ten, JSON.stringify(env));
    assert.equal(reaches(env, "127.0.0.1"), loopback, JSON.stringify(env));
    assert.equal(reaches(env, "169.254.169.254"), false);
    assert.equal(reaches(env, "registry.example.com"), true);
  }
  assert.equal(reaches({ ALLOWED_HOSTS: "*.example.com:443" }, "a.example.com"), true);
  assert.equal(reaches({ ALLOWED_HOSTS: "*.example.com:443" }, "example.net"), false);
});

test("where there are tenants, the operator must say that they may use an engine", async () => {
  const API_KEYS_FILE = await file("tenants", "a:b\n");
  const DOCKER_HOST = "unix:///run/docker.sock";
  assert.equal(load({}).docker.host, "unix:///var/run/docker.sock");
  assert.equal(load({ API_KEYS_FILE }).docker.host, undefined);
  assert.equal(load({ API_KEYS_FILE, DOCKER_HOST }).docker.host, DOCKER_HOST);
});

test("a policy file is read at once, and one that is not valid is refused with the place of its fault", async () => {
  const reject = '{"default":[{"type":"reject"}]}';
  const { policy } = load({ POLICY_FILE: await file("policy.json", reject) });
  assert.deepEqual(policy?.default, [{ type: "reject" }]);
  for (const [text, message] of [
    ['{"default":[]}', /POLICY_FILE names .*: `\/default` is empty/],
    ["{", /POLICY_FILE names .*JSON/],
    ['{"default":[{"type":"reject"}],"default":[]}', /POLICY_FILE names .*occurs twice/],
  ] as const) {
    const path = await file("bad-policy.json", text);
    assert.throws(() => load({ POLICY_FILE: path }), message);
  }
  assert.throws(() => load({ POLICY_FILE: join(dir, "none") }), /POLICY_FILE names .*ENOENT/);
});

test("what is wrong with registries.conf and its drop-ins is told with everything else, by file and table", async () => {
  const path = await file("registries.conf", '[[registry]]\nlocation = "registry.example.com"');
  assert.equal(load({ REGISTRIES_CONF: path }).registryFiles.registriesConf, path);
  await mkdir(`${path}.d`);
  await file("registries.conf.d/a.conf", "[[registry]]");
  await file("registries.conf.d/b.conf", "[[registry]");
  assert.throws(
    () => load({ REGISTRIES_CONF: path, PORT: "eighty" }),
    ({ message }: Error) => {
      assert.match(message, /^- PORT must be/m);
      assert.match(
        message,
        /^- REGISTRIES_CONF names .*a\.conf, \[\[registry\]\] 1: it has neither/m,
      );
      assert.match(message, /^- REGISTRIES_CONF names .*b\.conf, line 1, column \d+: /m);
      return true;
    },
  );
  assert.throws(
    () => load({ REGISTRIES_CONF: join(dir, "none") }),
    /REGISTRIES_CONF names .*none: it cannot be read \(ENOENT\)/,
  );
});

test("token services of other domains are named by pairs", () => {
  const { registryFiles } = load({ TOKEN_SERVICES: "registry.lan=auth.lan" });
  assert.deepEqual(registryFiles.tokenServices, new Map([["registry.lan", new Set(["auth.lan"])]]));
  assert.throws(() => load({ TOKEN_SERVICES: "auth.lan" }), /TOKEN_SERVICES: `auth\.lan` is not/);
});

test("an auth file is read at once, and one that is not valid is refused without a word of its secrets", async () => {
  const path = await file("auth.json", '{"auths":{"a.example":{"auth":"YTpi"}}}');
  const { registryFiles } = loadConfig({
    SECRETS_KEY_FILE: join(dir, "secrets"),
    AUTH_FILE: path,
    PATH: "/bin",
    AWS_PROFILE: "images",
    REDIS_URL: "redis://:m4rk3d@127.0.0.1",
  });
  assert.deepEqual(registryFiles.keychain, { path, env: { PATH: "/bin", AWS_PROFILE: "images" } });
  for (const [text, message] of [
    ["m4rk3d", /AUTH_FILE names .*: it is not JSON/],
    ["[]", /not a JSON object/],
    ['{"auths":[]}', /`auths` is not an object/],
    ['{"auths":{"a":"m4rk3d"}}', /`auths\["a"\]` is not an object/],
    ['{"auths":{"a":{"auth":"m4rk3d"}}}', /`auths\["a"\]`: `auth` is not base64/],
    ['{"auths":{"a":{"auth":7}}}', /must be strings/],
    ['{"credHelpers":{"a":"../m4rk3d/x"}}', /`credHelpers\["a"\]` must be the end of a program/],
    ['{"credsStore":"m4rk3d x"}', /`credsStore` must be the end of a program/],
  ] as const)
    await assert.rejects(
      async () => load({ AUTH_FILE: await file("bad-auth.json", text) }),
      (error: Error) => message.test(error.message) && !error.message.includes("m4rk3d"),
      text,
    );
  assert.throws(() => load({ AUTH_FILE: join(dir, "none") }), /AUTH_FILE names .*ENOENT/);
});

test("what is wrong with a host's certificates is told by its folder", async () => {
  const certs = join(dir, "certs.d");
  await mkdir(join(certs, "registry.example.com"), { recursive: true });
  assert.equal(load({ CERTS_DIR: certs }).registryFiles.certsDir, certs);
  await file("certs.d/registry.example.com/a.key", "m4rk3d");
  assert.throws(
    () => load({ CERTS_DIR: certs }),
    ({ message }: Error) =>
      /- CERTS_DIR names .*registry\.example\.com: missing client certificate a\.cert/.test(
        message,
      ) && !message.includes("m4rk3d"),
  );
});

test("requests may have certificates unchecked unless tenants would show the service's credentials so, and as TLS_VERIFY says", async () => {
  const API_KEYS_FILE = await file("tenants", "a:b\n");
  const AUTH_FILE = await file("auth.json", "{}");
  const REGISTRIES_CONF = await file("lent.conf", "");
  const CERTS_DIR = await mkdtemp(join(dir, "certs-"));
  const mustVerify = (env: NodeJS.ProcessEnv) => load(env).registryFiles.mustVerify;
  assert.equal(mustVerify({}), false);
  assert.equal(mustVerify({ API_KEYS_FILE }), false);
  assert.equal(mustVerify({ AUTH_FILE, REGISTRIES_CONF, CERTS_DIR }), false);
  for (const lent of [{ AUTH_FILE }, { REGISTRIES_CONF }, { CERTS_DIR }])
    assert.equal(mustVerify({ API_KEYS_FILE, ...lent }), true);
  assert.equal(mustVerify({ TLS_VERIFY: "required" }), true);
  assert.equal(mustVerify({ API_KEYS_FILE, AUTH_FILE, TLS_VERIFY: "optional" }), false);
  assert.throws(() => load({ TLS_VERIFY: "no" }), /TLS_VERIFY must be required or optional/);
});
