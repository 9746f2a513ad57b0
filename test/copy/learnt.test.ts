import assert from "node:assert/strict";
import { test } from "node:test";
import type { BlobFacts, BlobInfoCache } from "../../src/copy/blob-info-cache.ts";
import { Learnt } from "../../src/copy/learnt.ts";
import { digestOf } from "../../src/image/digest.ts";
import { NO_CACHE } from "../support/blob-info-cache.ts";
import { copy } from "../support/copying.ts";
import { makeImage } from "../support/images.ts";
import { MemoryDestination, MemorySource } from "../support/memory.ts";

const fact = (i: number): BlobFacts => ({ digest: digestOf(Buffer.from(`${i}`)), size: i });

/** Remembers when it is let, and keeps a log of what it is asked. */
function slow() {
  const log: string[] = [];
  const let_ = Promise.withResolvers<void>();
  const cache: BlobInfoCache = {
    ...NO_CACHE,
    candidates: async () => {
      log.push("asked");
      return [];
    },
    record: async ({ size }) => {
      log.push(`told ${size}`);
      await let_.promise;
      log.push(`knows ${size}`);
    },
  };
  return { cache, log, letItRemember: let_.resolve };
}

test("facts are held back until there are many, and told together", async () => {
  const { cache, log, letItRemember } = slow();
  const learnt = new Learnt(cache);
  for (let i = 1; i < 64; i++) await learnt.record(fact(i));
  assert.deepEqual(log, []);
  await learnt.record(fact(64));
  assert.equal(log.length, 64);
  letItRemember();
  await learnt[Symbol.asyncDispose]();
});

test("a few are told after a moment", async () => {
  const told = Promise.withResolvers<number>();
  const record = async ({ size }: BlobFacts) => told.resolve(size);
  await using learnt = new Learnt({ ...NO_CACHE, record });
  await learnt.record(fact(7));
  assert.equal(await told.promise, 7);
});

test("whoever asks hears of what was learnt before", async () => {
  const { cache, log, letItRemember } = slow();
  await using learnt = new Learnt(cache);
  await learnt.record(fact(1));
  await learnt.candidates(fact(1).digest, { registry: "r", substitutes: false });
  assert.deepEqual(log, ["told 1", "asked"]);
  letItRemember();
});

test("its end waits for all that was learnt", async () => {
  const { cache, log, letItRemember } = slow();
  const learnt = new Learnt(cache);
  await learnt.record(fact(1));
  const ended = learnt[Symbol.asyncDispose]().then(() => log.push("ended"));
  await new Promise(setImmediate);
  assert.deepEqual(log, ["told 1"]);
  letItRemember();
  await ended;
  assert.deepEqual(log, ["told 1", "knows 1", "ended"]);
});

test("a copy goes on while what it has learnt is written, and does not end before", async () => {
  const { cache, log, letItRemember } = slow();
  const at = { registry: "r", repository: "a" };
  const destination = new MemoryDestination({ location: at });
  const put = destination.putManifest.bind(destination);
  destination.putManifest = async (...manifest) => {
    log.push("manifest");
    await put(...manifest);
    letItRemember();
  };
  const source = new MemorySource(makeImage({ layers: [1000] }));
  await copy(source, destination, {}, 100, undefined, { cache });
  const known = log.flatMap((line, i) => (line.startsWith("knows") ? [i] : []));
  assert.equal(known.length, 2);
  assert.ok(known.every((i) => i > log.indexOf("manifest")));
});
