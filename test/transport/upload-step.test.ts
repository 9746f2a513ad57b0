import assert from "node:assert/strict";
import { test } from "node:test";
import { Headway } from "../../src/transport/docker/upload/headway.ts";
import {
  heldPieceOf,
  needsAfter,
  pieceOf,
  type UploadNeeds,
} from "../../src/transport/docker/upload/upload-mode.ts";
import {
  nextStep,
  storedIn,
  type Next,
  type Trouble,
  type UploadState,
} from "../../src/transport/docker/upload/upload-step.ts";

const MIB = 1024 * 1024;
const usual: UploadState = {
  canRepeat: true,
  isResumed: false,
  isPiece: false,
  hasOther: false,
  beginsAnew: false,
};
const BROKEN: Trouble = { kind: "broken" };
const refused = (status: number, code?: string): Trouble => ({ kind: "refused", status, code });

const STEPS: readonly (readonly [string, Trouble, Partial<UploadState>, Next])[] = [
  ["it broke off", BROKEN, {}, "ask"],
  ["it broke off, and nothing is taken up again", BROKEN, { beginsAnew: true }, "anew"],
  ["it broke off again", BROKEN, { isResumed: true }, "ask"],
  ["it broke off, and nothing can be repeated", BROKEN, { canRepeat: false }, "fail"],
  ["the session is unknown", refused(404, "BLOB_UPLOAD_UNKNOWN"), {}, "anew"],
  ["the session is unknown, without a word", refused(404), {}, "anew"],
  ["the session is invalid", refused(400, "BLOB_UPLOAD_INVALID"), {}, "anew"],
  [
    "the session is unknown, and nothing can be repeated",
    refused(404),
    { canRepeat: false },
    "fail",
  ],
  ["it is too much, and there is another way", refused(413), { hasOther: true }, "otherwise"],
  ["it is too much", refused(413), {}, "fail"],
  ["it is out of range", refused(416), {}, "fail"],
  ["a piece is out of range", refused(416), { isPiece: true }, "ask"],
  [
    "what was gone on with is out of range, and may be too much",
    refused(416, "BLOB_UPLOAD_INVALID"),
    { isResumed: true, hasOther: true },
    "check",
  ],
  [
    "what was gone on with is out of range",
    refused(416, "BLOB_UPLOAD_INVALID"),
    { isResumed: true, isPiece: true },
    "check",
  ],
  ["nothing is gone on with there", refused(405), { isResumed: true }, "anew"],
  ["the digest does not fit", refused(400, "DIGEST_INVALID"), {}, "fail"],
  [
    "the digest does not fit what was put together",
    refused(400, "DIGEST_INVALID"),
    { isResumed: true },
    "anew",
  ],
  ["it may not be written", refused(403, "DENIED"), {}, "fail"],
  ["it may not be written any more", refused(403, "DENIED"), { isResumed: true }, "fail"],
  ["nobody is known any more", refused(401), { isResumed: true }, "fail"],
  ["the size does not fit", refused(400, "SIZE_INVALID"), {}, "fail"],
  ["it is not done there", refused(501), {}, "fail"],
];
for (const [what, trouble, state, expected] of STEPS)
  test(`where ${what}: ${expected}`, () => {
    assert.equal(nextStep(trouble, { ...usual, ...state }), expected);
  });

const RANGES: readonly (readonly [string | undefined, number | undefined])[] = [
  ["0-0", 0],
  ["0-1", 2],
  ["0-999", 1000],
  ["bytes=0-999", 1000],
  ["1-999", undefined],
  ["0-", undefined],
  ["0--1", undefined],
  ["0-9e3", undefined],
  ["0-99999999999999999999", undefined],
  ["bytes 0-999/1000", undefined],
  ["", undefined],
  [undefined, undefined],
];
for (const [range, stored] of RANGES)
  test(`an upload's Range ${JSON.stringify(range)}: ${stored} bytes are there`, () => {
    assert.equal(storedIn(range), stored);
  });

