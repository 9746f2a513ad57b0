// POST /v1/inspect over real HTTP, against a registry, layouts and folders.

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { writeSchema1 } from "../../src/image/manifest/schema1.ts";
import { manifestDigest } from "../../src/image/manifest/manifest.ts";
import {
  DOCKER_LIST,
  OCI_INDEX,
  OCI_MANIFEST,
  SCHEMA1_SIGNED,
} from "../../src/image/media-types.ts";
import { makeArtifact } from "../support/artifacts.ts";
import { startTestApi, type TestApi } from "../support/api.ts";
import {
  accessTo,
  makeDataDir,
  never,
  openDestination,
  putList,
  write,
} from "../support/folders.ts";
import { makeImage, makeList, type TestImage } from "../support/images.ts";
import { startRegistry } from "../support/registry.ts";

const insecure = { tlsVerify: false };
const amd64 = { os: "linux", architecture: "amd64" };
const CONFIG = {
  created: "2024-05-06T07:08:09.120000000Z",
  author: "somebody",
  docker_version: "27.1",
  config: {
    Env: ["PATH=/bin", "A=b=c"],
    Labels: { version: "1", é: "ü" },
    Entrypoint: ["/bin/app"],
    Cmd: ["--help"],
  },
};
const image = makeImage({ config: CONFIG });
const arm = makeImage({
  platform: { os: "linux", architecture: "arm64", variant: "v8" },
  seed: "arm",
});
const windows = makeImage({
  platform: { os: "windows", architecture: "amd64", "os.version": "10.0.1" },
  seed: "windows",
});

const SUMMARY = {
  os: "linux",
  architecture: "amd64",
  variant: null,
  created: "2024-05-06T07:08:09.12Z",
  author: "somebody",
  dockerVersion: "27.1",
  labels: { version: "1", é: "ü" },
  env: ["PATH=/bin", "A=b=c"],
  entrypoint: ["/bin/app"],
  cmd: ["--help"],
};
const layersOf = ({ layers }: TestImage) =>
  layers.map(({ digest, size, mediaType }) => ({ digest, size, mediaType, annotations: {} }));
const whole = {
  digest: image.digest,
  mediaType: OCI_MANIFEST,
  size: image.manifest.bytes.length,
  platforms: [],
  image: image.digest,
  layers: layersOf(image),
  config: SUMMARY,
  signatures: [],
};

const inspect = (api: TestApi, reference: string, context?: object, more: object = {}) =>
  api.request("POST", "/v1/inspect", {
    body: { reference, ...(context !== undefined && { context }), ...more },
  });

test("an image is told as it is, from a registry, a layout and a folder", async () => {
  await using data = await makeDataDir();
  await using api = await startTestApi({ dataDir: data.path });
  await using registry = await startRegistry();
  registry.put("team/app", "1.2", image);
  await write("oci:layout:1.2", image, accessTo(data.path, "destination"));
  await write("dir:folder", image, accessTo(data.path, "destination"));
  for (const [reference, context] of [
    [`docker://${registry.host}/team/app:1.2`, insecure],
    [`docker://${registry.host}/team/app@${image.digest}`, insecure],
    ["oci:layout:1.2", undefined],
    ["oci:layout:@0", undefined],
    ["dir:folder", undefined],
  ] as const) {
    const { status, body } = await inspect(api, reference, context);
    assert.deepEqual([status, body], [200, whole], reference);
  }
  // Nothing is read that is not asked for.
  assert.equal(registry.requests.filter(({ kind }) => kind === "blobs").length, 2);
});

for (const mediaTypes of ["oci", "docker"] as const)
  test(`a list (${mediaTypes}) is told with its platforms and the image for one of them`, async (t) => {
    await using api = await startTestApi();
    await using registry = await startRegistry();
    const images = [image, arm, windows].map(({ platform }, i) =>
      makeImage({ platform, mediaTypes, seed: `${i}` }),
    );
    const list = makeList(images, mediaTypes);
    registry.put("team/app", "1", list);
    const platform = (i: number, variant: string | null, osVersion: string | null) => ({
      os: images[i]?.platform.os,
      architecture: images[i]?.platform.architecture,
      variant,
      osVersion,
      digest: images[i]?.digest,
    });
    const about = {
      digest: list.digest,
      mediaType: mediaTypes === "oci" ? OCI_INDEX : DOCKER_LIST,
      size: list.manifest.bytes.length,
      platforms: [platform(0, null, null), platform(1, "v8", null), platform(2, null, "10.0.1")],
      signatures: [],
    };
    const ask = async (context: object) => {
      const answer = await inspect(api, `docker://${registry.host}/team/app:1`, {
        ...insecure,
        ...context,
      });
      assert.equal(answer.status, 200);
      return answer.body;
    };
    await t.test("by architecture", async () => {
      const { config, ...rest } = await ask({ os: "linux", architecture: "arm64" });
      const chosen = images[1] as TestImage;
      assert.deepEqual(rest, { ...about, image: chosen.digest, layers: layersOf(chosen) });
      assert.deepEqual((config as typeof SUMMARY).variant, "v8");
    });
    await t.test("by os", async () => {
      const { config } = await ask({ os: "windows", architecture: "amd64" });
      assert.equal((config as typeof SUMMARY).os, "windows");
    });
    await t.test("alone, where it has none for the platform", async () => {
      assert.deepEqual(await ask({ os: "linux", architecture: "s390x" }), {
        ...about,
        image: null,
        layers: [],
        config: null,
      });
    });
  });

