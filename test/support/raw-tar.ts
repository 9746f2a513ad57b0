// Tar archives for tests that are wrong in every way, or odd; those that are right are made by tar.ts.

import { gunzipSync } from "node:zlib";
import { listTar } from "./tar.ts";

export interface TarMember {
  readonly name: string;
  readonly content?: Buffer | string;
  /** The type's letter; default `0`, a file. */
  readonly type?: string;
  readonly linkName?: string;
  readonly mode?: number;
  /** Instead of the content's own size, as the field's twelve bytes. */
  readonly size?: Buffer;
  /** Instead of `ustar`. */
  readonly magic?: string;
  readonly prefix?: string;
}

const octal = (value: number, length: number): string =>
  `${value.toString(8).padStart(length - 1, "0")}\0`;

export function tarHeader(member: TarMember): Buffer {
  const { name, content = "", type = "0", linkName = "", magic = "ustar\x0000" } = member;
  const block = Buffer.alloc(512);
  block.write(name, 0, 100);
  block.write(octal(member.mode ?? 0o644, 8) + octal(0, 8) + octal(0, 8), 100, "latin1");
  block.write(octal(Buffer.byteLength(content), 12) + octal(0, 12), 124, "latin1");
  member.size?.copy(block, 124);
  block.write(`        ${type}`, 148, "latin1");
  block.write(linkName, 157, 100);
  block.write(magic, 257, "latin1");
  block.write(member.prefix ?? "", 345, 155);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 7)} `, 148, "latin1");
  return block;
}

/** The members one after the other, without the blocks of zeros at the end. */
export const tarMembers = (members: readonly TarMember[]): Buffer =>
  Buffer.concat(
    members.flatMap((member) => {
      const content = Buffer.from(member.content ?? "");
      return [tarHeader(member), content, Buffer.alloc((512 - (content.length % 512)) % 512)];
    }),
  );

export const makeTar = (members: readonly TarMember[]): Buffer =>
  Buffer.concat([tarMembers(members), Buffer.alloc(1024)]);

/** One record of a pax header. */
export function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest) + 1;
  while (Buffer.byteLength(`${length}${rest}`) !== length)
    length = Buffer.byteLength(`${length}${rest}`);
  return `${length}${rest}`;
}

/** The content of a member, by its exact name; undefined: there is none. */
export const memberOf = (archive: Buffer, name: string): Buffer | undefined =>
  listTar(archive).find((member) => member.name === name)?.content;

/** The names in an archive, in their order. */
export const namesIn = (archive: Buffer): readonly string[] =>
  listTar(archive).map(({ name }) => name);

/** A layer as it was before it was compressed. */
export const plain = (layer: Buffer): Buffer => gunzipSync(layer);
