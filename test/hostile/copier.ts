// Copies in another process, measured, and held to what no input may exceed.

import assert from "node:assert/strict";
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { makeImage } from "../support/images.ts";
import { killed } from "../support/service.ts";
import { useBench, type Bench, type Expected } from "./bench.ts";
import type { Given } from "./copy-between.ts";
import type { Measured, Order } from "./copy-process.ts";
import { assertClean, shownAt } from "./destinations.ts";
import { honest } from "./sources.ts";

export interface Bounds {
  readonly grownMiB: number;
  readonly blockedMs: number;
  readonly workedMs: number;
  readonly ms: number;
}

/** Generous: the machine that tests run on may have much else to do. */
export const BOUNDS: Bounds = {
  grownMiB: 96,
  workedMs: 250,
  blockedMs: 3000,
  ms: 10_000,
};

export class Copier implements AsyncDisposable {
  readonly #bench: Bench;
  readonly #child: ChildProcess;
  readonly #all: (Measured & { readonly what: string })[] = [];

  constructor(bench: Bench) {
    this.#bench = bench;
    this.#child = fork(join(import.meta.dirname, "copy-process.ts"), { execArgv: ["--expose-gc"] });
  }

  async copy(order: Omit<Order, "dataDir">): Promise<Measured> {
    const { dataDir } = this.#bench;
    const answered = new AbortController();
    const { signal } = answered;
    const answer = Promise.race([
      once(this.#child, "message", { signal }),
      once(this.#child, "exit", { signal }).then(() => assert.fail("the copier died")),
    ]);
    this.#child.send({ dataDir, ...order } satisfies Order);
    const [measured] = (await answer.finally(() => answered.abort())) as [Measured];
    this.#all.push({ ...measured, what: order.source });
    return measured;
  }

  /** The copy fails as expected and within the bounds, and nothing of it can be seen. */
  async assertRefused(
    source: string,
    expected: Expected,
    given: Given = {},
    destination = this.#bench.destination(),
    bounds: Partial<Bounds> = {},
  ): Promise<Measured> {
    const shown = await shownAt(destination, this.#bench);
    const measured = await this.copy({ source, destination, given });
    const { code, side, message } = measured;
    const what = `${source} to ${destination}: ${message}`;
    assert.deepEqual([code, side], [expected.code, expected.side ?? "source"], what);
    assert.match(message, expected.words ?? /./);
    assertWithin(measured, bounds);
    assert.equal(await shownAt(destination, this.#bench), shown, `${what}: something is seen`);
    await assertClean(this.#bench);
    return measured;
  }

  /** The worst that was seen, for those who read the test's output. */
  worst(): string {
    const most = (key: keyof Bounds) =>
      Math.round(Math.max(0, ...this.#all.map((measured) => measured[key])));
    return `${this.#all.length} copies; at most ${most("workedMs")} ms of work in one turn of the event loop, ${most("blockedMs")} ms between two, ${most("grownMiB")} MiB more memory, ${most("ms")} ms for one copy`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    console.log(this.worst());
    await killed(this.#child, "SIGKILL");
  }
}

export function assertWithin(measured: Measured, bounds: Partial<Bounds> = {}): void {
  for (const [key, most] of Object.entries({ ...BOUNDS, ...bounds }) as [keyof Bounds, number][])
    assert.ok(measured[key] < most, `${key}: ${measured[key].toFixed(1)}, not below ${most}`);
}

/** A bench and a copier for the tests of one file. The copier is warm: what is loaded at the first copy is no image's doing. */
export function useCopier(): { readonly bench: () => Bench; readonly copier: () => Copier } {
  let copier: Copier | undefined;
  const bench = useBench(async (own, opened) => {
    copier = opened.use(new Copier(own));
    const source = await own.place("docker", honest(makeImage({ seed: "warm" })));
    for (const kind of ["oci, fresh", "docker, fresh", "dir, fresh"] as const) {
      const order = { source, destination: own.destination(kind), given: {} };
      assert.equal((await copier.copy(order)).code, "copied");
    }
  });
  return { bench, copier: () => copier ?? assert.fail("the copier is used before its tests") };
}
