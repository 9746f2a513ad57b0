// A name server (RFC 1035) for names of the proof's own: what the machine's resolver hears of them is what a stranger's server may say.

import { createSocket } from "node:dgram";
import { once } from "node:events";

/** The addresses of a name, or the name that it is another word for; called for each question of this type. */
export type Zone = Readonly<Record<string, (type: "A" | "AAAA") => readonly string[]>>;

const TYPES: Readonly<Record<number, "A" | "AAAA">> = { 1: "A", 28: "AAAA" };
const CNAME = 5;

/** Answers on port 53 of all addresses of this machine. */
export async function serveNames(zone: Zone): Promise<AsyncDisposable> {
  const socket = createSocket("udp6");
  socket.on("message", (query, { port, address }) => {
    const answer = answerTo(query, zone);
    if (answer !== undefined) socket.send(answer, port, address);
  });
  socket.bind(53, "::");
  await once(socket, "listening");
  return {
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, "close");
    },
  };
}

function answerTo(query: Buffer, zone: Zone): Buffer | undefined {
  const { name, end } = nameIn(query);
  const type = TYPES[query.readUInt16BE(end)];
  const known = zone[name.toLowerCase()];
  const records = type === undefined || known === undefined ? [] : known(type).map(recordOf);
  const head = Buffer.from(query.subarray(0, 12));
  head.writeUInt16BE(known === undefined ? 0x8583 : 0x8580, 2);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt32BE(0, 8);
  return Buffer.concat([head, query.subarray(12, end + 4), ...records]);
}

function nameIn(query: Buffer): { name: string; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join("."), end: at + 1 };
}

/** For the name that was asked for (a pointer to it), good for no time at all. */
function recordOf(value: string): Buffer {
  const [type, data] = value.includes(":")
    ? [28, ipv6(value)]
    : /^[\d.]+$/.test(value)
      ? [1, Buffer.from(value.split(".").map(Number))]
      : [CNAME, labelsOf(value)];
  const head = Buffer.alloc(12);
  head.writeUInt16BE(0xc00c, 0);
  head.writeUInt16BE(type, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, data]);
}

const labelsOf = (name: string): Buffer =>
  Buffer.concat([
    ...name
      .split(".")
      .map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)])),
    Buffer.from([0]),
  ]);

/** All groups written out, but for one `::`. */
function ipv6(text: string): Buffer {
  const [head = "", tail = ""] = text.split("::", 2);
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const zeros = Array<string>(8 - groups(head).length - groups(tail).length).fill("0");
  const all = [...groups(head), ...zeros, ...groups(tail)];
  return Buffer.from(all.map((group) => group.padStart(4, "0")).join(""), "hex");
}
