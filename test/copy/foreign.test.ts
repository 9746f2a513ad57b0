// Layers that are kept elsewhere, through the whole engine (semantics 4.3): which are copied, and that a host which lies is found out.

import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { NO_CACHE } from "../support/blob-info-cache.ts";
import { copyImage } from "../../src/copy/copy.ts";
import type { Report } from "../../src/copy/progress.ts";
import { LocalSemaphore } from "../../src/copy/semaphore.ts";
import type { Code } from "../../src/codes.ts";
import { digestOf, hexOf } from "../../src/image/digest.ts";
import {
  accessTo,
  filesBelow,
  makeDataDir,
  never,
  openDestination,
  openSource,
  write,
} from "../support/folders.ts";
import { startHost } from "../support/host.ts";
import { makeImage, type TestImage } from "../support/images.ts";
import { DEFAULTS } from "../support/options.ts";
import { registriesFor } from "../transport/docker-setup.ts";

const NONDISTRIBUTABLE = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";

/** The image with its first layer kept elsewhere. */
function withForeignLayer(image: TestImage, urls: readonly string[]): TestImage {
  const document = JSON.parse(image.manifest.bytes.toString()) as { layers: object[] };
  document.layers[0] = { ...image.layers[0], mediaType: NONDISTRIBUTABLE, urls };
  const bytes = Buffer.from(JSON.stringify(document));
  return { ...image, manifest: { ...image.manifest, bytes }, digest: digestOf(bytes) };
}

/** Copies a layout without that layer to `to`, from a host that answers so. */
async function copyForeign(
  t: TestContext,
  to: string,
  answer: RequestListener,
  downloadForeignLayers = false,
) {
  const host = await startHost(t, { "/layer": answer });
  const image = withForeignLayer(makeImage(), [`http://${host.address}/layer`]);
  const layer = image.layers[0] ?? assert.fail();
  const dir = await makeDataDir();
  t.after(() => dir[Symbol.asyncDispose]());
  await write("oci:from:v1", image, accessTo(dir.path, "destination"));
  await rm(join(dir.path, "from/blobs/sha256", hexOf(layer.digest)));
  const registries = registriesFor(t, { stallMs: 1000 });
  await using source = await openSource(
    "oci:from:v1",
    accessTo(dir.path, "source", { registries }),
  );
  await using destination = await openDestination(to, accessTo(dir.path, "destination"));
  const events: Parameters<Report>[0][] = [];
  const copied = copyImage(
    {
      source,
      destination,
      platform: {},
      host: { os: "linux", architecture: "amd64" },
      compression: {},
      cache: NO_CACHE,
    },
    { ...DEFAULTS, downloadForeignLayers },
    { blobs: new LocalSemaphore(6), report: (event) => events.push(event), signal: never },
  );
  const outcome = await copied.then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  );
  // What a failed copy has built goes with its destination.
  await destination[Symbol.asyncDispose]();
  const files = (await filesBelow(dir.path)).filter((file) => !file.startsWith("from/"));
  return { outcome, events, files, image, layer, dir, asked: host.requests.length };
}

const bytesOf = (image: TestImage): Buffer =>
  image.blobs.get(image.layers[0]?.digest ?? assert.fail()) ?? assert.fail();
const truth: RequestListener = (_, response) => response.end(bytesOf(makeImage()));

for (const [to, download, isCopied] of [
  ["oci:to:v1", false, false],
  ["oci:to:v1", true, true],
  ["dir:to", false, true],
  ["dir:to", true, true],
] as const)
  test(`to ${to}, downloadForeignLayers ${download}: the layer is ${isCopied ? "copied" : "left where it is"}`, async (t) => {
    const { outcome, events, files, image, layer, dir, asked } = await copyForeign(
      t,
      to,
      truth,
      download,
    );
    assert.ok("result" in outcome, String(Object.values(outcome)[0]));
    assert.equal(outcome.result.digest, image.digest);
    assert.equal(asked, isCopied ? 1 : 0);
    const file = files.find((name) => name.endsWith(hexOf(layer.digest)));
    assert.equal(file !== undefined, isCopied);
    if (file !== undefined) assert.deepEqual(await readFile(join(dir.path, file)), bytesOf(image));
    const skipped = events.filter(
      (event) => event.type === "blob-skipped" && event.reason === "foreign",
    );
    assert.equal(skipped.length, isCopied ? 0 : 1);
  });

const LIES: readonly (readonly [what: string, answer: RequestListener, code: Code])[] = [
  [
    "other bytes of the same size",
    (_, response) => response.end(Buffer.alloc(bytesOf(makeImage()).length)),
    "digest_mismatch",
  ],
  ["a byte less", (_, response) => response.end(bytesOf(makeImage()).subarray(1)), "size_mismatch"],
  ["nothing", (_, response) => response.end(), "size_mismatch"],
  [
    "no end",
    (_, response) => {
      const send = (): void => {
        while (response.write(Buffer.alloc(65_536)));
        if (!response.destroyed) response.once("drain", send);
      };
      send();
    },
    "size_mismatch",
  ],
];
for (const [what, answer, code] of LIES)
  test(`a host that sends ${what} is found out, and nothing is to be seen at the destination`, async (t) => {
    const { outcome, files } = await copyForeign(t, "dir:to", answer);
    assert.ok("error" in outcome);
    const { code: actual, context } = outcome.error as { code: Code; context: { side?: string } };
    assert.deepEqual([actual, context.side], [code, "source"]);
    assert.deepEqual(files, []);
  });
