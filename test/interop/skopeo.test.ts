// skopeo is the judge: what the service copies must be, byte for byte, what skopeo sees at the source, and skopeo must be able to read it.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { digestOf } from "../../src/image/digest.ts";
import { makeImage, makeList, type TestList } from "../support/images.ts";
import { missing, skopeo, startDockerRegistry, type DockerRegistry } from "../support/peers.ts";
import { startRegistry } from "../support/registry.ts";
import { startService, type Service } from "../support/service.ts";

const skip = missing("skopeo", "docker-registry");
const insecure = { tlsVerify: false };
const platforms = [
  { os: "linux", architecture: "amd64" },
  { os: "linux", architecture: "arm64", variant: "v8" },
  { os: "linux", architecture: "arm", variant: "v7" },
];

let service: Service;
let first: DockerRegistry;
let second: DockerRegistry;
let scratch: string;

before(async () => {
  if (skip !== false) return;
  [service, first, second] = await Promise.all([
    startService(),
    startDockerRegistry(),
    startDockerRegistry(),
  ]);
  scratch = await mkdtemp(join(tmpdir(), "transship-interop-"));
});
after(async () => {
  if (skip !== false) return;
  await Promise.all([service, first, second].map((thing) => thing[Symbol.asyncDispose]()));
  await rm(scratch, { recursive: true });
});

/** A list of images for three platforms, put into the first registry by skopeo. */
async function seed(name: string, mediaTypes: "oci" | "docker"): Promise<TestList> {
  const list = makeList(
    platforms.map((platform) =>
      makeImage({ platform, mediaTypes, layers: 3, seed: `${name} ${platform.architecture}` }),
    ),
    mediaTypes,
  );
  await using origin = await startRegistry();
  origin.put("image", "1", list);
  await skopeo(
    "copy",
    "--all",
    "--preserve-digests",
    `docker://${origin.host}/image:1`,
    `docker://${first.host}/${name}:1`,
  );
  return list;
}

async function copied(source: string, destination: string, options: object): Promise<string> {
  const { id } = await service.submit({
    source,
    destination,
    options,
    sourceContext: insecure,
    destinationContext: insecure,
  });
  const job = await service.finished(id);
  assert.equal(job.status, "succeeded", JSON.stringify(job.error));
  return job.result?.manifestDigest ?? "";
}

/** As skopeo names what the service names by a path below its data folder. */
const local = (reference: string) =>
  reference.replace(/^(oci|dir):/, (transport) => `${transport}${service.dataDir}/`);
const raw = (reference: string) => skopeo("inspect", "--raw", local(reference));

test(
  "an index goes from registry to registry, through a layout and a folder and back, and stays the same byte for byte",
  { skip },
  async () => {
    const list = await seed("index", "oci");
    const source = `docker://${first.host}/index:1`;
    const original = await raw(source);
    assert.equal(original, list.manifest.bytes.toString());
    const ways = [
      [source, `docker://${second.host}/index:1`],
      [source, "oci:interop/layout:v1"],
      [source, "dir:interop-dir"],
      ["oci:interop/layout:v1", `docker://${second.host}/from-oci:1`],
      ["dir:interop-dir", `docker://${second.host}/from-dir:1`],
      ["oci:interop/layout:v1", "dir:interop-from-oci"],
      ["dir:interop-dir", "oci:interop/layout:v2"],
      ["oci:interop/layout:v1", "oci:interop-other:v1"],
      ["dir:interop-dir", "dir:interop-again"],
    ] as const;
    for (const [i, [from, to]] of ways.entries()) {
      assert.equal(
        await copied(from, to, { imageListSelection: "all" }),
        list.digest,
        `${from} → ${to}`,
      );
      assert.equal(await raw(to), original, `${from} → ${to}`);
      await skopeo("copy", "--all", local(to), `dir:${join(scratch, String(i))}`);
    }
  },
);

test("a docker manifest list goes from registry to registry as it is", { skip }, async () => {
  const list = await seed("list", "docker");
  const to = `docker://${second.host}/list:1`;
  assert.equal(
    await copied(`docker://${first.host}/list:1`, to, { imageListSelection: "all" }),
    list.digest,
  );
  assert.equal(await raw(to), list.manifest.bytes.toString());
  await skopeo("copy", "--all", to, `dir:${join(scratch, "list")}`);
});

for (const mediaTypes of ["oci", "docker"] as const) {
  test(
    `of a list of ${mediaTypes} images the one that skopeo would choose is chosen`,
    { skip },
    async () => {
      await seed(`choice-${mediaTypes}`, mediaTypes);
      const source = `docker://${first.host}/choice-${mediaTypes}:1`;
      for (const { os, architecture, variant } of [
        { os: "linux", architecture: "arm64" },
        { os: "linux", architecture: "arm", variant: "v7" },
        { os: "linux", architecture: "amd64" },
      ] as { os: string; architecture: string; variant?: string }[]) {
        const to = `docker://${second.host}/choice-${mediaTypes}:${architecture}`;
        const { id } = await service.submit({
          source,
          destination: to,
          sourceContext: {
            ...insecure,
            os,
            architecture,
            ...(variant !== undefined && { variant }),
          },
          destinationContext: insecure,
        });
        assert.equal((await service.finished(id)).status, "succeeded");
        const theirs = `docker://${second.host}/theirs-${mediaTypes}:${architecture}`;
        const override = [
          "--override-os",
          os,
          "--override-arch",
          architecture,
          ...(variant === undefined ? [] : ["--override-variant", variant]),
        ];
        await skopeo("copy", ...override, source, theirs).catch(() =>
          assert.fail("skopeo cannot copy it"),
        );
        assert.equal(await raw(to), await raw(theirs), architecture);
      }
    },
  );
}

test("some images of a list are copied, and the list still names all", { skip }, async () => {
  const list = await seed("some", "oci");
  const to = "oci:interop-some:1";
  assert.equal(
    await copied(`docker://${first.host}/some:1`, to, {
      imageListSelection: "specific",
      platforms: ["linux/arm64"],
    }),
    list.digest,
  );
  const chosen = list.images[1]?.digest;
  await skopeo(
    "copy",
    "--override-arch",
    "arm64",
    "--override-variant",
    "v8",
    local(to),
    `dir:${join(scratch, "some")}`,
  );
  await assert.rejects(
    skopeo("copy", "--override-arch", "amd64", local(to), `dir:${join(scratch, "other")}`),
    "an image was copied that was not asked for",
  );
  assert.ok(chosen !== undefined);
});

test(
  "a docker list goes into an OCI layout as the index that skopeo makes of it",
  { skip },
  async () => {
    await seed("converted", "docker");
    const source = `docker://${first.host}/converted:1`;
    const digest = await copied(source, "oci:interop-converted:1", { imageListSelection: "all" });
    const theirs = `oci:${join(scratch, "converted")}:1`;
    await skopeo("copy", "--all", source, theirs);
    const ours = await raw("oci:interop-converted:1");
    assert.equal(digestOf(Buffer.from(ours)), digest);
    const entries = (list: string) =>
      (JSON.parse(list) as { manifests: { digest: string; platform: object }[] }).manifests;
    const [own, other] = [entries(ours), entries(await skopeo("inspect", "--raw", theirs))];
    assert.deepEqual(
      own.map(({ platform }) => platform),
      other.map(({ platform }) => platform),
    );
    // Older skopeos write a config's variant in another place, so that only an image without one is the same in all of them.
    assert.equal(own[0]?.digest, other[0]?.digest);
    await skopeo("copy", "--all", local("oci:interop-converted:1"), `dir:${join(scratch, "read")}`);
  },
);
