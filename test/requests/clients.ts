// Who copies: the service, and the programs beside it that are on PATH. All of them are asked for the same.

import { execFile, spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Service } from "../support/service.ts";

const run = promisify(execFile);

export interface Client {
  readonly name: string;
  /** Copies `registry/repository:tag` to another one, a list with all its images. Throws where it cannot. */
  copy(from: string, to: string, credentials?: Credentials): Promise<void>;
}

/** For both registries. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** The service with a job's usual options; `options` come on top. */
export const serviceClient = (name: string, service: Service, options: object = {}): Client => ({
  name,
  copy: async (from, to, auth) => {
    const context = { tlsVerify: false, ...(auth !== undefined && { auth }) };
    const { id } = await service.submit({
      source: `docker://${from}`,
      destination: `docker://${to}`,
      options: { imageListSelection: "all", ...options },
      sourceContext: context,
      destinationContext: context,
    });
    const job = await service.finished(id);
    if (job.status !== "succeeded") throw new Error(JSON.stringify(job.error));
  },
});

const PROGRAMS: readonly Client[] = [
  {
    name: "skopeo",
    copy: async (from, to, auth) => {
      const plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
      const known = auth && `${auth.username}:${auth.password}`;
      const creds = known === undefined ? [] : [`--src-creds=${known}`, `--dest-creds=${known}`];
      const ends = [`docker://${from}`, `docker://${to}`];
      await run("skopeo", ["--insecure-policy", "copy", "--all", ...plain, ...creds, ...ends]);
    },
  },
  {
    name: "crane",
    copy: (from, to, auth) =>
      withAuthFile([from, to], auth, async (folder) => {
        const env = { ...process.env, DOCKER_CONFIG: folder };
        await run("crane", ["copy", "--insecure", from, to], { env });
      }),
  },
  {
    name: "oras",
    copy: (from, to, auth) =>
      withAuthFile([from, to], auth, async (folder) => {
        const plain = ["--from-plain-http", "--to-plain-http"];
        const file = join(folder, "config.json");
        const known = ["--from-registry-config", file, "--to-registry-config", file];
        await run("oras", ["cp", ...plain, ...known, from, to]);
      }),
  },
];

async function withAuthFile(
  images: readonly string[],
  auth: Credentials | undefined,
  use: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "transship-auth-"));
  const entry = auth && Buffer.from(`${auth.username}:${auth.password}`).toString("base64");
  const hosts = images.map((image) => image.slice(0, image.indexOf("/")));
  const auths = entry && Object.fromEntries(hosts.map((host) => [host, { auth: entry }]));
  try {
    await writeFile(join(folder, "config.json"), JSON.stringify({ auths: auths ?? {} }));
    await use(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Those that are here. */
export const programs = (): readonly Client[] =>
  PROGRAMS.filter(({ name }) => spawnSync("sh", ["-c", `command -v ${name}`]).status === 0);

export const versionsOf = (clients: readonly Client[]): string =>
  clients
    .map(({ name }) => {
      const asked = name === "skopeo" ? "--version" : "version";
      const { stdout } = spawnSync(name, [asked], { encoding: "utf8" });
      return `${name} ${/\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? ""}`.trim();
    })
    .join(", ");