const PIECES: readonly (readonly [string, Parameters<typeof pieceOf>, number | undefined])[] = [
  ["nobody asks for pieces", [10 * MIB, {}, 5 * MIB], undefined],
  ["pieces are asked for", [10 * MIB, { pieceBytes: 4 * MIB }], 4 * MIB],
  ["pieces are asked for, of a size unknown", [undefined, { pieceBytes: 4 * MIB }], 4 * MIB],
  ["it is one piece", [4 * MIB, { pieceBytes: 4 * MIB }], undefined],
  ["pieces must have more", [10 * MIB, { pieceBytes: 4 * MIB }, 5 * MIB], 5 * MIB],
  ["it is not large enough", [10 * MIB, { pieceBytes: 4 * MIB, above: 10 * MIB }], undefined],
  ["it is large enough", [11 * MIB, { pieceBytes: 4 * MIB, above: 10 * MIB }], 4 * MIB],
];
for (const [what, given, piece] of PIECES)
  test(`where ${what}: pieces of ${piece}`, () => {
    assert.equal(pieceOf(...given), piece);
  });

const HELD: readonly (readonly [string, Parameters<typeof heldPieceOf>, number | undefined])[] = [
  ["pieces are small", [undefined, { pieceBytes: 4 * MIB }], 4 * MIB],
  ["pieces would fill the memory", [undefined, { pieceBytes: 5 * 1024 * MIB }], undefined],
  ["pieces must fill the memory", [undefined, { pieceBytes: MIB }, 64 * MIB], undefined],
];
for (const [what, given, piece] of HELD)
  test(`of a stream of which ${what}, ${piece ?? "nothing"} is held`, () => {
    assert.equal(heldPieceOf(...given), piece);
  });

test("what is refused is tried in less, until there is no less", () => {
  const pieces = (status: number) => {
    const tried: number[] = [];
    for (let bytes = 10 ** 9; ;) {
      const other = needsAfter({ status, bytes, isWhole: true, isPiece: false }, {});
      if (other?.pieceBytes === undefined) return tried;
      tried.push((bytes = other.pieceBytes) / MIB);
    }
  };
  assert.deepEqual(pieces(413), [32, 4, 1]);
  assert.deepEqual(pieces(416), [4, 1]);
});

const refusedWhole = { bytes: 10 * MIB, isWhole: true, isPiece: false };
const NEEDS: readonly (readonly [
  string,
  Parameters<typeof needsAfter>,
  UploadNeeds | undefined,
])[] = [
  [
    "a piece is out of range",
    [{ status: 416, bytes: 10 * MIB, isWhole: false, isPiece: true }, {}],
    undefined,
  ],
  [
    "a piece is too much",
    [{ status: 413, bytes: 10 * MIB, isWhole: false, isPiece: true }, { pieceBytes: 10 * MIB }],
    { pieceBytes: 4 * MIB, above: 0 },
  ],
  [
    "a PUT that brings bytes is for an unknown blob",
    [{ ...refusedWhole, status: 404, code: "BLOB_UNKNOWN" }, { pieceBytes: 32 * MIB }],
    { pieceBytes: 32 * MIB, closesEmpty: true },
  ],
  ["it is for an unknown upload", [{ ...refusedWhole, status: 404 }, {}], undefined],
  ["it is not done there", [{ ...refusedWhole, status: 405 }, {}], undefined],
  [
    "a PUT that brings none is for an unknown blob",
    [{ status: 404, code: "BLOB_UNKNOWN", bytes: 0, isWhole: false, isPiece: false }, {}],
    undefined,
  ],
];
for (const [what, given, needs] of NEEDS)
  test(`where ${what}, the registry needs ${JSON.stringify(needs)}`, () => {
    assert.deepEqual(needsAfter(...given), needs);
  });

test("a refused token may have lapsed once until something is stored, and again after that", () => {
  const headway = new Headway();
  assert.deepEqual([headway.mayHaveLapsed(), headway.mayHaveLapsed()], [true, false]);
  headway.stands(0);
  assert.equal(headway.mayHaveLapsed(), false, "nothing was stored");
  headway.stands(1);
  assert.deepEqual([headway.mayHaveLapsed(), headway.mayHaveLapsed()], [true, false]);
});

test("an upload is given up after eight breaks without progress, in however many sessions", () => {
  const headway = new Headway();
  const breaks = () => Array.from({ length: 9 }, () => headway.pauseMs(undefined, 1) !== undefined);
  assert.deepEqual(breaks().indexOf(false), 8);
  headway.stands(64 * 1024);
  assert.deepEqual(breaks().indexOf(false), 8);
  headway.stands(0);
  headway.stands(64 * 1024);
  assert.equal(headway.pauseMs(undefined, 1), undefined, "so much was stored before");
});
