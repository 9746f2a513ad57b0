// AUTH_FILE through the whole service: jobs and look-ups that bring no credentials have the operator's, those that ask to be nobody have none.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeImage } from "../support/images.ts";
import { startRegistry } from "../support/registry.ts";
import { startService } from "../support/service.ts";

test("a job without credentials has those of AUTH_FILE, unless it asks to be nobody", async () => {
  const image = makeImage();
  const operator = { username: "operator", password: "o" };
  await using registry = await startRegistry({ auth: { kind: "bearer", ...operator } });
  registry.put("team/app", "v1", image);
  const dir = await mkdtemp(join(tmpdir(), "transship-auth-file-"));
  const path = join(dir, "auth.json");
  const auth = Buffer.from("operator:o").toString("base64");
  await writeFile(path, JSON.stringify({ auths: { [registry.host]: { auth } } }), { mode: 0o600 });
  try {
    await using service = await startService({ env: { AUTH_FILE: path } });
    const reference = `docker://${registry.host}/team/app`;
    const copy = async (sourceContext: object) => {
      const { id } = await service.submit({
        source: `${reference}:v1`,
        destination: `docker://${registry.host}/copies/app:v1`,
        sourceContext: { tlsVerify: false, ...sourceContext },
        destinationContext: { tlsVerify: false },
      });
      return service.finished(id);
    };
    const job = await copy({});
    assert.equal(job.status, "succeeded", JSON.stringify(job.error));
    assert.equal(registry.manifest("copies/app", "v1")?.digest, image.digest);
    const refused = await copy({ auth: {} });
    assert.deepEqual([refused.status, refused.error?.code], ["failed", "source_unauthorized"]);
    for (const [context, status] of [
      [{}, 200],
      [{ auth: {} }, 401],
    ] as const) {
      const answer = await fetch(`${service.url}/v1/tags`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ reference, context: { tlsVerify: false, ...context } }),
      });
      assert.equal(answer.status, status);
    }
  } finally {
    await rm(dir, { recursive: true });
  }
});
