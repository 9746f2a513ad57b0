// skopeo is the judge of conversions between schema 2 and OCI: manifest and config must be the same bytes, and what it refuses, we refuse.

import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../../src/image/digest.ts";
import { editManifest } from "../../src/image/manifest/edit.ts";
import { parseImage } from "../../src/image/manifest/parse.ts";
import {
  DOCKER_LAYER,
  OCI_LAYER,
  OCI_MANIFEST,
  OCI_NONDISTRIBUTABLE_LAYER,
  SCHEMA2,
} from "../../src/image/media-types.ts";
import {
  assertRefused,
  assertSame,
  bySkopeo,
  docker,
  FORMATS,
  gzipped,
  makeManifest,
  plain,
} from "../support/conversions.ts";
import { missing } from "../support/peers.ts";

const skip = missing("skopeo");
const GZIP_TYPES = Array.from({ length: 3 }, () => `${DOCKER_LAYER}.gzip`);
const DIFF_ID = `sha256:${"d".repeat(64)}`;
const FULL = `{
  "architecture": "amd64", "os": "linux", "os.version": "10.0.1", "os.features": ["win32k"],
  "created": "2024-01-01T00:00:00.120000000+00:00", "author": "a <b> & c\\u2028 \\u00e9 \\/ \\ud83d\\ude00",
  "container": "abc", "container_config": { "Hostname": "h", "Cmd": ["x"] }, "docker_version": "20.10.7", "id": "x", "parent": "sha256:y",
  "config": {
    "Hostname": "h", "Domainname": "", "User": "u", "AttachStdin": true, "Tty": false, "OpenStdin": false,
    "ExposedPorts": { "9/tcp": {}, "80/tcp": { "extra": 1 }, "8080": null }, "Env": ["PATH=/bin", "B=<&>"], "Cmd": ["sh", "-c", "a && b"],
    "Healthcheck": { "Test": ["CMD", "true"], "Interval": 30000000000 }, "ArgsEscaped": true, "Image": "sha256:z",
    "Volumes": { "/b": {}, "/a": {} }, "WorkingDir": "/w", "Entrypoint": ["/e"], "OnBuild": ["RUN x"], "StopTimeout": 3,
    "Labels": { "b": "1", "B": "2", "10": "x", "9": "y", "": "z", "__proto__": "p", "\\u00e9": "<>" }, "StopSignal": "SIGTERM", "Shell": ["/bin/sh"]
  },
  "rootfs": { "type": "layers", "diff_ids": ["${DIFF_ID}"] },
  "history": [
    { "created": "2023-12-31T23:59:59.999999999-07:30", "created_by": "/bin/sh -c #(nop) ADD <file> & more", "comment": "c", "author": "z" },
    { "created": "2024-01-01T00:00:00.500Z", "created_by": "x", "empty_layer": true },
    { "created": "2024-01-01T00:00:00.000Z", "empty_layer": false }
  ],
  "unknown": { "x": [1.0, 1e3] }
}`;

for (const [what, config] of [
  ["all fields that docker writes, and more", FULL],
  ["nothing at all", "{}"],
  [
    "nulls",
    '{"created":null,"config":{"Env":null,"Labels":{"a":null},"Cmd":[null,"x"]},"rootfs":null,"history":[null,{}],"os":null}',
  ],
  ["null where an object is expected", '{"config":null,"history":null,"architecture":null}'],
  [
    "empty maps and lists",
    '{"config":{"Env":[],"Labels":{},"Volumes":{},"ExposedPorts":{},"Cmd":[],"Entrypoint":[]},"rootfs":{"type":"","diff_ids":[]},"history":[]}',
  ],
  [
    "keys in another spelling",
    '{"Created":"2024-01-01T00:00:00Z","ARCHITECTURE":"x","Config":{"user":"u","env":["A"]},"rootFS":{"TYPE":"layers"}}',
  ],
  ["half a surrogate pair", '{"author":"\\ud800x","config":{"Labels":{"\\udfff":"y"}}}'],
  ["a time with a comma and one digit of an hour", '{"created":"2024-01-01T1:00:00,25Z"}'],
  ["a time with ten digits of a second", '{"created":"1900-02-28T00:00:00.1234567891Z"}'],
  ["a time of the year 0", '{"created":"0000-02-29T23:59:59+23:59"}'],
  ["diffIDs that are none", '{"rootfs":{"type":"layers","diff_ids":["zz",null]}}'],
] as const) {
  test(
    `schema 2 with ${what} in its config becomes the OCI image that skopeo makes`,
    { skip },
    async () => {
      await assertSame(docker(config), OCI_MANIFEST);
    },
  );
}

