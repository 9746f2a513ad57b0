// Many processes write many tags into one OCI layout at once, round after round, while some of them are killed or frozen at random moments and
// a reader watches the index. A writer that was killed is started again until its tag is there.

import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startRedis } from "../../src/start/redis-server.ts";
import { killed } from "../support/service.ts";
import type { Seen } from "./reader.ts";
import { imageOf, type WriteOrder, type WriterSetup, type Written } from "./writer.ts";

export interface StormOptions {
  readonly writers: number;
  readonly rounds: number;
  /** So many random writers are killed in each round, at random moments, while they write. */
  readonly kills?: number;
  /** So many are frozen, and go on when their lease has long lapsed. */
  readonly freezes?: number;
  /** The negative control. */
  readonly lockless?: boolean;
  /** Told after each round. */
  readonly say?: (line: string) => void;
  /** Called with the layout's path when all is written. */
  readonly judge?: (layout: string) => Promise<void>;
}

export interface StormReport extends Seen {
  /** Tags that named the image of their round at its end, of writers × rounds. */
  readonly tags: number;
  /** Images of all rounds that the index has at the end. */
  readonly images: number;
  readonly expected: number;
  readonly kills: number;
  readonly freezes: number;
  /** Writes that a living process had to begin again. */
  readonly retries: number;
  readonly seconds: number;
}

/** Redis's own time for a lease is 10 s; a dead holder of the lock should not hold up a test for so long. */
const LEASE_MS = 2_000;
const ROUND_MS = 120_000;

export async function storm(options: StormOptions): Promise<StormReport> {
  const home = await mkdtemp(join(tmpdir(), "transship-storm-"));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(() => rm(home, { recursive: true, force: true }));
  const dataDir = join(home, "data");
  const layout = join(dataDir, "shared");
  await mkdir(dataDir);
  const redis = cleanup.use(await startRedis({ dir: join(home, "redis"), appendfsync: "no" }));
  const lockless = options.lockless ?? false;
  const crew = cleanup.use(
    new Crew(options.writers, { dataDir, redisUrl: redis.url, leaseMs: LEASE_MS, lockless }),
  );
  const reader = start("reader.ts", layout);
  cleanup.defer(() => killed(reader, "SIGKILL"));
  // Who ends this process early must not leave a frozen writer behind, nor a Redis.
  const abandon = (): void => {
    crew.abandon();
    process.kill(redis.pid, "SIGKILL");
    rmSync(home, { recursive: true, force: true });
  };
  process.once("exit", abandon);
  cleanup.defer(() => void process.off("exit", abandon));

  const begun = performance.now();
  const orders = Array.from({ length: options.rounds }, (_, round) =>
    Array.from({ length: options.writers }, (_, n) => ({
      name: `tag-${n}`,
      seed: `round ${round}, tag ${n}`,
    })),
  );
  let tags = 0;
  let retries = 0;
  let quickestMs = 1_000;
  for (const [round, wanted] of orders.entries()) {
    const since = performance.now();
    const trouble = Promise.all([
      ...atRandom(options.kills, quickestMs, () => crew.kill()),
      ...atRandom(options.freezes, quickestMs, () => crew.freeze()),
    ]);
    const written = await crew.write(wanted);
    quickestMs = Math.min(quickestMs, performance.now() - since);
    await trouble;
    retries += written.reduce((sum, one) => sum + one.retries, 0);
    const present = (await entriesIn(layout)).named;
    const right = wanted.filter(({ name, seed }) => present.get(name) === imageOf(seed).digest);
    tags += right.length;
    options.say?.(
      `round ${round + 1} of ${options.rounds}: ${tags} of ${(round + 1) * options.writers} tags; ${crew.kills} killed, ${crew.freezes} frozen`,
    );
  }
  const { digests } = await entriesIn(layout);
  const images = orders.flat().filter(({ seed }) => digests.has(imageOf(seed).digest)).length;
  const seconds = (performance.now() - begun) / 1000;
  reader.send("stop");
  const [seen] = (await once(reader, "message")) as [Seen];
  await options.judge?.(layout);
  const { kills, freezes } = crew;
  const expected = options.writers * options.rounds;
  return { tags, images, expected, kills, freezes, retries, seconds, ...seen };
}

