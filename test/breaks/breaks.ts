// Copies of one large blob over connections that break at random offsets, on its way in and on its way out. What is counted, is counted
// outside of what is judged: what the source's sockets brought, by the sockets, and what went to the destination, by the proxy.

import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { copyImage } from "../../src/copy/copy.ts";
import type { BlobStream, Source } from "../../src/copy/interfaces.ts";
import { LocalSemaphore } from "../../src/copy/semaphore.ts";
import { Registries } from "../../src/transport/docker/registries.ts";
import { openDestination, openSource, putImage } from "../transport/docker-setup.ts";
import { NO_CACHE } from "../support/blob-info-cache.ts";
import { never } from "../support/bytes.ts";
import { host } from "../support/copying.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import type { TestImage } from "../support/images.ts";
import { DEFAULTS } from "../support/options.ts";
import { breakingProxy, type Break, type Cut } from "./proxy.ts";

export interface BreaksOptions {
  readonly image: TestImage;
  /** `host:port` of the registry that has it as `app:1`, and of the one that it is copied to. */
  readonly from: string;
  readonly to: string;
  readonly copies: number;
  readonly atOnce: number;
  /** At most so many a copy, each way. */
  readonly breaks: { readonly reading: number; readonly writing: number };
  readonly seed: number;
  /** Of the repositories that are written. */
  readonly name: string;
  readonly say?: (line: string) => void;
}

export interface BreaksReport {
  readonly copies: number;
  readonly failures: readonly string[];
  readonly breaks: { readonly reading: number; readonly writing: number };
  /** Bytes that came from the source more than once, but for those that an upload had lost; heads of answers are among them. */
  readonly readAgain: number;
  /**
   * The most of any copy, by break. Where the upload breaks while its loss is being read, what was on its way is among it: a copy may be
   * above the bound that all of them keep.
   */
  readonly mostReadAgain: number;
  /** Bytes that were read again because an upload had lost them. */
  readonly repeated: number;
  /** Bytes that went to the destination more than once. */
  readonly sentAgain: number;
  readonly seconds: number;
}

/** Bytes of each client's socket that ever dialled, by the port that it dialled. */
class Received {
  readonly #byPort = new Map<number, Set<Socket>>();

  constructor() {
    subscribe("net.client.socket", (message) => {
      const { socket } = message as { socket: Socket };
      socket.once("connect", () => {
        const port = socket.remotePort ?? 0;
        const sockets = this.#byPort.get(port);
        if (sockets === undefined) this.#byPort.set(port, new Set([socket]));
        else sockets.add(socket);
      });
    });
  }

  /** All that came from there so far; then it is forgotten. */
  take(port: number): number {
    const sockets = this.#byPort.get(port) ?? new Set<Socket>();
    this.#byPort.delete(port);
    return [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  }
}

const received = new Received();

export async function copyOverBreaks(options: BreaksOptions): Promise<BreaksReport> {
  const failures: string[] = [];
  const sum = { reading: 0, writing: 0, readAgain: 0, repeated: 0, sentAgain: 0, most: 0 };
  const begun = performance.now();
  let next = 0;
  const lane = async () => {
    for (let copy = next++; copy < options.copies; copy = next++) {
      const one = await copyOne(options, copy);
      if (one.failure !== undefined) failures.push(`copy ${copy}: ${one.failure}`);
      sum.reading += one.reading;
      sum.writing += one.writing;
      sum.readAgain += one.readAgain;
      sum.repeated += one.repeated;
      sum.sentAgain += one.sentAgain;
      sum.most = Math.max(sum.most, one.readAgain / Math.max(1, one.reading + one.writing));
      if (copy % 50 === 49) options.say?.(`${copy + 1} copies of ${options.copies} begun`);
    }
  };
  await Promise.all(Array.from({ length: options.atOnce }, lane));
  return {
    copies: options.copies,
    failures,
    breaks: { reading: sum.reading, writing: sum.writing },
    readAgain: sum.readAgain,
    mostReadAgain: Math.round(sum.most),
    repeated: sum.repeated,
    sentAgain: sum.sentAgain,
    seconds: Math.round((performance.now() - begun) / 1000),
  };
}

async function copyOne({ image, from, to, breaks, seed, name }: BreaksOptions, copy: number) {
  const size = [...image.blobs.values()].reduce((all, { length }) => all + length, 0);
  const random = randomFrom(seed * 100_003 + copy);
  const [reading, writing] = [breaks.reading, breaks.writing].map((most) =>
    plan(random, Math.floor(random() * (most + 1)), size),
  );
  await using near = await breakingProxy(from, "down", reading ?? []);
  await using far = await breakingProxy(to, "up", writing ?? []);
  await using registries = new Registries(LOOPBACK_TOO, {
    stallMs: 2_000,
    storeMs: 5_000,
    breakMs: 10,
  });
  let repeated = 0;
  let failure: string | undefined;
  try {
    await using source = await openSource(`${near.host}/app:1`, { registries });
    await using destination = await openDestination(`${far.host}/${name}/${copy}:1`, {
      registries,
    });
    const ends = {
      source: counting(source, (bytes) => (repeated += bytes)),
      destination,
      platform: {},
      host,
      compression: {},
      cache: NO_CACHE,
    };
    const control = { blobs: new LocalSemaphore(2), report: () => {}, signal: never };
    const { digest } = await copyImage(ends, DEFAULTS, control);
    if (digest !== image.digest) failure = `it became ${digest}`;
  } catch (error) {
    failure = String(error);
  }
  const came = received.take(near.port);
  return {
    failure,
    reading: near.breaks,
    writing: far.breaks,
    repeated,
    readAgain: Math.max(0, came - size - image.manifest.bytes.length - repeated),
    sentAgain: Math.max(0, far.passed.up - size),
  };
}

/** Puts the image there as `app:1`. */
export async function pushTo(registry: string, image: TestImage): Promise<void> {
  await using registries = new Registries(LOOPBACK_TOO);
  await using destination = await openDestination(`${registry}/app:1`, { registries });
  await putImage(destination, image);
}

/** The source; what is read again of its blobs is told. */
const counting = (source: Source, tell: (bytes: number) => void): Source => ({
  name: source.name,
  ...(source.location !== undefined && { location: source.location }),
  getManifest: (instance, signal) => source.getManifest(instance, signal),
  getSignatures: (instance, signal) => source.getSignatures(instance, signal),
  getReferrers: (digest, signal) => source.getReferrers(digest, signal),
  [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  getBlob: async (blob, signal): Promise<BlobStream> => {
    const { again, ...stream } = await source.getBlob(blob, signal);
    if (again === undefined) return stream;
    return {
      ...stream,
      again: (span) => ({
        pour: (sink, pourSignal) =>
          again(span).pour((chunk, release) => {
            tell(chunk.length);
            sink(chunk, release);
          }, pourSignal),
      }),
    };
  },
});

const CUTS: readonly Cut[] = [
  ...Array<Cut>(12).fill("reset"),
  ...Array<Cut>(12).fill("end"),
  "stall",
];

/** So many breaks, spread over the blob. */
const plan = (random: () => number, count: number, size: number): readonly Break[] =>
  Array.from({ length: count }, () => ({
    after: 1 + Math.floor((random() * 2 * size) / (count + 1)),
    cut: CUTS[Math.floor(random() * CUTS.length)] ?? "reset",
  }));

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
