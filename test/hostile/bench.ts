// Whole copies with hostile input, over real transports into real destinations: what a test asks for is the refusal, and what this
// bench holds each of them to is that nothing of it can be seen afterwards.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import type { CopyResult } from "../../src/copy/interfaces.ts";
import type { Code } from "../../src/codes.ts";
import { CopyError, type Side } from "../../src/errors.ts";
import { Registries } from "../../src/transport/docker/registries.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { makeDataDir } from "../support/folders.ts";
import { makeImage } from "../support/images.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { copyBetween, type Given } from "./copy-between.ts";
import { assertClean, shownAt } from "./destinations.ts";
import { honest, place, SOURCES, type HostileImage, type SourceKind } from "./sources.ts";

export interface Expected {
  readonly code: Code;
  readonly side?: Side;
  /** What the message has. */
  readonly words?: RegExp;
}

/** Fresh ones, and those that have an image already. */
export const DESTINATIONS = [
  "docker, fresh",
  "oci, used",
  "dir, fresh",
  "docker, used",
  "oci, fresh",
  "dir, used",
] as const;
export type DestinationKind = (typeof DESTINATIONS)[number];

export class Bench {
  readonly dataDir: string;
  /** Of destinations. */
  readonly registry: TestRegistry;
  /** Of sources: another one, or what it says it has would be mounted, and never read. */
  readonly liar: TestRegistry;
  readonly registries: Registries;
  #names = 0;
  #turn = 0;

  constructor(dataDir: string, registry: TestRegistry, liar: TestRegistry, registries: Registries) {
    this.dataDir = dataDir;
    this.registry = registry;
    this.liar = liar;
    this.registries = registries;
  }

  /** Puts an image where it can be read from. */
  place(kind: SourceKind, image: HostileImage): Promise<string> {
    const { dataDir, liar } = this;
    return place(kind, image, `from-${++this.#names}`, { dataDir, registry: liar });
  }

  /** A destination reference of the kind, or of the next kind in turn. */
  destination(kind: DestinationKind = this.#next()): string {
    const [transport = "", state] = kind.split(", ");
    const name = state === "used" ? "used" : `fresh-${++this.#names}`;
    return this.#reference(transport, `${name}-${transport}`);
  }

  copy(
    source: string,
    destination: string,
    given: Given & { readonly signal?: AbortSignal } = {},
  ): Promise<CopyResult> {
    const { dataDir, registries } = this;
    return copyBetween({ dataDir, registries, source, destination }, given);
  }

  /** The copy fails as expected, and nothing of it can be seen. */
  async assertRefused(
    source: string,
    expected: Expected,
    given: Given = {},
    destination = this.destination(),
  ): Promise<void> {
    const what = `${source} to ${destination}`;
    const before_ = await shownAt(destination, this);
    await assert.rejects(this.copy(source, destination, given), (error) => {
      assert.ok(error instanceof CopyError, `${what}: ${String(error)}`);
      const { code, message, context } = error;
      assert.deepEqual(
        [code, context.side],
        [expected.code, expected.side ?? "source"],
        `${what}: ${message}`,
      );
      assert.match(message, expected.words ?? /./, what);
      return true;
    });
    assert.equal(await shownAt(destination, this), before_, `${what}: something can be seen`);
    await assertClean(this);
  }

  /** As `assertRefused`, from each kind of source; `expected` may depend on it. */
  async assertRefusedFrom(
    image: HostileImage,
    expected: Expected | ((kind: SourceKind) => Expected | undefined),
    given: Given = {},
    destination?: string,
  ): Promise<void> {
    for (const kind of SOURCES) {
      const own = typeof expected === "function" ? expected(kind) : expected;
      if (own === undefined) continue;
      await this.assertRefused(await this.place(kind, image), own, given, destination);
    }
  }

  /** An image in each used destination. */
  async prepare(): Promise<this> {
    const old = await this.place("docker", honest(makeImage({ seed: "old" })));
    for (const kind of DESTINATIONS)
      if (kind.endsWith("used")) await this.copy(old, this.destination(kind));
    return this;
  }

  #next(): DestinationKind {
    return DESTINATIONS[this.#turn++ % DESTINATIONS.length] as DestinationKind;
  }

  #reference(transport: string, name: string): string {
    if (transport === "docker") return `docker://${this.registry.host}/${name}:v1`;
    return transport === "oci" ? `oci:${name}:v1` : `dir:${name}`;
  }
}

/** A bench for the tests of one file, closed after them. `start`: what else there is to be before the first test. */
export function useBench(
  start: (bench: Bench, opened: AsyncDisposableStack) => Promise<void> = async () => {},
): () => Bench {
  let bench: Bench | undefined;
  const opened = new AsyncDisposableStack();
  before(async () => {
    const dataDir = opened.use(await makeDataDir());
    const registry = opened.use(await startRegistry());
    const liar = opened.use(await startRegistry());
    const registries = opened.use(
      new Registries(LOOPBACK_TOO, { stallMs: 1000, breakMs: 1, retryMs: 1 }),
    );
    bench = await new Bench(dataDir.path, registry, liar, registries).prepare();
    await start(bench, opened);
  });
  after(() => opened.disposeAsync());
  return () => bench ?? assert.fail("the bench is used before its tests");
}
