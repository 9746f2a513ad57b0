// The README's examples are tests: each line is run as it stands there, but for the addresses.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { makeImage } from "../support/images.ts";
import { missing } from "../support/peers.ts";
import { startRegistry } from "../support/registry.ts";
import { startService } from "../support/service.ts";

test("the README's curl lines do what it says", { skip: missing("curl") }, async () => {
  await using registry = await startRegistry();
  await using service = await startService();
  const image = makeImage();
  registry.put("team/app", "1.2", image);
  const readme = await readFile(join(import.meta.dirname, "../../README.md"), "utf8");
  const block = /```sh\n([\s\S]+?)```/.exec(readme)?.[1] ?? "";
  const commands = block
    .replaceAll("\\\n", " ")
    .replaceAll("http://127.0.0.1:8080", service.url)
    .replaceAll("docker://registry.example.com", `docker://${registry.host}`)
    .replaceAll('"source":', '"sourceContext": { "tlsVerify": false }, "source":')
    .replaceAll('"reference":', '"context": { "tlsVerify": false }, "reference":')
    .replaceAll(/'\{[^']+\}'/g, (json) => json.replaceAll("\n", " "))
    .split("\n")
    .filter((line) => line.startsWith("curl"));
  assert.equal(commands.length, 10);

  let id = "";
  const run = async (command: string | undefined) =>
    (await promisify(execFile)("sh", ["-c", command ?? ""], { env: { ...process.env, ID: id } }))
      .stdout;
  const [tags, inspect, plan, post, list, wait, events, cancel, retry, manifest] = commands;
  assert.deepEqual((JSON.parse(await run(tags)) as { tags: string[] }).tags, ["1.2"]);
  assert.equal((JSON.parse(await run(inspect)) as { digest: string }).digest, image.digest);
  assert.equal((JSON.parse(await run(plan)) as { blobs: unknown[] }).blobs.length, 3);
  id = (JSON.parse(await run(post)) as { id: string }).id;
  assert.equal((JSON.parse(await run(list)) as { items: { id: string }[] }).items[0]?.id, id);
  await run(wait);
  assert.match(await run(events), /event: succeeded/);
  assert.equal((JSON.parse(await run(wait)) as { status: string }).status, "succeeded");
  assert.equal((JSON.parse(await run(cancel)) as { status: string }).status, "succeeded");
  assert.equal((JSON.parse(await run(retry)) as { code: string }).code, "conflict");
  assert.equal(await run(manifest), image.manifest.bytes.toString());
});
