// One zstd frame (RFC 8878) of bytes that are all there.

import { constants, zstdCompressSync } from "node:zlib";

/** A frame repeats what came up to 8 MiB before, as containers/image's do. */
const WINDOW_LOG = 23;

/**
 * The bytes as one frame with their size and a checksum; `level` is zstd's own. Throws if the frame does not hold all of them: a bug
 * of the library, of which one kind is known (several threads in one stream).
 */
export function zstdFrame(bytes: Uint8Array, level: number): Buffer {
  const frame = zstdCompressSync(bytes, {
    // Room for all of it: the parts of a result would be copied once more to put them together.
    chunkSize: bytes.length + (bytes.length >> 7) + 1024,
    pledgedSrcSize: bytes.length,
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_windowLog]: WINDOW_LOG,
      [constants.ZSTD_c_checksumFlag]: 1,
    },
  });
  if (frameLength(frame) !== frame.length)
    throw new Error(`zstd made a broken frame of ${bytes.length} bytes`);
  return frame;
}

const SIZE_BYTES = [0, 2, 4, 8] as const;
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;
/** A block of this type is one byte, however often it is repeated. */
const RLE = 1;

/** How long the frame at the start is, by its own account of its blocks; undefined if it is not closed. */
export function frameLength(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeBytes = SIZE_BYTES[(descriptor >> 6) as 0 | 1 | 2 | 3] || (isSingleSegment ? 1 : 0);
  const dictionaryBytes = DICTIONARY_BYTES[(descriptor & 3) as 0 | 1 | 2 | 3];
  let at = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes + sizeBytes;
  for (;;) {
    if (at + 3 > bytes.length) return undefined;
    const header = view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
    const type = (header >> 1) & 3;
    at += 3 + (type === RLE ? 1 : header >> 3);
    if ((header & 1) !== 0) return at + ((descriptor & 4) !== 0 ? 4 : 0);
  }
}
