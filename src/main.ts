// npm start: everything in one go, until Ctrl-C. A Redis of its own unless REDIS_URL names one, one API process, WORKERS workers.

import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { styleText } from "node:util";
import { loadConfig, type Config } from "./config.ts";
import { freePort } from "./start/free-port.ts";
import { ownRedis } from "./start/own-redis.ts";
import { startProcesses, untilReady } from "./start/processes.ts";
import { onSignals } from "./start/signals.ts";
import { Supervisor } from "./start/supervisor.ts";

const LOCAL = join(import.meta.dirname, "../.local");

/** The file of the key that seals credentials, made at the first start. Deleting it makes the credentials of waiting jobs unreadable. */
export async function secretsKeyFile(folder: string): Promise<string> {
  const file = join(folder, "secrets.key");
  if (!existsSync(file)) {
    await mkdir(folder, { recursive: true });
    await writeFile(file, `${randomBytes(32).toString("hex")}\n`, { mode: 0o600, flag: "wx" });
  }
  return file;
}

/** Where a client on this machine finds the API. */
function addressOf({ host, port }: Pick<Config, "host" | "port">): string {
  const everywhere = host === "0.0.0.0" || host === "::";
  return `http://${everywhere ? "127.0.0.1" : host.includes(":") ? `[${host}]` : host}:${port}`;
}

function welcome(config: Config, redis: string): string {
  const url = addressOf(config);
  const name = (text: string) => styleText("dim", text.padEnd(10));
  const key = config.apiKeys === undefined ? "" : ` -H "authorization: Bearer $KEY"`;
  return `
${styleText(["bold", "green"], "transship is running")}

  ${name("API")}${styleText("cyan", url)}
  ${name("contract")}${styleText("cyan", `${url}/docs`)}
  ${name("data")}${config.dataDir}
  ${name("Redis")}${redis}
  ${name("workers")}${config.workers}

Try it:

  curl -s ${url}/v1/jobs${key} -H 'content-type: application/json' \\
    -d '{"source": "docker://docker.io/library/busybox:latest", "destination": "oci:busybox:latest"}'
  curl -sN ${url}/v1/events${key}

Ctrl-C ends it; jobs that run are finished first, or go on at the next start.
`;
}

async function main(signals: ReturnType<typeof onSignals>): Promise<void> {
  const env: NodeJS.ProcessEnv = { ...process.env };
  await using resources = new AsyncDisposableStack();
  env["SECRETS_KEY_FILE"] ??= await secretsKeyFile(LOCAL);
  const failed = new AbortController();
  const given = env["REDIS_URL"] !== undefined;
  if (!given) {
    const redis = resources.use(
      await ownRedis(LOCAL, (error) =>
        error === undefined
          ? console.error("Redis ended; it is started again")
          : failed.abort(error),
      ),
    );
    env["REDIS_URL"] = redis.url;
    signals.again(() => redis.kill());
  }
  if (env["PORT"] === "0") env["PORT"] = String(await freePort());
  const config = loadConfig(env);

  let ready = false;
  const died = (name: string, how: string, pauseMs: number) => {
    if (!ready && name === "API")
      failed.abort(new Error(`the API did not start (${how}); it said why above`));
    else console.error(`${name} ended (${how}); it is started again in ${pauseMs / 1000} s`);
  };
  const supervisor = resources.use(new Supervisor({ env, output: "inherit", died }));
  signals.again(() => supervisor.kill());
  startProcesses(supervisor, config.workers);

  const end = AbortSignal.any([signals.stopped, failed.signal]);
  await untilReady(addressOf(config), end);
  ready = true;
  console.log(welcome(config, given ? "REDIS_URL" : ".local/redis"));
  await new Promise<void>((resolve) =>
    end.addEventListener("abort", () => resolve(), { once: true }),
  );
  failed.signal.throwIfAborted();
  console.log("stopping: waiting for running jobs (once more Ctrl-C: at once)");
}

if (import.meta.main) {
  const signals = onSignals();
  try {
    await main(signals);
    process.exit(0);
  } catch (error) {
    if (signals.stopped.aborted) process.exit(0);
    console.error(`\n${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  }
}
