import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { fromBuffer, fromReadable, toReadable, collect } from "../../src/bytes.ts";
import { meter } from "../../src/copy/pipeline/meter.ts";
import { verify } from "../../src/copy/pipeline/verify.ts";
import { CopyError } from "../../src/errors.ts";
import { digestOf, type Algorithm } from "../../src/image/digest.ts";

const never = new AbortController().signal;
const chunked = (data: Buffer, size = 7) =>
  fromReadable(
    Readable.from(
      Array.from({ length: Math.ceil(data.length / size) }, (_, i) =>
        data.subarray(i * size, (i + 1) * size),
      ),
    ),
  );
const data = Buffer.from("the bytes of a blob, a few more than one chunk of them");
const descriptor = (bytes: Buffer, algorithm: Algorithm = "sha256") => ({
  mediaType: "x",
  digest: digestOf(bytes, algorithm),
  size: bytes.length,
});

/** What a destination would get, and how it ended. */
async function poured(expected: ReturnType<typeof descriptor>, served: Buffer) {
  const got: Buffer[] = [];
  const error = await verify(expected)({ content: chunked(served), info: expected })
    .content.pour((chunk, release) => {
      got.push(Buffer.from(chunk));
      release();
    }, never)
    .then(
      () => undefined,
      (e: unknown) => e,
    );
  return { got: Buffer.concat(got), code: error instanceof CopyError ? error.code : error };
}

for (const algorithm of ["sha256", "sha384", "sha512"] as const) {
  test(`the right bytes pass whole, by ${algorithm}`, async () => {
    const { got, code } = await poured(descriptor(data, algorithm), data);
    assert.equal(code, undefined);
    assert.deepEqual(got, data);
  });
}

test("an empty blob is verified too", async () => {
  assert.equal((await poured(descriptor(Buffer.alloc(0)), Buffer.alloc(0))).code, undefined);
  assert.equal(
    (await poured({ ...descriptor(data), size: 0 }, Buffer.alloc(0))).code,
    "digest_mismatch",
  );
});

test("one changed bit is found, wherever it is, and the destination never gets all bytes", async () => {
  for (let i = 0; i < data.length; i++) {
    const wrong = Buffer.from(data);
    wrong[i] = (wrong[i] ?? 0) ^ 1;
    const { got, code } = await poured(descriptor(data), wrong);
    assert.equal(code, "digest_mismatch");
    assert.ok(got.length < data.length);
  }
});

test("too few and too many bytes are found, and nothing is lent after the last one named", async () => {
  assert.equal((await poured(descriptor(data), data.subarray(0, -1))).code, "size_mismatch");
  assert.equal((await poured(descriptor(data), Buffer.alloc(0))).code, "size_mismatch");
  const { got, code } = await poured(descriptor(data), Buffer.concat([data, data]));
  assert.equal(code, "size_mismatch");
  assert.ok(got.length <= data.length);
});

test("the meter tells at most once an interval, with offsets that add up", async () => {
  let time = 0;
  const seen: { offset: number; offsetUpdate: number }[] = [];
  const artifact = {
    digest: digestOf(data),
    size: data.length,
    mediaType: "x",
    kind: "layer",
    index: 0,
  } as const;
  const step = meter(
    artifact,
    100,
    (event) => {
      if (event.type === "blob-read") seen.push(event);
    },
    () => (time += 40),
  );
  const { content } = step({ content: chunked(data, 1), info: { mediaType: "x" } });
  assert.deepEqual(await collect(content, 1000, () => new Error("too large"), never), data);
  assert.ok(seen.length > 3 && seen.length <= (data.length * 40) / 100);
  assert.equal(
    seen.reduce((sum, e) => sum + e.offsetUpdate, 0),
    seen.at(-1)?.offset,
  );
});

test("a stream made of bytes has them all, and breaks if they break", async () => {
  assert.deepEqual(Buffer.concat(await toReadable(chunked(data), never).toArray()), data);
  const broken = {
    pour: async (sink: Parameters<ReturnType<typeof fromBuffer>["pour"]>[0]) => {
      sink(data, () => {});
      throw new Error("broken");
    },
  };
  await assert.rejects(toReadable(broken, never).toArray(), /broken/);
});

test("pouring rests while what it lent is not released", async () => {
  const chunk = Buffer.alloc(256 * 1024);
  let read = 0;
  const source = Readable.from(
    (function* () {
      for (let i = 0; i < 64; i++) {
        read++;
        yield chunk;
      }
    })(),
  );
  const lent: (() => void)[] = [];
  const pouring = fromReadable(source).pour((_, release) => lent.push(release), never);
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(read < 12, `${read} chunks were read ahead`);
  const timer = setInterval(() => lent.splice(0).forEach((release) => release()), 1);
  await pouring;
  clearInterval(timer);
  assert.equal(read, 64);
});

test("collect stops at its limit", async () => {
  await assert.rejects(
    collect(chunked(data), 10, () => new Error("too large"), never),
    /too large/,
  );
});

test("an abort ends the pouring with its reason, also while it rests", async () => {
  const stop = new AbortController();
  const source = Readable.from(
    (function* () {
      for (;;) yield Buffer.alloc(1024 * 1024);
    })(),
  );
  const pouring = fromReadable(source).pour(() => {}, stop.signal);
  setImmediate(() => stop.abort(new Error("enough")));
  await assert.rejects(pouring, /enough/);
  assert.equal(source.destroyed, true);
});
