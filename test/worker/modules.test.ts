// What a worker has in memory before a job wants it.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

const SOURCE = join(import.meta.dirname, "../../src");

/** Modules that only some jobs need, or the API alone. */
const HEAVY = ["openpgp", "typebox", "fastify", "@fastify/swagger", "libdeflate"];

/** Prints the addresses of all modules that come with one, of whatever kind. */
const TELL = `
import { registerHooks } from "node:module";
const urls = [];
registerHooks({ load: (url, context, next) => (urls.push(url), next(url, context)) });
await import(process.argv[1]);
console.log(JSON.stringify(urls));
process.exit();`;

async function heavyIn(file: string): Promise<readonly string[]> {
  const module = ["--input-type=module", "-e", TELL, join(SOURCE, file)];
  const { stdout } = await promisify(execFile)(process.execPath, module);
  const urls = JSON.parse(stdout) as readonly string[];
  assert.ok(urls.some((url) => url.endsWith(file)));
  return HEAVY.filter((name) => urls.some((url) => url.includes(`/node_modules/${name}/`)));
}

test("a worker loads what only some jobs need when one of them does", async () => {
  assert.deepEqual(await heavyIn("worker/main.ts"), []);
});

test("the check sees what is loaded", async () => {
  assert.deepEqual(await heavyIn("signature/openpgp.ts"), ["openpgp"]);
  assert.deepEqual(await heavyIn("api/server.ts"), ["typebox", "fastify", "@fastify/swagger"]);
});
