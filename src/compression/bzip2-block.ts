// The end of a bzip2 block: the Burrows-Wheeler transform undone, and the run lengths below it.

/** Bytes that are written at a time. */
const PIECE = 128 * 1024;

/** CRC-32 with the highest bit first, as bzip2 has it. */
const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
  return crc;
});

/**
 * Writes what the first `length` of `symbols`, the transform's last column, stand for, from the one at `origin` on; the array is used up.
 * Four equal bytes are followed by how many more there are. Returns the checksum.
 */
export function burrowsWheeler(
  symbols: Uint32Array,
  length: number,
  origin: number,
  write: (bytes: Uint8Array) => void,
): number {
  link(symbols, length);
  const piece = new Uint8Array(PIECE + 256);
  let filled = 0;
  let crc = -1;
  let last = -1;
  let same = 0;
  let next = (symbols[origin] as number) >>> 8;
  for (let i = 0; i < length; i++) {
    const entry = symbols[next] as number;
    const byte = entry & 0xff;
    next = entry >>> 8;
    if (same === 4) {
      piece.fill(last, filled, filled + byte);
      filled += byte;
      for (let n = 0; n < byte; n++) crc = (crc << 8) ^ (CRC[(crc >>> 24) ^ last] as number);
      same = 0;
      last = -1;
    } else {
      same = byte === last ? same + 1 : 1;
      last = byte;
      piece[filled++] = byte;
      crc = (crc << 8) ^ (CRC[(crc >>> 24) ^ byte] as number);
    }
    if (filled >= PIECE) {
      write(piece.subarray(0, filled));
      filled = 0;
    }
  }
  if (filled > 0) write(piece.subarray(0, filled));
  return ~crc >>> 0;
}

/** Adds to each byte, above its lowest eight bits, where the byte after it is. */
function link(symbols: Uint32Array, length: number): void {
  const counts = new Uint32Array(256);
  for (let i = 0; i < length; i++) {
    const byte = symbols[i] as number;
    counts[byte] = (counts[byte] as number) + 1;
  }
  for (let byte = 0, sum = 0; byte < 256; byte++) {
    const count = counts[byte] as number;
    counts[byte] = sum;
    sum += count;
  }
  for (let i = 0; i < length; i++) {
    const byte = (symbols[i] as number) & 0xff;
    const place = counts[byte] as number;
    counts[byte] = place + 1;
    symbols[place] = (symbols[place] as number) | (i << 8);
  }
}
