// bzip2, decompressed. The format has no specification but its program; this follows its description by Joe Tsai ("BZIP2: Format
// Specification"). Blocks of before version 0.9.5 ("randomised") are refused, as Go does.

import { BitSource } from "./bits.ts";
import { burrowsWheeler } from "./bzip2-block.ts";
import { HuffmanTable, readTables } from "./bzip2-huffman.ts";
import type { Codec } from "./codec.ts";
import { layerInvalid } from "./layer-invalid.ts";

const BLOCK = [0x314159, 0x265359] as const;
const END = [0x177245, 0x385090] as const;
/** Symbols that are coded with one table before the next is chosen. */
const GROUP = 50;
/** More choices of tables than any block needs: `bzip2` ignores them as well. */
const MOST_SELECTORS = 18_002;

const damaged = (what: string): never => {
  throw layerInvalid(`the layer's bzip2 data is damaged (${what})`);
};

/** Decompresses one stream after the other, to the end. */
export const bunzip2: Codec = ({ read, write }) => {
  const bits = new BitSource(read);
  do stream(bits, write);
  while (!bits.isAtEnd());
  return {};
};

function stream(bits: BitSource, write: (bytes: Uint8Array) => void): void {
  if (bits.take(24) !== 0x425a68) damaged("something else follows a stream");
  const level = bits.take(8) - 0x30;
  if (level < 1 || level > 9) damaged("no such block size");
  const symbols = new Uint32Array(level * 100_000);
  let sum = 0;
  for (;;) {
    const [high, low] = [bits.take(24), bits.take(24)];
    if (high === END[0] && low === END[1]) break;
    if (high !== BLOCK[0] || low !== BLOCK[1]) damaged("no block begins where one should");
    const expected = bits.take32();
    if (block(bits, symbols, write) !== expected) damaged("a block's checksum is wrong");
    sum = (((sum << 1) | (sum >>> 31)) ^ expected) >>> 0;
  }
  if (bits.take32() !== sum) damaged("the checksum is wrong");
}

/** One block; returns the checksum of what it wrote. */
function block(bits: BitSource, symbols: Uint32Array, write: (bytes: Uint8Array) => void): number {
  if (bits.take(1) === 1) damaged("a randomised block, of before bzip2 0.9.5");
  const origin = bits.take(24);
  const used = usedBytes(bits);
  const tableCount = bits.take(3);
  if (tableCount < 2 || tableCount > 6) damaged("no such number of tables");
  const selectors = readSelectors(bits, tableCount);
  const tables = readTables(bits, tableCount, used.length + 2);
  const length = readSymbols(bits, symbols, used, selectors, tables);
  if (origin >= length) damaged("a block begins behind its end");
  return burrowsWheeler(symbols, length, origin, write);
}

/** The byte values that occur. */
function usedBytes(bits: BitSource): number[] {
  const used: number[] = [];
  const ranges = bits.take(16);
  for (let high = 0; high < 16; high++) {
    if ((ranges & (0x8000 >> high)) === 0) continue;
    const range = bits.take(16);
    for (let low = 0; low < 16; low++)
      if ((range & (0x8000 >> low)) !== 0) used.push(high * 16 + low);
  }
  if (used.length === 0) damaged("a block without bytes");
  return used;
}

/** Which table codes the next `GROUP` symbols, and the next. */
function readSelectors(bits: BitSource, tableCount: number): Uint8Array {
  const count = bits.take(15);
  if (count === 0) damaged("a block without tables");
  const selectors = new Uint8Array(Math.min(count, MOST_SELECTORS));
  const recent = Array.from({ length: tableCount }, (_, table) => table);
  for (let i = 0; i < count; i++) {
    let at = 0;
    while (bits.take(1) === 1) if (++at >= tableCount) damaged("no such table");
    const [table = 0] = recent.splice(at, 1);
    recent.unshift(table);
    if (i < selectors.length) selectors[i] = table;
  }
  return selectors;
}

/** Undoes Huffman's coding, the run lengths and move-to-front; returns how many bytes the block has. */
function readSymbols(
  bits: BitSource,
  symbols: Uint32Array,
  used: readonly number[],
  selectors: Uint8Array,
  tables: readonly HuffmanTable[],
): number {
  const recent = Uint8Array.from(used);
  const end = used.length + 1;
  let length = 0;
  let run = 0;
  let weight = 1;
  for (let group = 0; ; group++) {
    const table = tables[selectors[group] ?? damaged("too few tables are chosen")] as HuffmanTable;
    for (let i = 0; i < GROUP; i++) {
      const symbol = table.take(bits);
      if (symbol <= 1) {
        run += weight << symbol;
        weight <<= 1;
        if (run > symbols.length) damaged("a block is too long");
        continue;
      }
      if (length + run > symbols.length) damaged("a block is too long");
      symbols.fill(recent[0] as number, length, length + run);
      length += run;
      run = 0;
      weight = 1;
      if (symbol === end) return length;
      const at = symbol - 1;
      const byte = recent[at] as number;
      recent.copyWithin(1, 0, at);
      recent[0] = byte;
      if (length === symbols.length) damaged("a block is too long");
      symbols[length++] = byte;
    }
  }
}
