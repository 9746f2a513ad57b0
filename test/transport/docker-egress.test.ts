import assert from "node:assert/strict";
import { test } from "node:test";
import type { CopyError } from "../../src/errors.ts";
import { parseHosts, parseNetworks } from "../../src/host/egress.ts";
import { makeImage } from "../support/images.ts";
import { startRegistry, type RegistryOptions } from "../support/registry.ts";
import {
  never,
  openDestination,
  openSource,
  putImage,
  readBlob,
  registriesFor,
} from "./docker-setup.ts";

const image = makeImage();
const layer = image.layers[0] ?? assert.fail();
/** The test registry's other origin. */
const denied = parseHosts("localhost");

const isDenied = (side: string) => (error: CopyError) => {
  assert.equal(error.code, "host_denied", String(error));
  assert.equal(error.context.side, side);
  return true;
};

test("a registry that must not be contacted is not, and the error names it and the side", async (t) => {
  await using registry = await startRegistry();
  registry.put("a", "v1", image);
  for (const tlsVerify of [true, false]) {
    const registries = registriesFor(t, {}, { privateNetworks: parseNetworks("10.0.0.0/8") });
    await using source = await openSource(`${registry.host}/a:v1`, { registries, tlsVerify });
    await assert.rejects(source.getManifest(undefined, never), isDenied("source"));
    await using destination = await openDestination(`${registry.host}/b:v1`, {
      registries,
      tlsVerify,
    });
    await assert.rejects(putImage(destination, image), (error: CopyError) => {
      assert.ok(
        error.message.startsWith(`\`${registry.host}\` must not be contacted: it leads to`),
      );
      return isDenied("destination")(error);
    });
  }
  assert.deepEqual(registry.requests, []);
});

const pull = async (host: string, registries: ReturnType<typeof registriesFor>) => {
  await using source = await openSource(`${host}/a:v1`, { registries });
  await source.getManifest(undefined, never);
  await readBlob(source, layer);
};
const push = async (host: string, registries: ReturnType<typeof registriesFor>) => {
  await using destination = await openDestination(`${host}/b:v1`, { registries });
  await putImage(destination, image);
};
const ELSEWHERE: readonly (readonly [
  what: string,
  options: RegistryOptions,
  act: typeof pull,
  side: string,
])[] = [
  ["a blob's redirect", { quirks: ["redirect-blobs"] }, pull, "source"],
  ["an upload's address", { quirks: ["uploads-elsewhere"] }, push, "destination"],
  ["a token service", { auth: { kind: "bearer", realm: "elsewhere" } }, pull, "source"],
];
for (const [what, options, act, side] of ELSEWHERE)
  test(`${what} that must not be contacted is not`, async (t) => {
    await using registry = await startRegistry(options);
    registry.put("a", "v1", image);
    await assert.rejects(act(registry.host, registriesFor(t, {}, { denied })), isDenied(side));
    assert.deepEqual(registry.elsewhere, []);
    if (what !== "a token service") await act(registry.host, registriesFor(t));
    else
      await assert.rejects(act(registry.host, registriesFor(t)), { code: "source_unauthorized" });
    assert.ok(registry.elsewhere.length > 0, "control: it is contacted where it may be");
  });
