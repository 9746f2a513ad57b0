// What is compressed in a file, whatever its name says: its first bytes tell.

import type { Bytes } from "../bytes.ts";
import { decompress } from "../compression/decompress.ts";
import { detectCompression, type Detected } from "../compression/detect.ts";
import { fromRegion, readAt, type Region, type RegularFile } from "./files.ts";

/** Undefined: it is not compressed. */
export const compressionOf = async (
  file: RegularFile,
  { offset, size }: Region,
): Promise<Detected | undefined> =>
  detectCompression(await readAt(file, { offset, size: Math.min(size, 8) }));

/** The content as it was before it was compressed as `compressionOf` says. */
export const unpacked = (
  file: RegularFile,
  region: Region,
  compression: Detected | undefined,
): Bytes => {
  const content = fromRegion(file, region);
  return compression === undefined ? content : decompress(content, compression);
};

/** How many bytes there are. They are read, and not kept. */
export async function lengthOf(content: Bytes, signal: AbortSignal): Promise<number> {
  let length = 0;
  await content.pour((chunk, release) => {
    length += chunk.length;
    release();
  }, signal);
  return length;
}
