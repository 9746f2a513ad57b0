import assert from "node:assert/strict";
import { test } from "node:test";
import { meter } from "../../src/copy/pipeline/meter.ts";
import { verify } from "../../src/copy/pipeline/verify.ts";
import { CopyError } from "../../src/errors.ts";
import { digestOf, type Algorithm } from "../../src/image/digest.ts";
import { collect, inPieces, never } from "../support/bytes.ts";

const data = Buffer.from("the bytes of a blob, a few more than one chunk of them");
const descriptor = (bytes: Buffer, algorithm: Algorithm = "sha256") => ({
  mediaType: "x",
  digest: digestOf(bytes, algorithm),
  size: bytes.length,
});

/** What a destination would get, and how it ended. */
async function poured(expected: ReturnType<typeof descriptor>, served: Buffer) {
  const got: Buffer[] = [];
  const error = await verify(expected)({ content: inPieces(served, 7), info: expected })
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
  const { content } = step({ content: inPieces(data, 1), info: { mediaType: "x" } });
  assert.deepEqual(await collect(content), data);
  assert.ok(seen.length > 3 && seen.length <= (data.length * 40) / 100);
  assert.equal(
    seen.reduce((sum, e) => sum + e.offsetUpdate, 0),
    seen.at(-1)?.offset,
  );
});
