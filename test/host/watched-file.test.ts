import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { stampOf, stampOfFolder, Watched } from "../../src/host/watched-file.ts";

const dir = await mkdtemp(join(tmpdir(), "transship-watched-"));
after(() => rm(dir, { recursive: true }));

function watch(path: string): { file: Watched<string>; reads: string[]; faults: unknown[] } {
  const reads: string[] = [];
  const faults: unknown[] = [];
  const load = () => {
    const text = readFileSync(path, "utf8");
    if (text.includes("broken")) throw new Error("broken");
    reads.push(text);
    return text;
  };
  const onFault = (error: unknown) => void faults.push(error);
  return { file: new Watched({ stamp: () => stampOf(path), load, onFault }), reads, faults };
}

test("a file is read once while it stays what it is, and again when it is another", async () => {
  const path = join(dir, "a");
  await writeFile(path, "one");
  const { file, reads, faults } = watch(path);
  assert.deepEqual([file.current, file.current], ["one", "one"]);
  await writeFile(path, "two");
  assert.deepEqual([file.current, file.current], ["two", "two"]);
  await writeFile(join(dir, "new"), "six");
  await rename(join(dir, "new"), path);
  assert.equal(file.current, "six");
  assert.deepEqual(reads, ["one", "two", "six"]);
  assert.deepEqual(faults, []);
});

test("a change that cannot be used is told of once, and what was there before stays", async () => {
  const path = join(dir, "b");
  await writeFile(path, "good");
  const { file, faults } = watch(path);
  await writeFile(path, "broken");
  assert.deepEqual([file.current, file.current], ["good", "good"]);
  assert.equal(faults.length, 1);
  await rm(path);
  assert.equal(file.current, "good");
  assert.equal(faults.length, 2);
  await writeFile(path, "mended");
  assert.equal(file.current, "mended");
  assert.equal(faults.length, 2);
});

test("a change that could not be read for a moment is read when it can be, and told of once", async () => {
  const path = join(dir, "c");
  await writeFile(path, "old");
  let isOut = false;
  const load = () => {
    if (isOut) throw Object.assign(new Error("too many open files"), { code: "EMFILE" });
    return readFileSync(path, "utf8");
  };
  const faults: unknown[] = [];
  const onFault = (error: unknown) => void faults.push(error);
  const file = new Watched({ stamp: () => stampOf(path), load, onFault });
  await writeFile(path, "newer");
  isOut = true;
  assert.deepEqual([file.current, file.current], ["old", "old"]);
  isOut = false;
  assert.equal(file.current, "newer");
  assert.equal(faults.length, 1);
});

test("what cannot be used at the start is an error there", async () => {
  assert.throws(() => watch(join(dir, "nothing")), { code: "ENOENT" });
});

test("a folder is another when a file in it is added, changed, removed, or reached by another link", async () => {
  const folder = join(dir, "folder");
  const stamps = [stampOfFolder(folder)];
  const look = () => stamps.push(stampOfFolder(folder));
  await mkdir(folder);
  look();
  await writeFile(join(folder, "a"), "1");
  look();
  await writeFile(join(folder, "a"), "22");
  look();
  await symlink(join(dir, "a"), join(folder, "b"));
  look();
  await writeFile(join(dir, "a"), `${await readFile(join(dir, "a"), "utf8")} more`);
  look();
  await rm(join(folder, "a"));
  look();
  assert.equal(new Set(stamps).size, stamps.length);
  assert.equal(stampOfFolder(folder), stamps.at(-1));
});
