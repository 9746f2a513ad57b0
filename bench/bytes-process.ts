// Blobs over our wires, from one registry to another, hashed on the way, and nothing else: no job, no store, no pipeline,
// nothing that is asked about. One message is one image, its answer says that all is there.

import { createHash } from "node:crypto";
import type { Bytes } from "../src/bytes.ts";
import { dialler } from "../src/host/connector.ts";
import { Slabs } from "../src/transport/docker/wire/slabs.ts";
import { Wires } from "../src/transport/docker/wire/wires.ts";
import { LOOPBACK_TOO } from "../test/support/egress.ts";
import type { Load } from "./bytes.ts";

const never = new AbortController().signal;
const wires = new Wires(
  dialler(LOOPBACK_TOO, { timeout: 10_000, rejectUnauthorized: false }),
  new Slabs(),
);

async function move(from: string, to: string, digest: string, size: number): Promise<void> {
  const url = (path: string) => new URL(path);
  const begun = await wires.exchange(
    { method: "POST", url: url(`${to}/blobs/uploads/`), headers: { "content-length": "0" } },
    never,
  );
  await begun.read(0, never);
  const upload = new URL(String(begun.headers["location"]));
  upload.searchParams.set("digest", digest);
  const read = await wires.exchange(
    { method: "GET", url: url(`${from}/blobs/${digest}`), headers: {}, expects: size },
    never,
  );
  const hash = createHash("sha256");
  const body: Bytes = {
    pour: (sink, signal) =>
      read.pour((chunk, release) => {
        hash.update(chunk);
        sink(chunk, release);
      }, signal),
  };
  const headers = { "content-length": String(size) };
  const stored = await wires.exchange({ method: "PUT", url: upload, headers, body }, never);
  await stored.read(0, never);
  if (stored.status !== 201 || `sha256:${hash.digest("hex")}` !== digest)
    throw new Error(`${digest} was not stored: ${stored.status}`);
}

process.on("message", ({ from, to, blobs, atOnce }: Load) => {
  const left = [...blobs];
  const take = async (): Promise<void> => {
    for (let blob = left.pop(); blob !== undefined; blob = left.pop())
      await move(from, to, blob.digest, blob.size);
  };
  void Promise.all(Array.from({ length: atOnce }, take)).then(() => process.send?.("done"));
});