test("a variant is kept; where it is written depends on skopeo's age", { skip }, async () => {
  const image = docker('{"os":"linux","architecture":"arm","variant":"v7","os.version":"1"}');
  const { config } = editManifest(image.manifest, { mediaType: OCI_MANIFEST }, image.config);
  const theirs = await bySkopeo(image, OCI_MANIFEST);
  const read = (bytes: Buffer | undefined) => JSON.parse(bytes?.toString() ?? "");
  assert.deepEqual(read(config?.bytes), read(theirs.config));
});

for (const [what, config] of [
  ["a time that is empty", '{"created":""}'],
  ["a time in small letters", '{"created":"2024-01-01t00:00:00z"}'],
  ["a day that there is not", '{"created":"2023-02-29T00:00:00Z"}'],
  ["a command that is a string", '{"config":{"Cmd":"x"}}'],
  ["a label that is a number", '{"config":{"Labels":{"a":1}}}'],
  ["a port that is a number", '{"config":{"ExposedPorts":{"80":5}}}'],
  ["an architecture that is a number", '{"architecture":5}'],
  ["a list instead of itself", "[]"],
  ["a flag that is a string", '{"config":{"ArgsEscaped":"true"}}'],
] as const) {
  test(`a config with ${what} is refused, as by skopeo`, { skip }, () =>
    assertRefused(docker(config), OCI_MANIFEST, /the config is refused/),
  );
}

test("layers' types and URLs follow from schema 2 to OCI and back", { skip }, async () => {
  const types = [DOCKER_LAYER, `${DOCKER_LAYER}.gzip`, `${DOCKER_LAYER}.gzip`];
  const { manifest, config } = await assertSame(docker(FULL, types), OCI_MANIFEST);
  assert.ok(config);
  const layers = [plain[0], gzipped[1], gzipped[2]] as Buffer[];
  const back = { manifest, config: config.bytes, blobs: [config.bytes, ...layers] };
  await assertSame(back, SCHEMA2);
});

test("a layer type that OCI does not have is refused, as by skopeo", { skip }, () =>
  assertRefused(docker("{}", [SCHEMA2]), OCI_MANIFEST, /no counterpart in OCI/),
);

test(
  "an OCI image becomes the schema 2 image that skopeo makes, with its config as it is",
  { skip },
  async () => {
    const annotations = { b: "<&>", a: "1" };
    const image = makeManifest(
      OCI_MANIFEST,
      FULL,
      [OCI_LAYER, `${OCI_LAYER}+gzip`, OCI_NONDISTRIBUTABLE_LAYER],
      {
        manifest: { annotations, artifactType: "application/x" },
        config: { annotations, data: "e30=" },
        layer: { annotations, platform: { os: "linux", architecture: "amd64" } },
      },
    );
    const ours = await assertSame(image, SCHEMA2);
    assert.equal(ours.config, undefined);
  },
);

for (const [what, type, words] of [
  ["compressed with zstd", `${OCI_LAYER}+zstd`, /zstd/],
  ["encrypted", `${OCI_LAYER}+gzip+encrypted`, /encrypted/],
  ["of an unknown type", "text/plain", /no counterpart/],
] as const) {
  test(`an OCI image with a layer that is ${what} does not become schema 2`, { skip }, () =>
    assertRefused(makeManifest(OCI_MANIFEST, "{}", [type]), SCHEMA2, words),
  );
}

test("an artifact does not become schema 2", { skip }, () =>
  assertRefused(
    makeManifest(OCI_MANIFEST, "{}", ["text/plain"], { config: { mediaType: "application/x" } }),
    SCHEMA2,
    /no container image/,
  ),
);

for (const [what, image, target] of [
  ["schema 2", docker(FULL, GZIP_TYPES), SCHEMA2],
  ["schema 2", docker(FULL, GZIP_TYPES), OCI_MANIFEST],
  [
    "OCI",
    makeManifest(OCI_MANIFEST, FULL, [`${OCI_LAYER}+gzip`], { layer: { annotations: { a: "b" } } }),
    SCHEMA2,
  ],
  [
    "OCI",
    makeManifest(OCI_MANIFEST, FULL, [`${OCI_LAYER}+gzip`], {
      manifest: { annotations: { "<": "b" } },
    }),
    OCI_MANIFEST,
  ],
] as const) {
  test(
    `layers of ${what} that skopeo decompresses for ${FORMATS[target]} get the types that it writes`,
    { skip },
    async () => {
      const layers = parseImage(image.manifest).layers.map((_, i) => ({
        digest: digestOf(plain[i]!),
        size: plain[i]!.length,
        operation: "decompress" as const,
      }));
      await assertSame(image, target, { layers }, "--dest-decompress");
    },
  );
}

test("the judge can tell: another digest of a layer is another manifest", { skip }, async () => {
  const layers = [{ digest: digestOf(Buffer.from("x")), size: 1, operation: "preserve" as const }];
  await assert.rejects(assertSame(docker(FULL), OCI_MANIFEST, { layers }), assert.AssertionError);
});
