// An image that a real engine can run: one static program, made by hand, that says a word and ends.

import { digestOf } from "../../src/image/digest.ts";
import { plainImage, type PlainImage } from "./archives.ts";
import { makeTar } from "./raw-tar.ts";

/** For x86-64 Linux: write(1, text), exit(0). */
function makeProgram(text: string): Buffer {
  const base = 0x400000;
  const start = 64 + 56;
  const code = Buffer.from("b801000000bf01000000be00000000ba000000000f05b83c00000031ff0f05", "hex");
  code.writeUInt32LE(base + start + code.length, 11);
  code.writeUInt32LE(Buffer.byteLength(text), 16);
  const content = Buffer.concat([code, Buffer.from(text)]);
  const size = BigInt(start + content.length);
  const header = Buffer.alloc(start);
  header.write("\x7fELF\x02\x01\x01", "latin1");
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(0x3e, 18);
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(BigInt(base + start), 24);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  // One segment: the whole file, to be read and executed.
  header.writeUInt32LE(1, 64);
  header.writeUInt32LE(5, 68);
  header.writeBigUInt64LE(BigInt(base), 80);
  header.writeBigUInt64LE(BigInt(base), 88);
  header.writeBigUInt64LE(size, 96);
  header.writeBigUInt64LE(size, 104);
  header.writeBigUInt64LE(4096n, 112);
  return Buffer.concat([header, content]);
}

/** Running it prints the text. */
export function makeRunnable(text: string): PlainImage {
  const layers = [
    makeTar([{ name: "say", content: makeProgram(text), mode: 0o755 }]),
    makeTar([{ name: "above", content: "1" }]),
  ];
  const config = Buffer.from(
    JSON.stringify({
      architecture: "amd64",
      os: "linux",
      created: "2024-01-01T00:00:00Z",
      config: { Cmd: ["/say"] },
      rootfs: { type: "layers", diff_ids: layers.map((layer) => digestOf(layer)) },
      history: layers.map(() => ({ created: "2024-01-01T00:00:00Z", created_by: "test" })),
    }),
  );
  return plainImage(config, layers);
}
