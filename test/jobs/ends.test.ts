import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_CACHE } from "../support/blob-info-cache.ts";
import { openEnds } from "../../src/jobs/ends.ts";
import { Registries } from "../../src/transport/docker/registries.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { accessTo, copyAll, filesBelow, makeDataDir, never, write } from "../support/folders.ts";
import { makeImage } from "../support/images.ts";
import { SPEC } from "../support/jobs.ts";

test("what an order says of its sides reaches the transports", async () => {
  await using dir = await makeDataDir();
  await using registries = new Registries(LOOPBACK_TOO);
  const deps = {
    ...accessTo(dir.path, "source"),
    registries,
    cacheOf: () => NO_CACHE,
    policy: undefined,
  };
  const open = (destination: string, context: object) =>
    openEnds(
      {
        spec: {
          source: "oci:from:v1",
          destination,
          options: SPEC.options,
          sourceContext: { tlsVerify: true, sharedBlobDir: "a" },
          destinationContext: { ...SPEC.destinationContext, ...context },
        },
        tenant: "t",
        secrets: {},
      },
      deps,
      never,
    );
  await write(
    "oci:from:v1",
    makeImage(),
    accessTo(dir.path, "destination", { sharedBlobDir: "a" }),
  );
  {
    await using ends = await open("oci:to:v1", {
      sharedBlobDir: "b",
      acceptUncompressedLayers: true,
    });
    assert.equal(ends.destination.traits.layers, "preserve");
    await copyAll(ends.source, ends.destination);
  }
  const files = await filesBelow(dir.path);
  const inFolder = (name: string) => files.filter((file) => file.startsWith(`${name}/`));
  assert.deepEqual(
    inFolder("b").map((file) => file.slice(2)),
    inFolder("a").map((file) => file.slice(2)),
  );
  assert.deepEqual(inFolder("to"), ["to/index.json", "to/oci-layout"]);
  for (const [context, layers] of [
    [{ dirForceCompress: true }, "compress"],
    [{ dirForceDecompress: true }, "decompress"],
    [{}, "preserve"],
  ] as const) {
    await using ends = await open("dir:folder", context);
    assert.equal(ends.destination.traits.layers, layers);
  }
});