test("a list that is kept in a layout is told", async () => {
  await using data = await makeDataDir();
  await using api = await startTestApi({ dataDir: data.path });
  const list = makeList([image, arm]);
  await using destination = await openDestination(
    "oci:layout:1",
    accessTo(data.path, "destination"),
  );
  await putList(destination, list);
  await destination.commit(never);
  const { body } = await inspect(api, "oci:layout:1", amd64);
  assert.deepEqual([body["digest"], body["image"]], [list.digest, image.digest]);
});

test("a docker schema 1 image is told from its top layer's text", async () => {
  await using api = await startTestApi();
  await using registry = await startRegistry();
  const [top, base] = ["a", "b"].map((letter) => letter.repeat(64)) as [string, string];
  const modern = makeImage();
  registry.put("team/app", "modern", modern);
  const blobs = modern.layers.map(({ digest }) => digest);
  const { rootfs: _, ...config } = { ...CONFIG, ...amd64, rootfs: undefined };
  const manifest = writeSchema1({
    name: "team/app",
    tag: "1",
    architecture: "amd64",
    entries: [
      { blobSum: blobs[1]!, v1Compatibility: JSON.stringify({ id: top, parent: base, ...config }) },
      { blobSum: blobs[0]!, v1Compatibility: JSON.stringify({ id: base }) },
    ],
  });
  registry.content.putManifest("team/app", "1", manifest);
  const { status, body } = await inspect(api, `docker://${registry.host}/team/app:1`, insecure);
  assert.equal(status, 200);
  assert.deepEqual(body, {
    digest: manifestDigest(manifest),
    mediaType: SCHEMA1_SIGNED,
    size: manifest.bytes.length,
    platforms: [],
    image: manifestDigest(manifest),
    layers: blobs.map((digest) => ({ digest, size: null, mediaType: null, annotations: {} })),
    config: SUMMARY,
    signatures: [],
  });
});

test("an artifact has layers and no config", async () => {
  await using api = await startTestApi();
  await using registry = await startRegistry();
  const artifact = makeArtifact(image);
  registry.put("team/app", "1", image);
  registry.put("team/app", "sbom", artifact);
  const { status, body } = await inspect(api, `docker://${registry.host}/team/app:sbom`, insecure);
  assert.equal(status, 200);
  assert.equal(body["config"], null);
  assert.equal(body["image"], artifact.digest);
  assert.equal((body["layers"] as unknown[]).length, 1);
});

test("signatures are told by their kind, and believed in nothing", async () => {
  await using data = await makeDataDir();
  await using api = await startTestApi({ dataDir: data.path });
  await write("dir:folder", image, accessTo(data.path, "destination"));
  const sigstore = `\0sigstore-json\n{"mimeType":"a/b","payload":"","annotations":{}}`;
  for (const [i, bytes] of [
    Buffer.from([0x90, 1, 2]),
    Buffer.from(sigstore),
    Buffer.from("\0new\n"),
  ].entries())
    await writeFile(join(data.path, "folder", `signature-${i + 1}`), bytes);
  const { body } = await inspect(api, "dir:folder");
  const unchecked = { identity: null, key: null, accepted: null, reason: null };
  assert.deepEqual(body["signatures"], [
    { kind: "simple", ...unchecked },
    { kind: "sigstore", ...unchecked },
    { kind: "unknown", ...unchecked },
  ]);
});

test("`raw` answers the manifest's bytes, of a list the list's", async () => {
  await using api = await startTestApi();
  await using registry = await startRegistry();
  const list = makeList([image, arm]);
  registry.put("team/app", "1", list);
  const ask = async (reference: string) => {
    const response = await fetch(`${api.url}/v1/inspect`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ reference, context: insecure, raw: true }),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    const header = (name: string) => response.headers.get(name);
    return { bytes, type: header("content-type"), digest: header("docker-content-digest") };
  };
  assert.deepEqual(await ask(`docker://${registry.host}/team/app:1`), {
    bytes: list.manifest.bytes,
    type: OCI_INDEX,
    digest: list.digest,
  });
  assert.deepEqual(await ask(`docker://${registry.host}/team/app@${arm.digest}`), {
    bytes: arm.manifest.bytes,
    type: OCI_MANIFEST,
    digest: arm.digest,
  });
  const page = "<script>alert(1)</script>";
  registry.fail("GET manifests", {
    status: 200,
    body: page,
    headers: { "content-type": "text/html" },
  });
  const { bytes, type } = await ask(`docker://${registry.host}/team/app:1`);
  assert.deepEqual([bytes.toString(), type], [page, "application/octet-stream"]);
});
