// npm run docker: builds the image, brings the compose stack up on a real engine, has it do jobs, scales the workers, and takes everything
// down again with its volumes. Needs docker with Compose; extra settings of the machine go into COMPOSE_FILE as usual.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../../src/start/free-port.ts";
import { writeLayout } from "../../bench/workloads.ts";
import { until } from "../support/peers.ts";

const root = join(import.meta.dirname, "../..");
const env = {
  ...process.env,
  COMPOSE_PROJECT_NAME: "transship-check",
  PORT: String(await freePort()),
};
const url = `http://127.0.0.1:${env.PORT}`;
const say = (line: string) => process.stdout.write(`· ${line}\n`);

function compose(...args: string[]): void {
  say(`docker compose ${args.join(" ")}`);
  const { status } = spawnSync("docker", ["compose", "--progress", "quiet", ...args], {
    cwd: root,
    env,
    stdio: ["ignore", "ignore", "inherit"],
  });
  assert.equal(status, 0, `docker compose ${args[0]} ended with ${status}`);
}

assert.equal(
  spawnSync(process.execPath, ["scripts/secrets.mjs"], { cwd: root, stdio: "inherit" }).status,
  0,
);
const key = /^default:(\S+)$/m.exec(await readFile(join(root, "secrets/api-keys"), "utf8"))?.[1];
const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };

/** Has the stack copy one thing, and waits until it is done. */
async function copy(source: string, destination: string): Promise<void> {
  const response = await fetch(`${url}/v1/jobs`, {
    method: "POST",
    headers,
    body: JSON.stringify({ source, destination }),
  });
  assert.equal(response.status, 202, await response.clone().text());
  const { id } = (await response.json()) as { id: string };
  let job: { status: string; finishedAt: string | null; error: unknown } | undefined;
  await until(
    async () => {
      job = (await (await fetch(`${url}/v1/jobs/${id}`, { headers })).json()) as typeof job;
      return typeof job?.finishedAt === "string";
    },
    60_000,
    `job ${id} is not finished`,
  );
  assert.equal(job?.status, "succeeded", JSON.stringify(job?.error));
}

const home = await mkdtemp(join(tmpdir(), "transship-docker-"));
try {
  compose("up", "--build", "--wait");
  await writeLayout(join(home, "image"), [5_000_000, 1_000_000]);
  compose("cp", join(home, "image"), "worker:/data/image");
  await copy("oci:image:image", "dir:copy");
  say("a job is done");
  compose("up", "--scale", "worker=3", "--wait");
  await until(
    async () =>
      ((await (await fetch(`${url}/readyz`)).json()) as { workers: number }).workers === 3,
    20_000,
    "there are not three workers",
  );
  await Promise.all(Array.from({ length: 12 }, (_, i) => copy("dir:copy", `oci:layout:v${i}`)));
  say("three workers have done twelve jobs into one layout");
  await copy("oci:layout:v11", "dir:again");
} finally {
  compose("down", "--volumes");
  await rm(home, { recursive: true, force: true });
}
say("all is well");
