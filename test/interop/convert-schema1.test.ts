// skopeo is the judge of conversions from and to docker schema 1. The signatures are by random keys: compared is what they sign.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { digestOf } from "../../src/image/digest.ts";
import { editManifest, type ManifestEdit } from "../../src/image/manifest/edit.ts";
import { EMPTY_LAYER } from "../../src/image/manifest/empty-layer.ts";
import { manifestDigest } from "../../src/image/manifest/manifest.ts";
import { parseImage } from "../../src/image/manifest/parse.ts";
import { payloadOf } from "../../src/image/manifest/schema1-signature.ts";
import {
  DOCKER_LAYER,
  OCI_LAYER,
  OCI_MANIFEST,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../../src/image/media-types.ts";
import {
  assertRefused,
  assertSame,
  bySkopeo,
  docker,
  FORMATS,
  gzipped,
  inFolder,
  makeManifest,
  plain,
  type Made,
} from "../support/conversions.ts";
import { missing, skopeo, startDockerRegistry } from "../support/peers.ts";

const skip = missing("skopeo");

/** Three layers, five steps. */
const STEPS = `{ "architecture": "amd64", "os": "linux", "z": 1.0, "y": { "b": [ 1, 2e3 ], "a": "\\u00e9\\/<" }, "\\u00e9": "\u2028",
  "created": "2024-01-03T00:00:00.50Z", "config": { "Cmd": ["a"], "Labels": { "k": "v", "K": "V" } }, "docker_version": "1.10.0",
  "rootfs": { "type": "layers", "diff_ids": [] }, "history": [
    { "created": "2024-01-01T00:00:00.000Z", "created_by": "x<&>", "comment": "c", "author": "z" },
    { "created_by": "e", "empty_layer": true, "created": "2024-01-01T00:00:00.123456789+02:00" },
    { "created": "2024-01-02T00:00:00.1200Z", "created_by": "y" }, { "created_by": "\\u2028" }, { "empty_layer": true } ] }`;
const GZIP_TYPES = Array.from({ length: 3 }, () => `${DOCKER_LAYER}.gzip`);

test(
  "schema 2 becomes the schema 1 that skopeo makes: the same ids, texts and digest",
  { skip },
  async () => {
    const ours = await assertSame(docker(STEPS, GZIP_TYPES), SCHEMA1_SIGNED);
    assert.equal(ours.needsEmptyLayer, true);
  },
);

test("an OCI image becomes the schema 1 that skopeo makes", { skip }, async () => {
  const types = [OCI_LAYER, `${OCI_LAYER}+gzip`, OCI_LAYER];
  await assertSame(makeManifest(OCI_MANIFEST, STEPS, types), SCHEMA1_SIGNED);
});

test(
  "an image without a history, or with too few layers, does not become schema 1",
  { skip },
  async () => {
    await assertRefused(docker("{}", GZIP_TYPES), SCHEMA1_SIGNED, /without a history/);
    await assertRefused(
      docker(STEPS, GZIP_TYPES.slice(1)),
      SCHEMA1_SIGNED,
      /needs more than the 2/,
    );
  },
);

test(
  "the signature of our schema 1 is one that skopeo takes, and its digest is ours",
  { skip },
  async () => {
    const image = docker(STEPS, GZIP_TYPES);
    const { manifest } = editManifest(image.manifest, { mediaType: SCHEMA1_SIGNED }, image.config);
    await using folder = await inFolder({ manifest, blobs: [] });
    const { stdout } = await promisify(execFile)("skopeo", [
      "manifest-digest",
      join(folder.path, "manifest.json"),
    ]);
    assert.equal(stdout.trim(), manifestDigest(manifest));
  },
);

test(
  "a registry that takes schema 1 takes ours, with the signature that it checks, and gives it back under our digest",
  { skip: missing("skopeo", "docker-registry") },
  async () => {
    const image = docker(STEPS, GZIP_TYPES);
    const edit = { mediaType: SCHEMA1_SIGNED, embeddedReference: { repository: "app", tag: "1" } };
    const { manifest } = editManifest(image.manifest, edit, image.config);
    const blobs = [...image.blobs, EMPTY_LAYER.bytes];
    await using registry = await startDockerRegistry(tmpdir(), {
      compatibility: { schema1: { enabled: true } },
    });
    await using folder = await inFolder({ manifest, blobs });
    await skopeo("copy", `dir:${folder.path}`, `docker://${registry.host}/app:1`);
    const digest = manifestDigest(manifest);
    const read = await skopeo("inspect", "--raw", `docker://${registry.host}/app@${digest}`);
    // It signs anew what it gives.
    assert.deepEqual(payloadOf(Buffer.from(read)), payloadOf(manifest.bytes));
    // The registry looks at the signature: one that is not by the key it names is refused.
    const bytes = manifest.bytes.toString().replace(/"signature":"../, '"signature":"AA');
    const forged = { ...manifest, bytes: Buffer.from(bytes) };
    await using other = await inFolder({ manifest: forged, blobs });
    await assert.rejects(
      skopeo("copy", `dir:${other.path}`, `docker://${registry.host}/app:1`),
      /manifest unverified/,
    );
  },
);

/** Schema 1 with that text for its top layer, and what the engine learns of its layers. */
async function schema1(top: string): Promise<Made & { readonly edit: ManifestEdit }> {
  const base = await bySkopeo(docker(STEPS, GZIP_TYPES), SCHEMA1_SIGNED);
  const document = JSON.parse(payloadOf(base.manifest.bytes).toString());
  const { id, parent, throwaway } = JSON.parse(document.history[0].v1Compatibility);
  document.history[0].v1Compatibility =
    JSON.stringify({ id, parent, throwaway }).slice(0, -1) + top;
  const bytes = Buffer.from(JSON.stringify(document));
  const manifest = { mediaType: "", bytes };
  const empty = Buffer.from(base.blobs.find((blob) => blob.length === 32) ?? []);
  const layers = parseImage(manifest).layers.map(({ digest }) => {
    const at = gzipped.findIndex((blob) => digestOf(blob) === digest);
    const [size, content] =
      at < 0 ? [empty.length, Buffer.alloc(1024)] : [gzipped[at]!.length, plain[at]!];
    return { update: { digest, size, operation: "preserve" as const }, diffId: digestOf(content) };
  });
  return {
    manifest,
    config: undefined,
    blobs: [...gzipped, empty],
    edit: {
      layers: layers.map(({ update }) => update),
      diffIds: layers.map(({ diffId }) => diffId),
    },
  };
}

const CONTAINER = `"container_config":{"Hostname":"h","Cmd":["/bin/sh","-c","x"],"Env":null,"Labels":{"b":"<","a":null},"ExposedPorts":{"80":{}}}`;
for (const [what, top] of [
  [
    "of a docker that writes all fields",
    `,"docker_version":"1.9.1","Size":5,"unknown":[ 1.0, "<" ],"created":"2024-01-01T00:00:00.10Z",${CONTAINER},"os":"linux"}`,
  ],
  [
    "of no docker",
    `,"layer_id":"x","parent_id":"y","created":"2024-01-01T00:00:00Z","os":"linux"}`,
  ],
  [
    "of a docker so old that fields are missing",
    `,"docker_version":"1.8.2-dev","unknown":1,"created":"2024-01-01T00:00:00Z","config":{"Cmd":"sh","Entrypoint":[],"Volumes":{"/v":{}},"Healthcheck":{"Test":["a"],"Interval":5},"StopTimeout":0,"OpenStdin":true},${CONTAINER},"architecture":"amd64","comment":"c","author":"a"}`,
  ],
  ["of the oldest docker, with nothing in it", `,"docker_version":"0.1"}`],
] as const) {
  for (const target of [SCHEMA2, OCI_MANIFEST] as const) {
    test(
      `schema 1 ${what} becomes the ${FORMATS[target]} image that skopeo makes`,
      { skip },
      async () => {
        const { edit, ...image } = await schema1(top);
        await assertSame(image, target, edit);
      },
    );
  }
}
