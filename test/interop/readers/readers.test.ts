// A part of npm run readers that is quick, and what shows that a reader can fail.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { missing, startDockerRegistry, type DockerRegistry } from "../../support/peers.ts";
import { startRegistry, type TestRegistry } from "../../support/registry.ts";
import { makeSample } from "../../support/samples.ts";
import { startService, type Service } from "../../support/service.ts";
import { EXHIBITS, type Exhibit } from "./exhibits.ts";
import { readBy, readersHere, type Written } from "./readers.ts";
import { writeExhibit } from "./write.ts";

const skip = missing("docker-registry", "skopeo");
const NAMES = [
  "OCI from schema 2",
  "gzip from uncompressed",
  "zstd:chunked from gzip",
  "an index with zstd besides",
  "a layout",
];

let origin: TestRegistry;
let registry: DockerRegistry;
let service: Service;

before(async () => {
  if (skip !== false) return;
  [origin, registry, service] = await Promise.all([
    startRegistry(),
    startDockerRegistry(),
    startService(),
  ]);
});
after(async () => {
  if (skip !== false) return;
  await Promise.all([origin, registry, service].map((thing) => thing[Symbol.asyncDispose]()));
});

const exhibitOf = (name: string): Exhibit =>
  EXHIBITS.find((exhibit) => exhibit.name === name) as Exhibit;

/** What each reader finds wrong, if `change` is what it is told of what was written. */
async function faultsOf(
  exhibit: Exhibit,
  change: (written: Omit<Written, "scratch">) => Omit<Written, "scratch"> = (written) => written,
): Promise<readonly (readonly [string, string | undefined])[]> {
  const written = change(await writeExhibit({ origin, registry, service }, exhibit));
  const faults: (readonly [string, string | undefined])[] = [];
  for (const reader of readersHere().filter((one) => one.reads(exhibit))) {
    const scratch = join(service.dataDir, "scratch");
    faults.push([reader.name, await readBy(reader, reader.program, written, scratch)]);
  }
  return faults;
}

for (const name of NAMES) {
  test(`others read ${name}`, { skip }, async () => {
    const faults = await faultsOf(exhibitOf(name));
    assert.ok(faults.length > 0, "nobody has read it");
    assert.deepEqual(
      faults.filter(([, fault]) => fault !== undefined),
      [],
    );
  });
}

test("a reader tells that other files, or another digest, were written", { skip }, async () => {
  const other = makeSample({ seed: "other" });
  const digest = `sha256:${"0".repeat(64)}`;
  const readers = async (name: string, change: Parameters<typeof faultsOf>[1]) =>
    (await faultsOf(exhibitOf(name), change)).filter(([, fault]) => fault !== undefined);
  const byDigest = await readers("a layout", (written) => ({ ...written, digest }));
  assert.deepEqual(
    byDigest.map(([name]) => name),
    ["skopeo copy, inspect"],
  );
  const byFiles = await readers("a layout", (written) => ({ ...written, source: other }));
  const opening = ["umoci unpack", "containers-storage"];
  assert.deepEqual(
    byFiles.map(([name]) => name),
    readersHere()
      .map(({ name }) => name)
      .filter((name) => opening.includes(name)),
  );
});
