import assert from "node:assert/strict";
import { mkdir, realpath, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { CopyError } from "../../src/errors.ts";
import { locate } from "../../src/image/path.ts";
import { confine } from "../../src/transport/paths.ts";
import { makeDataDir } from "../support/folders.ts";

const denied = (error: unknown): boolean =>
  error instanceof CopyError &&
  error.code === "path_denied" &&
  error.context.side === "source" &&
  error.message.includes("name a place below");

test("a path means a place below the data folder", async (t) => {
  const accepted: readonly (readonly [path: string, means: string])[] = [
    ["app", "/data/app"],
    ["team/app", "/data/team/app"],
    ["./app", "/data/app"],
    ["team//app/", "/data/team/app"],
    ["/data/app", "/data/app"],
    ["..app/app..", "/data/..app/app.."],
    ["a…b", "/data/a…b"],
    [".transship-of-mine", "/data/.transship-of-mine"],
    ["team/.transship", "/data/team/.transship"],
    ["a".repeat(255), `/data/${"a".repeat(255)}`],
  ];
  for (const [path, means] of accepted)
    await t.test(path.slice(0, 40), () => assert.equal(locate("/data", path, "source"), means));
});

test("a path that leaves the data folder, or could be read so, is refused", async (t) => {
  const refused: readonly string[] = [
    "/etc",
    "/",
    "/data",
    "/database/app",
    ".",
    "",
    "..",
    "../data/app",
    "a/../../b",
    "a/..",
    ".transship",
    "/data/.transship/image",
    "./.transship//image",
    "/data/../etc",
    "a/%2e%2e/b",
    "a/%2E./b",
    "a%2f..%2fb",
    "..\\b",
    "a\\b",
    "a\0b",
    "a/‥/b",
    "a/․․/b",
    "a/．．/b",
    "a".repeat(256),
    "é".repeat(128),
    "a/".repeat(1100),
  ];
  for (const path of refused)
    await t.test(JSON.stringify(path).slice(0, 40), () =>
      assert.throws(() => locate("/data", path, "source"), denied),
    );
});

test("links inside the data folder are followed, links out of it are refused", async (t) => {
  await using dir = await makeDataDir();
  const at = (...names: string[]) => join(dir.path, ...names);
  await mkdir(at("real", "app"), { recursive: true });
  await mkdir(join(dir.base, "outside"));
  await mkdir(join(dir.base, "data-too"));
  await writeFile(at("file"), "");
  await symlink("real", at("inward"));
  await symlink("../outside", at("outward"));
  await symlink(join(dir.base, "data-too"), at("neighbour"));
  await symlink("nothing", at("dangling"));
  await symlink("../outside/later", at("later"));
  await symlink("round", at("round"));
  await symlink("..", at("real", "up"));
  await symlink(dir.path, join(dir.base, "other-name"));
  const real = await realpath(dir.path);

  const accepted: readonly (readonly [path: string, means: string])[] = [
    ["real/app", "real/app"],
    ["inward/app", "real/app"],
    ["inward/not/yet", "real/not/yet"],
    ["real/up/real/app", "real/app"],
    ["new/place", "new/place"],
  ];
  for (const [path, means] of accepted)
    await t.test(`${path} is ${means}`, async () =>
      assert.equal(await confine(dir.path, at(path), "source"), join(real, means)),
    );
  for (const path of [
    "outward",
    "outward/x",
    "outward/x/y",
    "neighbour/x",
    "dangling",
    "dangling/x",
    "later",
    "later/x",
    "round",
    "round/x",
    "file/x",
    "real/up",
  ]) {
    await t.test(`${path} is refused`, () =>
      assert.rejects(confine(dir.path, at(path), "source"), denied),
    );
  }
  await t.test("the data folder itself may be reached through a link", async () => {
    const root = join(dir.base, "other-name");
    assert.equal(await confine(root, join(root, "real/app"), "source"), join(real, "real/app"));
  });
  await t.test("the data folder may be missing", async () => {
    const root = join(dir.base, "not", "yet");
    assert.equal(
      await confine(root, join(root, "app"), "source"),
      join(await realpath(dir.base), "not/yet/app"),
    );
  });
});
