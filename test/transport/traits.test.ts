// The table of semantics 7.0, as far as a context changes it.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { DestinationTraits } from "../../src/copy/interfaces.ts";
import {
  DOCKER_LIST,
  OCI_INDEX,
  OCI_MANIFEST,
  SCHEMA1,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../../src/image/media-types.ts";
import type { AccessContext } from "../../src/transport/access.ts";
import { accessTo, makeDataDir, openDestination } from "../support/folders.ts";
import { openDestination as openRegistry, registriesFor } from "./docker-setup.ts";

const ROWS: readonly (readonly [
  reference: string,
  context: Partial<AccessContext>,
  expected: Pick<DestinationTraits, "manifestTypes" | "layers" | "keepsForeignLayers">,
])[] = [
  [
    "oci:x:1",
    {},
    { manifestTypes: [OCI_MANIFEST, OCI_INDEX], layers: "compress", keepsForeignLayers: true },
  ],
  [
    "oci:x:1",
    { acceptUncompressedLayers: true },
    { manifestTypes: [OCI_MANIFEST, OCI_INDEX], layers: "preserve", keepsForeignLayers: true },
  ],
  [
    "oci-archive:x:1",
    {},
    { manifestTypes: [OCI_MANIFEST, OCI_INDEX], layers: "compress", keepsForeignLayers: true },
  ],
  [
    "oci-archive:x:1",
    { acceptUncompressedLayers: true },
    { manifestTypes: [OCI_MANIFEST, OCI_INDEX], layers: "preserve", keepsForeignLayers: true },
  ],
  [
    "docker-archive:x:a:1",
    {},
    { manifestTypes: [SCHEMA2], layers: "decompress", keepsForeignLayers: false },
  ],
  [
    "docker-daemon:a:1",
    {},
    { manifestTypes: [SCHEMA2], layers: "preserve", keepsForeignLayers: false },
  ],
  ["dir:x", {}, { manifestTypes: [], layers: "preserve", keepsForeignLayers: false }],
  [
    "dir:x",
    { dirForceCompress: true },
    { manifestTypes: [], layers: "compress", keepsForeignLayers: false },
  ],
  [
    "dir:x",
    { dirForceDecompress: true },
    { manifestTypes: [], layers: "decompress", keepsForeignLayers: false },
  ],
];
for (const [reference, context, expected] of ROWS)
  test(`${reference} with ${JSON.stringify(context)}`, async () => {
    await using dir = await makeDataDir();
    const { traits } = await openDestination(reference, accessTo(dir.path, "destination", context));
    const { manifestTypes, layers, keepsForeignLayers } = traits;
    assert.deepEqual({ manifestTypes, layers, keepsForeignLayers }, expected);
  });

test("docker: takes every type, lists too, in the order of containers/image", async (t) => {
  const { traits } = await openRegistry("a.example/b:1", { registries: registriesFor(t) });
  assert.deepEqual(traits.manifestTypes, [
    OCI_MANIFEST,
    SCHEMA2,
    OCI_INDEX,
    DOCKER_LIST,
    SCHEMA1_SIGNED,
    SCHEMA1,
  ]);
  assert.equal(traits.layers, "compress");
  assert.ok(traits.keepsForeignLayers);
});
