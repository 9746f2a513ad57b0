// Lines from one registry to another.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { skopeo, startDockerRegistry } from "../test/support/peers.ts";
import type { Service } from "../test/support/service.ts";
import { startBytes, type Load } from "./bytes.ts";
import { delayed } from "./delay.ts";
import type { Copies, Round } from "./line.ts";
import { cpuOf, type Cost } from "./measure.ts";
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
  readonly options?: { readonly maxParallelDownloads?: number };
  /** Both registries are the same in all rounds, so that whoever knows them already may profit by it, and each round has an image of its own. */
  readonly known?: boolean;
}

/** Where the registries keep their blobs: a disk would be what is measured. */
const inMemory = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

interface Place extends AsyncDisposable {
  readonly host: string;
  readonly pid: number;
}

/** The service's own default. */
const PARALLEL = 6;

/** Nobody has the image's blobs in the destination yet, for skopeo remembers which host has which, and would not move them again. */
export async function betweenRegistries(
  home: string,
  service: Service,
  peers: readonly Peer[],
  { layers, isTls = false, roundTripMs = 0, options = {}, known = false }: Between,
): Promise<Copies> {
  const tls = isTls ? await makeCertificate(home) : undefined;
  const context =
    tls === undefined
      ? { tlsVerify: false }
      : { caCertificates: await readFile(tls.certificate, "utf8") };
  const near = () => startDockerRegistry(inMemory, tls && { http: { tls } });
  const start = async (): Promise<Place> => far(await near(), roundTripMs);
  await using cleanup = new AsyncDisposableStack();
  const filled = cleanup.use(await near());
  const source = roundTripMs === 0 ? filled : cleanup.use(await delayed(filled.host, roundTripMs));
  const kept = known ? cleanup.use(await start()) : undefined;
  const bytes = cleanup.use(startBytes());
  let blobs = known ? [] : await fill(filled.host, home, layers, "");
  const copies = (from: string, to: Place, round: string) => {
    const origin = `http${isTls ? "s" : ""}:/`;
    const ours = () =>
      copyOurs(service, {
        source: `docker://${from}`,
        destination: `docker://${to.host}/ours${round}:1`,
        options,
        sourceContext: context,
        destinationContext: context,
      });
    const alone = () =>
      bytes.copy({
        from: `${origin}/${source.host}/v2/image${round}`,
        to: `${origin}/${to.host}/v2/bytes${round}`,
        blobs,
        atOnce: options.maxParallelDownloads ?? PARALLEL,
      });
    return [
      ["ours", ours] as const,
      ["bytes", alone] as const,
      ...peers.map(
        (peer) =>
          [peer.name, () => peer.copy(from, `${to.host}/${peer.name}${round}:1`, isTls)] as const,
      ),
    ];
  };
  await warmUp(home, service);
  const disposables = cleanup.move();
  return {
    round: async (i) => {
      await using fresh = kept === undefined ? await start() : undefined;
      const round = known ? `-${i}` : "";
      if (known) blobs = await fill(filled.host, home, layers, round);
      const to = (fresh ?? kept) as Place;
      const runs = copies(`${source.host}/image${round}:1`, to, round);
      const registries = () => cpuOf(filled.pid) + cpuOf(to.pid);
      // Whoever comes first finds other caches than whoever comes last.
      return await inTurn(
        [...runs.slice(i % runs.length), ...runs.slice(0, i % runs.length)],
        registries,
      );
    },
    [Symbol.asyncDispose]: () => disposables.disposeAsync(),
  };
}

/** Jobs that the worker has done before: its code is compiled as that of one that has been up for a while. */
const DONE_BEFORE = 20;

async function warmUp(home: string, service: Service): Promise<void> {
  await using source = await startDockerRegistry(inMemory);
  await using destination = await startDockerRegistry(inMemory);
  const plain = { tlsVerify: false };
  for (let i = 0; i < DONE_BEFORE; i++) {
    await fill(source.host, home, Array<number>(10).fill(64 * 1024), `-warm-${i}`);
    await copyOurs(service, {
      source: `docker://${source.host}/image-warm-${i}:1`,
      destination: `docker://${destination.host}/warm-${i}:1`,
      sourceContext: plain,
      destinationContext: plain,
    });
  }
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
  await fill(source.host, home, layers, "");
  const from = `${source.host}/image:1`;
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
  registries?: () => number,
): Promise<Round> {
  const costs: [string, Cost][] = [];
  for (const [name, run] of runs) {
    const before = registries?.() ?? 0;
    const cost = await run();
    costs.push([
      name,
      registries === undefined ? cost : { ...cost, registries: registries() - before },
    ]);
  }
  return Object.fromEntries(costs) as unknown as Round;
}

/** Puts an image into a registry, as `image<seed>:1`; its layers. */
async function fill(
  host: string,
  home: string,
  layers: readonly number[],
  seed: string,
): Promise<Load["blobs"]> {
  const layout = join(home, "layout");
  const blobs = await writeLayout(layout, layers, seed);
  await skopeo("copy", `oci:${layout}:image`, `docker://${host}/image${seed}:1`);
  await rm(layout, { recursive: true });
  return blobs;
}

async function far(near: Place, roundTripMs: number): Promise<Place> {
  if (roundTripMs === 0) return near;
  const proxy = await delayed(near.host, roundTripMs);
  return {
    ...near,
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
