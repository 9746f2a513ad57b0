/** CRC-64 of ISO 3309, as tar-split has it. Of 64 bits, its table fills the upper half only. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = BigInt(byte);
  for (let bit = 0; bit < 8; bit++)
    value = (value & 1n) === 1n ? (value >> 1n) ^ 0xd800000000000000n : value >> 1n;
  return Number(value >> 32n);
});

export class Crc64 {
  #low = -1;
  #high = -1;

  update(bytes: Uint8Array): void {
    let low = this.#low;
    let high = this.#high;
    for (let at = 0; at < bytes.length; at++) {
      const entry = TABLE[(low ^ (bytes[at] as number)) & 0xff] as number;
      low = (low >>> 8) | (high << 24);
      high = (high >>> 8) ^ entry;
    }
    this.#low = low;
    this.#high = high;
  }

  /** The highest byte first. */
  digest(): Buffer {
    const bytes = Buffer.alloc(8);
    bytes.writeInt32BE(~this.#high, 0);
    bytes.writeInt32BE(~this.#low, 4);
    return bytes;
  }
}
