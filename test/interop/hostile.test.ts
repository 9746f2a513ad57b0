// Documents that nobody should read: skopeo refuses what is two things at once, as we do (reliability T19).

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { makeImage } from "../support/images.ts";
import { missing, skopeo } from "../support/peers.ts";
import { useBench } from "../hostile/bench.ts";
import { CONFUSED, list } from "../hostile/documents.ts";
import { honest, withTop } from "../hostile/sources.ts";

const skip = missing("skopeo");
const bench = useBench();
let folders = 0;
const bySkopeo = (source: string): Promise<string> =>
  skopeo("copy", source, `dir:${join(bench().dataDir, `skopeo-${++folders}`)}`);

/** What skopeo takes, and we do not (docs/differences.md). */
const DIFFERENT: ReadonlySet<string> = new Set([
  "layers in another spelling",
  "schema 2 served as OCI",
]);

for (const [name, mediaType, document] of CONFUSED)
  test(`skopeo's verdict is ours: ${name}`, { skip }, async () => {
    const source = await bench().place("docker", withTop(honest(list), mediaType, document));
    if (DIFFERENT.has(name)) await bySkopeo(source);
    else await assert.rejects(bySkopeo(source));
  });

test("skopeo reads what is honest from the same place", { skip }, async () => {
  await bySkopeo(await bench().place("docker", honest(makeImage())));
});
