// What is measured: each line makes its image once, then copies it as often as it is told, by the service and by skopeo.

import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { skopeo, startDockerRegistry } from "../test/support/peers.ts";
import type { Service } from "../test/support/service.ts";
import { cpuOf, timed, type Cost } from "./measure.ts";
import { writeLayout, writeRootLayout } from "./workloads.ts";

export interface Pair {
  readonly ours: Cost;
  readonly theirs: Cost;
}

export interface Copies extends AsyncDisposable {
  /** The i-th pair; the 0th is the warm-up. */
  pair(i: number): Promise<Pair>;
}

export interface Line {
  readonly about: string;
  /** `home`: a folder of the line's own, removed afterwards. */
  open(home: string, service: Service): Promise<Copies>;
}

const MiB = 1024 * 1024;
const IN_FOUR = [256 * MiB, 256 * MiB, 256 * MiB, 256 * MiB];

export const LINES: Readonly<Record<string, Line>> = {
  big: {
    about: "1 GiB in 4 layers, registry to registry",
    open: (home, service) => betweenRegistries(home, service, IN_FOUR),
  },
  sixty: {
    about: "60 layers of 64 KiB, registry to registry",
    open: (home, service) =>
      betweenRegistries(
        home,
        service,
        Array.from({ length: 60 }, () => 64 * 1024),
      ),
  },
  unchanged: {
    about: "10 layers of 1 MiB that are there already",
    open: (home, service) =>
      toTheSamePlace(
        home,
        service,
        Array.from({ length: 10 }, () => MiB),
      ),
  },
  gzip: {
    about: "1 GiB of files in 4 uncompressed layers to gzip, layout to layout",
    open: (home, service) => convertedTo(home, service, "gzip"),
  },
  rezstd: {
    about: "the same, gzipped, to zstd, layout to layout",
    open: (home, service) => convertedTo(home, service, "zstd"),
  },
};

const insecure = { tlsVerify: false };
const copy = (...args: readonly string[]) =>
  timed("skopeo", [
    "--insecure-policy",
    "copy",
    "--src-tls-verify=false",
    "--dest-tls-verify=false",
    ...args,
  ]);

/** A registry of its own for each pair: skopeo remembers which host has which blobs, and would not move them again. */
async function betweenRegistries(
  home: string,
  service: Service,
  layers: readonly number[],
): Promise<Copies> {
  const source = await startDockerRegistry(home);
  const from = await fill(source.host, home, layers);
  return {
    pair: async () => {
      await using fresh = await startDockerRegistry(home);
      return {
        ours: await copyOurs(service, { source: from, destination: `docker://${fresh.host}/a:1` }),
        theirs: await copy(from, `docker://${fresh.host}/b:1`),
      };
    },
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

async function toTheSamePlace(
  home: string,
  service: Service,
  layers: readonly number[],
): Promise<Copies> {
  const [source, kept] = await Promise.all([startDockerRegistry(home), startDockerRegistry(home)]);
  const from = await fill(source.host, home, layers);
  const pair = async () => ({
    ours: await copyOurs(service, {
      source: from,
      destination: `docker://${kept.host}/a:1`,
      options: { optimizeDestinationImageAlreadyExists: true },
    }),
    theirs: await copy(from, `docker://${kept.host}/b:1`),
  });
  await pair();
  return {
    pair,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([source, kept].map((registry) => registry[Symbol.asyncDispose]()));
    },
  };
}

/** Puts an image into a registry; its reference. */
async function fill(host: string, home: string, layers: readonly number[]): Promise<string> {
  const layout = join(home, "layout");
  await writeLayout(layout, layers);
  await skopeo("copy", `oci:${layout}:image`, `docker://${host}/image:1`);
  await rm(layout, { recursive: true });
  return `docker://${host}/image:1`;
}

/** From one layout to a new one for each run; neither can find what the other, or a run before, has converted. */
async function convertedTo(
  home: string,
  service: Service,
  compressionFormat: "gzip" | "zstd",
): Promise<Copies> {
  const plain = join(home, "plain");
  await writeRootLayout(plain, IN_FOUR);
  const source = join(service.dataDir, "source");
  if (compressionFormat === "zstd") {
    await skopeo("copy", `oci:${plain}:image`, `oci:${source}:image`);
    await rm(plain, { recursive: true });
  }
  // Both read the same files.
  const files = compressionFormat === "zstd" ? source : plain;
  if (files === plain) await timed("cp", ["-r", plain, source]);
  return {
    pair: async (i) => {
      const ours = join(service.dataDir, `ours${i}`);
      const theirs = join(home, `theirs${i}`);
      const context = { compressionFormat };
      const pair = {
        ours: await copyOurs(service, {
          source: "oci:source:image",
          destination: `oci:ours${i}:image`,
          destinationContext: context,
        }),
        theirs: await copy(
          "--dest-compress-format",
          compressionFormat,
          `oci:${source}:image`,
          `oci:${theirs}:image`,
        ),
      };
      const sized = {
        ours: { ...pair.ours, bytes: await bytesIn(ours) },
        theirs: { ...pair.theirs, bytes: await bytesIn(theirs) },
      };
      await Promise.all([ours, theirs].map((folder) => rm(folder, { recursive: true })));
      return sized;
    },
    [Symbol.asyncDispose]: () => rm(source, { recursive: true, force: true }),
  };
}

async function bytesIn(layout: string): Promise<number> {
  const folder = join(layout, "blobs/sha256");
  const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** From the POST to the job's end, and what the worker's process used meanwhile. */
async function copyOurs(
  service: Service,
  request: {
    readonly source: string;
    readonly destination: string;
    readonly options?: object;
    readonly destinationContext?: object;
  },
): Promise<Cost> {
  const pid = [...service.workers][0]?.pid ?? 0;
  const isRegistry = (reference: string) => reference.startsWith("docker:");
  const cpu = cpuOf(pid);
  const begun = performance.now();
  const { id } = await service.submit({
    ...request,
    ...(isRegistry(request.source) && { sourceContext: insecure }),
    ...(isRegistry(request.destination) && { destinationContext: insecure }),
  });
  const job = await ended(service, id);
  const cost = { wall: (performance.now() - begun) / 1000, cpu: cpuOf(pid) - cpu };
  if (job.status !== "succeeded") throw new Error(`the copy failed: ${JSON.stringify(job.error)}`);
  return cost;
}

async function ended(service: Service, id: string) {
  for (;;) {
    const response = await fetch(`${service.url}/v1/jobs/${id}`, {
      headers: { prefer: "wait=60" },
    });
    const job = (await response.json()) as Awaited<ReturnType<Service["get"]>>;
    if (job.finishedAt !== null) return job;
  }
}
