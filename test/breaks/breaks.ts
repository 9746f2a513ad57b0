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
import { breakingProxy, type Break, type BreakingProxy, type Cut } from "./proxy.ts";

export interface BreaksOptions {
  readonly image: TestImage;
  /** `host:port` of the registry that has it as `app:1`, and of the one that it is copied to. */
  readonly from: string;
  readonly to: string;
  readonly copies: number;
  /** They share the copies; each does one at a time, and learns what it learns by itself. */
  readonly workers: number;
  /** So many work at a time. */
  readonly atOnce: number;
  /** At most so many a copy, each way. */
  readonly breaks: { readonly reading: number; readonly writing: number };
  readonly seed: number;
  /** `to` takes uploads up again (default: it does): what it loses counts. */
  readonly isResumed?: boolean;
  /** Uploads keep what they have sent last, where they break (default: they do). */
  readonly keepsSent?: boolean;
  /** Of the repositories that are written. */
  readonly name: string;
  readonly say?: (line: string) => void;
}

/** Bytes that may be read again for a break: either way, on the average of all copies. */
const LIMIT = 64 * 1024;

export interface BreaksReport {
  readonly copies: number;
  readonly failures: readonly string[];
  readonly breaks: { readonly reading: number; readonly writing: number };
  /** Bytes that came from the source more than once; heads of answers are among them. */
  readonly readAgain: number;
  /** Those among them that count. */
  readonly counted: number;
  /** Those among them that an upload had lost. */
  readonly lost: number;
  /** The most of any copy. */
  readonly mostReadAgain: number;
  /** Copies that had lost bytes read again. */
  readonly copiesWithLoss: number;
  /** Bytes that went to the destination more than once. */
  readonly sentAgain: number;
  readonly seconds: number;
}

export const isOverLimit = ({ counted, breaks }: BreaksReport): boolean =>
  counted > LIMIT * (breaks.reading + breaks.writing);

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

  /** All that came from there so far. */
  from(port: number): number {
    const sockets = this.#byPort.get(port) ?? new Set<Socket>();
    return [...sockets].reduce((sum, { bytesRead }) => sum + bytesRead, 0);
  }
}

const received = new Received();

export async function copyOverBreaks(options: BreaksOptions): Promise<BreaksReport> {
  const { workers, atOnce, copies } = options;
  const done: Copied[] = [];
  const begun = performance.now();
  let next = 0;
  const lane = async () => {
    for (let worker = next++; worker < workers; worker = next++) {
      const share = Array.from({ length: copies }, (_, copy) => copy).filter(
        (copy) => copy % workers === worker,
      );
      done.push(...(await work(options, share)));
      options.say?.(`${done.length} copies of ${copies}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  const sum = (of: (one: Copied) => number) => done.reduce((all, one) => all + of(one), 0);
  const readAgain = sum((one) => one.readAgain);
  const lost = sum((one) => one.lost);
  return {
    copies: done.length,
    failures: done.flatMap(({ failure = [] }) => failure),
    breaks: { reading: sum(({ reading }) => reading), writing: sum(({ writing }) => writing) },
    readAgain,
    counted: options.isResumed === false ? readAgain - lost : readAgain,
    lost,
    mostReadAgain: Math.max(...done.map((one) => one.readAgain)),
    copiesWithLoss: done.filter((one) => one.lost > 0).length,
    sentAgain: sum(({ sentAgain }) => sentAgain),
    seconds: Math.round((performance.now() - begun) / 1000),
  };
}

/** What became of a copy. */
interface Copied {
  readonly failure: string | undefined;
  readonly reading: number;
  readonly writing: number;
  readonly readAgain: number;
  readonly lost: number;
  readonly sentAgain: number;
}

/** A worker's life: these copies, one after the other. */
async function work(options: BreaksOptions, share: readonly number[]): Promise<Copied[]> {
  await using near = await breakingProxy(options.from, "down");
  await using far = await breakingProxy(options.to, "up");
  const timing = { stallMs: 2_000, storeMs: 5_000, breakMs: 10 };
  const { keepsSent = true } = options;
  await using registries = new Registries(LOOPBACK_TOO, timing, {}, undefined, { keepsSent });
  const done: Copied[] = [];
  for (const copy of share) done.push(await copyOne(options, copy, { near, far, registries }));
  return done;
}

interface World {
  readonly near: BreakingProxy;
  readonly far: BreakingProxy;
  readonly registries: Registries;
}

async function copyOne(
  { image, breaks, seed, name }: BreaksOptions,
  copy: number,
  { near, far, registries }: World,
): Promise<Copied> {
  const size = [...image.blobs.values()].reduce((all, { length }) => all + length, 0);
  const random = randomFrom(seed * 100_003 + copy);
  for (const [proxy, most] of [
    [near, breaks.reading],
    [far, breaks.writing],
  ] as const)
    proxy.plan(plan(random, Math.floor(random() * (most + 1)), size));
  const counts = () => [received.from(near.port), near.breaks, far.breaks, far.passed.up] as const;
  const before = counts();
  let lost = 0;
  let failure: string | undefined;
  try {
    await using source = await openSource(`${near.host}/app:1`, { registries });
    const to = `${far.host}/${name}/${copy}:1`;
    await using destination = await openDestination(to, { registries });
    const ends = {
      source: counting(source, (bytes) => (lost += bytes)),
      destination,
      platform: {},
      host,
      compression: {},
      cache: NO_CACHE,
    };
    const control = { blobs: new LocalSemaphore(2), report: () => {}, signal: never };
    const { digest } = await copyImage(ends, DEFAULTS, control);
    if (digest !== image.digest) failure = `copy ${copy} became ${digest}`;
  } catch (error) {
    failure = `copy ${copy}: ${String(error)}`;
  }
  const [came = 0, reading = 0, writing = 0, sent = 0] = counts().map(
    (count, index) => count - (before[index] ?? 0),
  );
  const readAgain = Math.max(0, came - size - image.manifest.bytes.length);
  return { failure, reading, writing, readAgain, lost, sentAgain: Math.max(0, sent - size) };
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
