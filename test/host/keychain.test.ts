// The auth file as it changes, and real helper programs: short shell scripts.

import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { askHelper, helperEnvironment } from "../../src/host/credential-helper.ts";
import { Keychain } from "../../src/host/keychain.ts";
import { until } from "../support/peers.ts";

let dir = "";
before(async () => (dir = await mkdtemp(join(tmpdir(), "transship-keychain-"))));
after(() => rm(dir, { recursive: true, force: true }));

const env = () => ({ PATH: `${dir}:${process.env["PATH"]}`, DIR: dir });

async function helper(name: string, script: string): Promise<string> {
  const path = join(dir, `docker-credential-${name}`);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return name;
}

async function write(name: string, document: object | string): Promise<string> {
  const path = join(dir, name);
  await writeFile(
    `${path}.new`,
    typeof document === "string" ? document : JSON.stringify(document),
  );
  await rename(`${path}.new`, path);
  return path;
}

const entry = (text: string) => ({ auth: Buffer.from(text).toString("base64") });

/** Whoever of the processes that helpers have started is still there. */
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test("the file is read again when it changes, and a bad change leaves what was there", async () => {
  const path = await write("auth.json", { auths: { "a.example": entry("one:p") } });
  const faults: string[] = [];
  const keychain = new Keychain({ path, env: {} }, (error) => faults.push(String(error)));
  const find = () => keychain.find("a.example", "x");
  assert.deepEqual(await find(), { username: "one", password: "p" });
  await write("auth.json", { auths: { "a.example": entry("second:p") } });
  assert.deepEqual(await find(), { username: "second", password: "p" });
  await write("auth.json", '{"auths":{"a.example":{"auth":"m4rk3d');
  assert.deepEqual(await find(), { username: "second", password: "p" });
  assert.deepEqual(await find(), { username: "second", password: "p" });
  assert.deepEqual(faults, [`Error: AUTH_FILE names ${path}: it is not JSON`]);
  await rm(path);
  assert.deepEqual(await find(), { username: "second", password: "p" });
  assert.equal(faults.length, 2);
  await write("auth.json", {});
  assert.equal(await find(), undefined);
});

test("a file that is bad from the start is no keychain", async () => {
  const path = await write("bad.json", "[]");
  assert.throws(() => new Keychain({ path, env: {} }, () => {}), /not a JSON object/);
});

test("a helper is asked on stdin, with `get` for its only argument and none of our secrets around it", async () => {
  const name = await helper(
    "ok",
    `read server; echo "$server $# $1" >> "$DIR/asked"; env > "$DIR/env"\necho '{"ServerURL":"x","Username":"ada","Secret":"p"}'`,
  );
  const given = { ...env(), REDIS_URL: "m4rk3d", SECRETS_KEY_FILE: "m4rk3d" };
  const login = await askHelper(name, "a.example:5000", { ...helperEnvironment(given), DIR: dir });
  assert.deepEqual(login, { username: "ada", password: "p" });
  assert.equal(await readFile(join(dir, "asked"), "utf8"), "a.example:5000 1 get\n");
  assert.doesNotMatch(await readFile(join(dir, "env"), "utf8"), /m4rk3d/);
});

for (const [what, script, expected] of [
  ["an identity token", `echo '{"Username":"<token>","Secret":"r"}'`, { identityToken: "r" }],
  ["nothing known", `echo "credentials not found in native keychain"; exit 1`, undefined],
  ["empty credentials", `echo '{"ServerURL":"x"}'`, undefined],
  ["stdin not read", `echo '{"Username":"a","Secret":"p"}'`, { username: "a", password: "p" }],
] as const)
  test(`a helper's answer: ${what}`, async () => {
    assert.deepEqual(await askHelper(await helper("answer", script), "x", env()), expected);
  });

for (const [what, script, message] of [
  [
    "a failure",
    `echo m4rk3d; echo m4rk3d >&2; exit 3`,
    /docker-credential-fails failed for x \(exit 3\)/,
  ],
  ["no JSON", `echo m4rk3d`, /is not a JSON object/],
  ["JSON of another form", `echo '{"Username":7,"Secret":"m4rk3d"}'`, /no `Username` and `Secret`/],
  ["too much", `yes m4rk3d`, /wrote more than/],
] as const)
  test(`a helper's fault is told without its words: ${what}`, async () => {
    await assert.rejects(
      askHelper(await helper("fails", script), "x", env()),
      ({ message: text }: Error) => message.test(text) && !text.includes("m4rk3d"),
    );
  });

test("a helper that is not there, and one that may not be run", async () => {
  await assert.rejects(askHelper("absent", "x", env()), /cannot be run \(ENOENT\)/);
  await chmod(join(dir, `docker-credential-${await helper("closed", "")}`), 0o644);
  await assert.rejects(askHelper("closed", "x", env()), /cannot be run \(EACCES\)/);
});

test("a helper that hangs is ended with all that it has started", async () => {
  const name = await helper(
    "hangs",
    `sleep 600 & echo $! > "$DIR/child"; echo $$ > "$DIR/self"; wait`,
  );
  await assert.rejects(askHelper(name, "x", env(), 1_000), /has not answered after 1000 ms/);
  for (const file of ["self", "child"]) {
    const pid = Number(await readFile(join(dir, file), "utf8"));
    await until(() => !isAlive(pid), 10_000, `${file} is still there`);
  }
});

test("a helper is asked once for some minutes, however many want to know; its failure is not kept", async () => {
  const calls = join(dir, "calls");
  const name = await helper(
    "counted",
    `echo x >> "$DIR/calls"; test -e "$DIR/broken" && exit 1; echo '{"Username":"a","Secret":"p"}'`,
  );
  const path = await write("store.json", { credsStore: name });
  let now = 0;
  const keychain = new Keychain(
    { path, env: env() },
    () => {},
    undefined,
    () => now,
  );
  const count = async () => (await readFile(calls, "utf8")).length / 2;
  await writeFile(join(dir, "broken"), "");
  await assert.rejects(keychain.find("a.example", "x"), { code: "internal" });
  await rm(join(dir, "broken"));
  await Promise.all(Array.from({ length: 20 }, () => keychain.find("a.example", "x")));
  await keychain.find("a.example", "another");
  assert.equal(await count(), 2);
  await keychain.find("b.example", "x");
  assert.equal(await count(), 3);
  now = 300_000;
  await keychain.find("a.example", "x");
  assert.equal(await count(), 4);
});

test("registries.conf says where to look, and in which order; a place that fails is told of only where no other knows", async () => {
  const path = await write("order.json", { auths: { "a.example": entry("file:p") } });
  await helper(
    "first",
    `read server; test "$server" = a.example && echo '{"Username":"first","Secret":"p"}'`,
  );
  await helper("none", `echo "credentials not found in native keychain"; exit 1`);
  await helper("broken", "exit 3");
  for (const [order, expected] of [
    [undefined, "file"],
    [["containers-auth.json", "first"], "file"],
    [["first", "containers-auth.json"], "first"],
    [["none", "broken", "containers-auth.json"], "file"],
    [["none"], undefined],
    [[], undefined],
  ] as const) {
    const keychain = new Keychain(
      { path, env: env() },
      () => {},
      () => order,
    );
    const login = await keychain.find("a.example", "x");
    assert.equal(login && "username" in login ? login.username : undefined, expected);
  }
  for (const name of ["broken", "../first", "a/b"]) {
    const keychain = new Keychain(
      { path: undefined, env: env() },
      () => {},
      () => [name],
    );
    await assert.rejects(keychain.find("a.example", "x"), { code: "internal" });
  }
});
