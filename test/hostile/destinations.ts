// Where hostile images are copied to, and what is to be seen there.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { digestOf, parseDigest } from "../../src/image/digest.ts";
import { filesBelow } from "../support/folders.ts";
import type { TestRegistry } from "../support/registry.ts";

export interface Place {
  readonly dataDir: string;
  readonly registry: TestRegistry;
}

/** What the destination reference shows to whoever looks at it: an image, or nothing. */
export async function shownAt(reference: string, { dataDir, registry }: Place): Promise<string> {
  const [transport = "", rest = ""] = reference.split(/:(?:\/\/)?(.*)/s);
  if (transport === "docker") {
    const [, repository = "", tag = ""] = /^[^/]+\/(.*):([^:]*)$/.exec(rest) ?? [];
    return registry.manifest(repository, tag)?.digest ?? "nothing";
  }
  const [name = ""] = rest.split(":");
  if (transport === "oci") return hashOf(join(dataDir, name, "index.json"));
  if (transport === "dir") {
    const folder = join(dataDir, name);
    const files = await filesBelow(folder).catch(() => []);
    const hashes = await Promise.all(
      files.map(async (file) => `${file} ${await hashOf(join(folder, file))}`),
    );
    return hashes.join("\n") || "nothing";
  }
  return hashOf(join(dataDir, name));
}

/**
 * Nothing unfinished and nothing under a wrong name is in the data folder. (A registry sees to that itself; a session whose POST was cut
 * off before its answer came cannot be given back, and lapses.)
 */
export async function assertClean(
  { dataDir }: Pick<Place, "dataDir">,
  sources = "from-",
): Promise<void> {
  const files = (await filesBelow(dataDir)).filter((file) => !file.startsWith(sources));
  assert.deepEqual(
    files.filter((file) => /\.tmp|(^|\/)\.[^/]/.test(file)),
    [],
    "a temporary file is left",
  );
  for (const file of files) {
    const named = /blobs\/(sha\d+)\/([0-9a-f]+)$/.exec(file);
    if (named === null) continue;
    const name = parseDigest(`${named[1]}:${named[2]}`);
    const [algorithm] = (name ?? "sha256").split(":") as ["sha256"];
    assert.equal(digestOf(await readFile(join(dataDir, file)), algorithm), name, file);
  }
}

async function hashOf(path: string): Promise<string> {
  const bytes = await readFile(path).catch(() => readlink(path).catch(() => undefined));
  return bytes === undefined ? "nothing" : createHash("sha256").update(bytes).digest("hex");
}
