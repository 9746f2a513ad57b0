// Lines from one registry to another.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { skopeo, startDockerRegistry } from "../test/support/peers.ts";
import type { Service } from "../test/support/service.ts";
import { delayed } from "./delay.ts";
import type { Copies, Round } from "./line.ts";
import type { Cost } from "./measure.ts";
import { copyOurs } from "./ours.ts";
import type { Peer } from "./peers.ts";
import { writeLayout } from "./workloads.ts";

export interface Between {
  /** Bytes of each. */
  readonly layers: readonly number[];
  readonly isTls?: boolean;
  /** How far away both registries are. */
  readonly roundTripMs?: number;
  /** Of the job, if not the defaults. */
  readonly options?: object;
}

/** Where the registries keep their blobs: a disk would be what is measured. */
const inMemory = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

interface Place extends AsyncDisposable {
  readonly host: string;
}

/** A registry of its own for each round: skopeo remembers which host has which blobs, and would not move them again. */
export async function betweenRegistries(
  home: string,
  service: Service,
  peers: readonly Peer[],
  { layers, isTls = false, roundTripMs = 0, options = {} }: Between,
): Promise<Copies> {
  const tls = isTls ? await makeCertificate(home) : undefined;
  const context =
    tls === undefined
      ? { tlsVerify: false }
      : { caCertificates: await readFile(tls.certificate, "utf8") };
  const start = async (): Promise<Place> =>
    far(await startDockerRegistry(inMemory, tls && { http: { tls } }), roundTripMs);
  const source = await start();
  const from = await fill(source.host, home, layers);
  const ours = (to: string) => () =>
    copyOurs(service, {
      source: `docker://${from}`,
      destination: `docker://${to}`,
      options,
      sourceContext: context,
      destinationContext: context,
    });
  return {
    round: async (i) => {
      await using fresh = await start();
      const runs = [
        ["ours", ours(`${fresh.host}/ours:1`)] as const,
        ...peers.map(
          (peer) =>
            [peer.name, () => peer.copy(from, `${fresh.host}/${peer.name}:1`, isTls)] as const,
        ),
      ];
      // Whoever comes first finds other caches than whoever comes last.
      return await inTurn([...runs.slice(i % runs.length), ...runs.slice(0, i % runs.length)]);
    },
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

/** The image is there already. */
export async function toTheSamePlace(
  home: string,
  service: Service,
  peers: readonly Peer[],
  layers: readonly number[],
): Promise<Copies> {
  const [source, kept] = await Promise.all([
    startDockerRegistry(inMemory),
    startDockerRegistry(inMemory),
  ]);
  const from = await fill(source.host, home, layers);
  const round = () =>
    inTurn([
      [
        "ours",
        () =>
          copyOurs(service, {
            source: `docker://${from}`,
            destination: `docker://${kept.host}/ours:1`,
            options: { optimizeDestinationImageAlreadyExists: true },
            sourceContext: { tlsVerify: false },
            destinationContext: { tlsVerify: false },
          }),
      ],
      ...peers.map(
        (peer) => [peer.name, () => peer.copy(from, `${kept.host}/${peer.name}:1`, false)] as const,
      ),
    ]);
  await round();
  return {
    round,
    [Symbol.asyncDispose]: async () => {
      await Promise.all([source, kept].map((registry) => registry[Symbol.asyncDispose]()));
    },
  };
}

async function inTurn(
  runs: readonly (readonly [name: string, run: () => Promise<Cost>])[],
): Promise<Round> {
  const costs: [string, Cost][] = [];
  for (const [name, run] of runs) costs.push([name, await run()]);
  return Object.fromEntries(costs) as unknown as Round;
}

/** Puts an image into a registry; where it is. */
async function fill(host: string, home: string, layers: readonly number[]): Promise<string> {
  const layout = join(home, "layout");
  await writeLayout(layout, layers);
  await skopeo("copy", `oci:${layout}:image`, `docker://${host}/image:1`);
  await rm(layout, { recursive: true });
  return `${host}/image:1`;
}

async function far(near: Place, roundTripMs: number): Promise<Place> {
  if (roundTripMs === 0) return near;
  const proxy = await delayed(near.host, roundTripMs);
  return {
    host: proxy.host,
    [Symbol.asyncDispose]: async () => {
      await proxy[Symbol.asyncDispose]();
      await near[Symbol.asyncDispose]();
    },
  };
}

/** One that vouches for itself, for the loopback address. */
async function makeCertificate(
  home: string,
): Promise<{ readonly certificate: string; readonly key: string }> {
  const [certificate, key] = [join(home, "cert.pem"), join(home, "key.pem")];
  const asked = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2".split(" ");
  const name = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"];
  await promisify(execFile)("openssl", [...asked, ...name, "-keyout", key, "-out", certificate]);
  return { certificate, key };
}