const start = (file: string, argument: string): ChildProcess =>
  fork(join(import.meta.dirname, file), [argument], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });

interface Entry {
  readonly digest: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

async function entriesIn(layout: string) {
  const text = await readFile(join(layout, "index.json"), "utf8");
  const { manifests } = JSON.parse(text) as { manifests: readonly Entry[] };
  const named = new Map(
    manifests.map(({ digest, annotations }) => [
      annotations?.["org.opencontainers.image.ref.name"],
      digest,
    ]),
  );
  return { named, digests: new Set(manifests.map(({ digest }) => digest)) };
}

/** Does it so often, each time at a random moment of the time to come; what finds nobody to meet does nothing. */
const atRandom = (times = 0, withinMs: number, act: () => Promise<void>): Promise<void>[] =>
  Array.from({ length: times }, () => sleep(Math.random() * withinMs).then(act));

/** The writers, each with what it is to write now, if anything. */
class Crew implements AsyncDisposable {
  kills = 0;
  freezes = 0;
  readonly #setup: string;
  readonly #writers: ChildProcess[];
  readonly #busy = new Set<number>();

  constructor(size: number, setup: WriterSetup) {
    this.#setup = JSON.stringify(setup);
    this.#writers = Array.from({ length: size }, () => start("writer.ts", this.#setup));
  }

  /** One order for each writer; resolves when all are carried out. */
  write(orders: readonly WriteOrder[]): Promise<readonly Written[]> {
    return Promise.all(orders.map((order, n) => this.#carryOut(n, order)));
  }

  async kill(): Promise<void> {
    const victim = this.#victim();
    if (victim === undefined) return;
    this.kills++;
    await killed(victim, "SIGKILL");
  }

  async freeze(): Promise<void> {
    const victim = this.#victim();
    if (victim === undefined) return;
    this.freezes++;
    victim.kill("SIGSTOP");
    await sleep(LEASE_MS * 1.5);
    victim.kill("SIGCONT");
  }

  /** At once, and without looking whether it did. */
  abandon(): void {
    for (const writer of this.#writers) writer.kill("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#writers.map((writer) => killed(writer, "SIGKILL")));
  }

  #victim(): ChildProcess | undefined {
    const busy = [...this.#busy];
    return this.#writers[busy[Math.floor(Math.random() * busy.length)] ?? -1];
  }

  async #carryOut(n: number, order: WriteOrder): Promise<Written> {
    this.#busy.add(n);
    try {
      for (const deadline = AbortSignal.timeout(ROUND_MS); ;) {
        deadline.throwIfAborted();
        const writer = this.#writers[n] as ChildProcess;
        const written = await ask(writer, order, deadline);
        if (written !== undefined) return written;
        this.#writers[n] = start("writer.ts", this.#setup);
      }
    } finally {
      this.#busy.delete(n);
    }
  }
}

/** What a writer answers; undefined: it died first. */
async function ask(
  writer: ChildProcess,
  order: WriteOrder,
  deadline: AbortSignal,
): Promise<Written | undefined> {
  const { promise, resolve, reject } = Promise.withResolvers<Written | undefined>();
  const hear = (message: Written | "ready") => message !== "ready" && resolve(message);
  const died = () => resolve(undefined);
  const late = () => reject(new Error(`${order.name} is not written after ${ROUND_MS} ms`));
  writer.on("message", hear).once("exit", died);
  deadline.addEventListener("abort", late);
  try {
    if (writer.exitCode !== null || writer.signalCode !== null) return undefined;
    writer.send(order, () => {});
    return await promise;
  } finally {
    writer.off("message", hear).off("exit", died);
    deadline.removeEventListener("abort", late);
  }
}
