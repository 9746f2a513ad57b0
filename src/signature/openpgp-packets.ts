// The packets of an OpenPGP message (RFC 9580, sections 4.2 and 10.3): only what frames a signature and what it is over. OpenPGP.js
// reads messages leniently, and gives no account of what it left out.

import { inflateRawSync, inflateSync, type InputType } from "node:zlib";

interface Packet {
  readonly tag: number;
  readonly body: Buffer;
}

/** What was signed, and the body of the signature packet over it. */
export interface SignedMessage {
  readonly data: Buffer;
  readonly signature: Buffer;
}

const TAGS = { signature: 2, onePass: 4, compressed: 8, marker: 10, literal: 11 } as const;

/** Bytes of a message once it is decompressed; a payload has some hundreds. */
const MESSAGE_LIMIT = 1024 * 1024;

/** Throws an Error for anything but one literal with one signature, compressed once or not at all. */
export function parseSignedMessage(bytes: Buffer): SignedMessage {
  const outer = packetsOf(bytes);
  const [first, ...others] = outer;
  const isCompressed = first?.tag === TAGS.compressed && others.length === 0;
  const packets = isCompressed ? packetsOf(decompress(first.body)) : outer;
  const inside = (tag: number) => packets.filter((packet) => packet.tag === tag);
  const [literal, ...literals] = inside(TAGS.literal);
  const [signature, ...signatures] = inside(TAGS.signature);
  const onePass = inside(TAGS.onePass).length;
  if (literal === undefined || signature === undefined)
    throw new Error("it is not a signed message: it has no literal, or no signature");
  if (literals.length > 0 || signatures.length > 0 || onePass > 1 || packets.length !== 2 + onePass)
    throw new Error("it is more than one signature over one literal");
  return { data: contentOf(literal.body), signature: signature.body };
}

function packetsOf(bytes: Buffer): readonly Packet[] {
  const packets: Packet[] = [];
  for (let at = 0; at < bytes.length;) {
    const { tag, body, end } = packetAt(bytes, at);
    if (tag !== TAGS.marker) packets.push({ tag, body });
    at = end;
  }
  return packets;
}

function packetAt(bytes: Buffer, start: number): Packet & { readonly end: number } {
  const head = bytes[start] ?? 0;
  if ((head & 0x80) === 0) throw new Error("it is not made of OpenPGP packets");
  if (head & 0x40) return { tag: head & 0x3f, ...newBody(bytes, start + 1) };
  const sizes = [1, 2, 4];
  const size = sizes[head & 3];
  const tag = (head >> 2) & 0xf;
  if (size === undefined) return { tag, ...bodyAt(bytes, start + 1, bytes.length - start - 1) };
  if (start + 1 + size > bytes.length) throw cutShort();
  return { tag, ...bodyAt(bytes, start + 1 + size, bytes.readUIntBE(start + 1, size)) };
}

/** Lengths of the new format; a body may come in parts. */
function newBody(bytes: Buffer, start: number): { readonly body: Buffer; readonly end: number } {
  const parts: Buffer[] = [];
  for (let at = start; ;) {
    const first = bytes[at];
    if (first === undefined) throw cutShort();
    const isPart = first >= 224 && first < 255;
    const [size, length] = isPart
      ? [1, 2 ** (first & 0x1f)]
      : first < 192
        ? [1, first]
        : first < 224
          ? [2, ((first - 192) << 8) + (bytes[at + 1] ?? 0) + 192]
          : [5, at + 5 <= bytes.length ? bytes.readUInt32BE(at + 1) : Number.POSITIVE_INFINITY];
    const { body, end } = bodyAt(bytes, at + size, length);
    parts.push(body);
    if (!isPart) return { body: Buffer.concat(parts), end };
    at = end;
  }
}

function bodyAt(bytes: Buffer, start: number, length: number) {
  const end = start + length;
  if (end > bytes.length) throw cutShort();
  return { body: bytes.subarray(start, end), end };
}

const cutShort = (): Error => new Error("an OpenPGP packet is cut short");

function decompress(body: Buffer): Buffer {
  const [algorithm] = body;
  const compressed = body.subarray(1);
  switch (algorithm) {
    case 0:
      return compressed;
    case 1:
      return inflateWhole(inflateRawSync, compressed);
    case 2:
      return inflateWhole(inflateSync, compressed);
    default:
      throw new Error("it is compressed with another algorithm than ZIP and ZLIB");
  }
}

/** Nothing may come after the compressed bytes. */
function inflateWhole(inflate: typeof inflateSync, compressed: Buffer): Buffer {
  const options = { maxOutputLength: MESSAGE_LIMIT, info: true };
  const { buffer, engine } = inflate(compressed as InputType, options) as unknown as {
    readonly buffer: Buffer;
    readonly engine: { readonly bytesWritten: number };
  };
  if (engine.bytesWritten !== compressed.length)
    throw new Error("something comes after its packets");
  return buffer;
}

/** Format, name and time of a literal are signed by nobody. */
function contentOf(literal: Buffer): Buffer {
  const header = 1 + 1 + (literal[1] ?? 0) + 4;
  if (literal.length < header) throw cutShort();
  return literal.subarray(header);
}
