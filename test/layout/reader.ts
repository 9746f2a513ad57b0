// A process that reads a layout again and again while others write it, and knows nothing of our code: is its index whole at every moment,
// and is all there that it names? Started by storm.ts with fork(); told to stop by any message, it sends what it saw.

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";

export interface Seen {
  reads: number;
  /** Moments at which index.json was gone or was no index. */
  unreadable: number;
  /** Moments at which it named something that was not there, or not whole. */
  dangling: number;
  /** Images that were there, and then were not. */
  vanished: number;
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

const folder = process.argv[2] ?? "";
const seen: Seen = { reads: 0, unreadable: 0, dangling: 0, vanished: 0 };
/** Digests of manifests that were whole with all that they name: what has a digest does not change. */
const known = new Set<string>();
let going = true;
process.once("message", () => (going = false));

async function blob({ digest, size }: Descriptor): Promise<Buffer> {
  const [algorithm = "", hex = ""] = digest.split(":");
  const bytes = await readFile(join(folder, "blobs", algorithm, hex));
  const actual = createHash(algorithm).update(bytes).digest("hex");
  if (actual !== hex || bytes.length !== size) throw new Error(`${digest} is not whole`);
  return bytes;
}

async function look(): Promise<void> {
  const text = await readFile(join(folder, "index.json"), "utf8").catch(() => undefined);
  // Nobody has written yet.
  if (text === undefined && seen.reads === 0) return;
  seen.reads++;
  let entries: readonly Descriptor[];
  try {
    ({ manifests: entries } = JSON.parse(text ?? "") as { manifests: readonly Descriptor[] });
    if (!Array.isArray(entries)) throw new Error("this is no index");
  } catch {
    seen.unreadable++;
    return;
  }
  const now = new Set(entries.map(({ digest }) => digest));
  for (const digest of known) if (!now.has(digest) && known.delete(digest)) seen.vanished++;
  for (const entry of entries.filter(({ digest }) => !known.has(digest))) {
    try {
      const { config, layers } = JSON.parse((await blob(entry)).toString()) as {
        config: Descriptor;
        layers: readonly Descriptor[];
      };
      for (const named of [config, ...layers]) await blob(named);
      known.add(entry.digest);
    } catch {
      seen.dangling++;
    }
  }
}

while (going) {
  await look();
  await setTimeout(1);
}
process.send?.(seen);
process.disconnect?.();
