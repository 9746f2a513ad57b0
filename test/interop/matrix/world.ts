// What the cases run in: a registry that all sources are in, and for each side (us, and each skopeo) a registry of every kind and a part
// of one folder to itself. Sides have registries of their own because docker's schema 1 repeats an image's name.

import { execFile } from "node:child_process";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { digestOf } from "../../../src/image/digest.ts";
import type { Problem } from "../../../src/jobs/record.ts";
import type { JobView } from "../../../src/jobs/view.ts";
import { startDockerRegistry, type DockerRegistry } from "../../support/peers.ts";
import { startRegistry, type TestRegistry } from "../../support/registry.ts";
import { startService, type Service } from "../../support/service.ts";
import type { Answer, Wish } from "./model.ts";

const run = promisify(execFile);
const TIMEOUT_MS = 60_000;

export interface Side {
  /** `ours`, or skopeo's version. */
  readonly name: string;
  readonly registry: TestRegistry;
  /** Absent where Debian's registry is not installed. */
  readonly distribution?: DockerRegistry;
  /** A file's or folder's path, in this side's words. */
  path(relative: string): string;
  copy(source: string, destination: string, wish: Wish): Promise<Answer>;
}

export interface World extends AsyncDisposable {
  readonly origin: TestRegistry;
  readonly ours: Side;
  /** The newest last. */
  readonly theirs: readonly Side[];
  /** Of everybody's files. */
  readonly folder: string;
  /** Serves a blob at a URL of its own. */
  publish(bytes: Buffer): string;
}

export interface WorldOptions {
  /** Programs. */
  readonly skopeos: readonly string[];
  readonly distribution: boolean;
  readonly verbose?: boolean;
}

/** Debian's registry also takes schema 1, and layers that are anywhere. */
const LENIENT = {
  compatibility: { schema1: { enabled: true } },
  validation: { manifests: { urls: { allow: ["^http://"] } } },
};

export async function startWorld(options: WorldOptions): Promise<World> {
  await using started = new AsyncDisposableStack();
  const start = async <T extends AsyncDisposable>(thing: Promise<T>): Promise<T> =>
    started.use(await thing);
  const registries = async () => ({
    registry: await start(startRegistry()),
    ...(options.distribution && {
      distribution: await start(startDockerRegistry(tmpdir(), LENIENT)),
    }),
  });
  const origin = await start(startRegistry());
  const service = await start(
    startService({ workers: 1, ...(options.verbose && { verbose: true }) }),
  );
  const theirs: Side[] = [];
  for (const program of options.skopeos)
    theirs.push({ ...(await skopeo(program, service.dataDir)), ...(await registries()) });
  const ours: Side = { ...transship(service), ...(await registries()) };
  const parts = started.move();
  return {
    origin,
    ours,
    theirs,
    folder: service.dataDir,
    publish: (bytes) => {
      const digest = digestOf(bytes);
      origin.content.addBlob("elsewhere", digest, bytes);
      return `${origin.url}/v2/elsewhere/blobs/${digest}`;
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

function transship(service: Service): Omit<Side, "registry" | "distribution"> {
  return {
    name: "ours",
    path: (relative) => relative,
    copy: async (source, destination, { request }) => {
      const tls = (reference: string) =>
        reference.startsWith("docker:") ? { tlsVerify: false } : {};
      const body = {
        source,
        destination,
        attempts: 1,
        options: request.options ?? {},
        sourceContext: { ...tls(source), ...request.sourceContext },
        destinationContext: { ...tls(destination), ...request.destinationContext },
      };
      const response = await fetch(`${service.url}/v1/jobs`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(body),
      });
      if (response.status !== 202) return refusal((await response.json()) as Problem);
      const { id } = (await response.json()) as JobView;
      const job = await finished(service, id);
      if (job.status === "succeeded" && job.result !== null)
        return { kind: "done", digest: job.result.manifestDigest };
      return refusal(job.error ?? { detail: `the job is ${job.status}` });
    },
  };
}

const refusal = ({ code, detail, errors }: Partial<Problem>): Answer => ({
  kind: "refused",
  code: code ?? "none",
  text: [detail, ...(errors ?? []).map((fault) => `${fault.pointer} ${fault.detail}`)].join("; "),
});

async function finished({ url }: Service, id: string): Promise<JobView> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  for (;;) {
    const response = await fetch(`${url}/v1/jobs/${id}`, {
      headers: { prefer: "wait=20" },
      signal,
    });
    const job = (await response.json()) as JobView;
    if (job.finishedAt !== null) return job;
  }
}

async function skopeo(
  program: string,
  folder: string,
): Promise<Omit<Side, "registry" | "distribution">> {
  const version = (await run(program, ["--version"])).stdout.trim().split(" ").at(-1) ?? "";
  const help = (await run(program, ["copy", "--help"])).stdout;
  let copies = 0;
  return {
    name: version,
    path: (relative) => join(folder, relative),
    copy: async (source, destination, { flags, global }) => {
      const unknown = flags.find((flag) => !help.includes(`${flag.split("=")[0]} `));
      if (unknown !== undefined) return { kind: "cannot", text: `no such flag: ${unknown}` };
      const digestFile = join(folder, `digest-${version}-${copies++}`);
      const args = [
        "--insecure-policy",
        ...global,
        "copy",
        "--src-tls-verify=false",
        "--dest-tls-verify=false",
        `--digestfile=${digestFile}`,
        ...flags,
        source,
        destination,
      ];
      try {
        await run(program, args, { timeout: TIMEOUT_MS });
        return { kind: "done", digest: (await readFile(digestFile, "utf8")).trim() };
      } catch (error) {
        const { stderr = String(error) } = error as { stderr?: string };
        return { kind: "refused", text: messageIn(stderr) };
      } finally {
        await rm(digestFile, { force: true });
      }
    },
  };
}

/** skopeo's error, out of its log line. */
function messageIn(stderr: string): string {
  const line = stderr.trim().split("\n").at(-1) ?? "";
  const quoted = /level=fatal msg="(.*)"$/.exec(line)?.[1];
  return quoted === undefined ? line : quoted.replaceAll('\\"', '"');
}
