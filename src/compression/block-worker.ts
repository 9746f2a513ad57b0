// A thread of `BlockPool`: compresses one block after the other.

import { parentPort } from "node:worker_threads";
import { gzip } from "libdeflate";
import type { BlockAnswer, BlockTask } from "./block-pool.ts";
import { zstdFrame } from "./zstd-frame.ts";

const COMPRESS = { gzip: gzipMember, zstd: zstdFrame } as const;

/** The bytes as one member (RFC 1952); `level` is libdeflate's own. */
function gzipMember(bytes: Uint8Array, level: number): Uint8Array {
  const member = gzip(bytes, level);
  const size = new DataView(member.buffer, member.byteOffset).getUint32(member.length - 4, true);
  if (size !== bytes.length)
    throw new Error(`libdeflate made a broken member of ${bytes.length} bytes`);
  return member;
}

parentPort?.on("message", ({ memory, length, algorithm, level }: BlockTask) => {
  const output = COMPRESS[algorithm](new Uint8Array(memory, 0, length), level);
  // Small results are in a buffer that others use as well: that cannot be given away.
  const own = output.byteLength > Buffer.poolSize ? output : new Uint8Array(output);
  const answer: BlockAnswer = { memory, output: own as Uint8Array<ArrayBuffer> };
  parentPort?.postMessage(answer, [memory, answer.output.buffer]);
});
