// A plan is the first half of a copy: what it foretells is what the job then does, and where it is refused, the job is, too.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { CopyPlan } from "../../src/copy/plan.ts";
import type { Problem } from "../../src/jobs/record.ts";
import { SCHEMA2 } from "../../src/image/media-types.ts";
import { makeImage, makeList } from "../support/images.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { startService, type Service } from "../support/service.ts";

let service: Service;
let source: TestRegistry;
let destination: TestRegistry;
let locked: TestRegistry;

before(async () => {
  service = await startService();
  source = await startRegistry();
  destination = await startRegistry();
  locked = await startRegistry({ auth: { kind: "basic", username: "u", password: "p" } });
  for (const mediaTypes of ["oci", "docker"] as const) {
    const images = ["amd64", "arm64", "s390x"].map((architecture) =>
      makeImage({
        mediaTypes,
        platform: { os: "linux", architecture },
        layers: [300_000, 20_000],
        seed: `${mediaTypes} ${architecture}`,
      }),
    );
    source.put(mediaTypes, "list", makeList(images, mediaTypes));
    source.put(mediaTypes, "image", images[0]!);
    source.put(mediaTypes, "real", makeImage({ mediaTypes, layers: 3, seed: mediaTypes }));
    if (mediaTypes === "oci") destination.put("base", "1", images[1]!);
  }
});
after(() =>
  Promise.all([service, source, destination, locked].map((thing) => thing[Symbol.asyncDispose]())),
);

const insecure = { tlsVerify: false };
const contextsOf = (job: { source: string; destination: string }) => ({
  ...(job.source.startsWith("docker:") && { sourceContext: insecure }),
  ...(job.destination.startsWith("docker:") && { destinationContext: insecure }),
});

async function plan<T>(job: object): Promise<{ status: number; body: T }> {
  const response = await fetch(`${service.url}/v1/plans`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(job),
  });
  return { status: response.status, body: (await response.json()) as T };
}

/** `{source}`, `{destination}` and `{locked}` stand for the registries. */
const named = (reference: string): string =>
  reference
    .replace("{source}", source.host)
    .replace("{destination}", destination.host)
    .replace("{locked}", locked.host);

const COPIES: readonly (readonly [what: string, from: string, to: string, options?: object])[] = [
  ["an image", "docker://{source}/oci:image", "docker://{destination}/app:1"],
  ["the image again", "docker://{source}/oci:image", "docker://{destination}/app:2"],
  ["the image to another repository", "docker://{source}/oci:image", "docker://{destination}/b:1"],
  ["an image within a registry", "docker://{source}/oci:image", "docker://{source}/mirror:1"],
  [
    "a list of which an image is there",
    "docker://{source}/oci:list",
    "docker://{destination}/base:2",
    { imageListSelection: "all" },
  ],
  [
    "a docker list",
    "docker://{source}/docker:list",
    "docker://{destination}/docker:1",
    { imageListSelection: "all" },
  ],
  [
    "the image of a list for the platform",
    "docker://{source}/docker:list",
    "docker://{destination}/one:1",
  ],
  [
    "parts of a list",
    "docker://{source}/oci:list",
    "oci:parts:1",
    { imageListSelection: "specific", platforms: ["linux/s390x"] },
  ],
  ["an image into a layout", "docker://{source}/oci:real", "oci:layout:1"],
  ["the image into the layout again", "docker://{source}/oci:real", "oci:layout:2"],
  ["a docker image into a layout", "docker://{source}/docker:real", "oci:converted:1"],
  ["an image into a folder", "docker://{source}/oci:image", "dir:folder"],
  ["a layout into a registry", "oci:layout:1", "docker://{destination}/from-layout:1"],
  [
    "an image that becomes docker's",
    "docker://{source}/oci:real",
    "docker://{destination}/as-docker:1",
    { forceManifestMimeType: SCHEMA2 },
  ],
  [
    "a tag that is left alone",
    "docker://{source}/docker:image",
    "docker://{destination}/app:1",
    { ifTagExists: "skip" },
  ],
  [
    "an image that is there, by its manifest",
    "docker://{source}/oci:image",
    "docker://{destination}/app:1",
    { optimizeDestinationImageAlreadyExists: true },
  ],
];

for (const [what, from, to, options = {}] of COPIES)
  test(`${what}: it is copied as planned`, async () => {
    const ends = { source: named(from), destination: named(to) };
    const job = { ...ends, options, ...contextsOf(ends) };
    const { status, body } = await plan<CopyPlan>(job);
    assert.equal(status, 200, JSON.stringify(body));
    const done = await service.finished((await service.submit(job)).id);
    assert.equal(done.status, "succeeded", JSON.stringify(done.error));
    assert.equal(done.result?.sourceDigest, body.source.digest);
    const { bytesCopied } = done.result;
    const { toCopy } = body.bytes;
    assert.ok(Math.abs(bytesCopied - toCopy) <= toCopy / 100, `${bytesCopied}, not ${toCopy}`);
    const count = (...wanted: readonly string[]) =>
      body.blobs.filter(({ action }) => wanted.includes(action)).length;
    const { blobsMounted, blobsCopied } = done.progress;
    assert.deepEqual([blobsMounted, blobsCopied], [count("mount"), count("copy", "recompress")]);
  });

const none = `sha256:${"0".repeat(64)}`;
const REFUSED: readonly (readonly [
  code: string,
  status: number,
  from: string,
  to: string,
  options?: object,
])[] = [
  ["source_not_found", 404, "docker://{source}/oci:none", "docker://{destination}/x:1"],
  ["source_not_found", 404, "docker://{source}/none:1", "docker://{destination}/x:1"],
  ["source_not_found", 404, "oci:layout:none", "docker://{destination}/x:1"],
  [
    "source_not_found",
    404,
    "docker://{source}/oci:list",
    "docker://{destination}/x:1",
    { imageListSelection: "specific", instances: [none] },
  ],
  [
    "platform_not_found",
    404,
    "docker://{source}/oci:list",
    "docker://{destination}/x:1",
    { imageListSelection: "specific", platforms: ["plan9/386"] },
  ],
  ["source_unauthorized", 401, "docker://{locked}/app:1", "docker://{destination}/x:1"],
  ["destination_unauthorized", 401, "docker://{source}/oci:image", "docker://{locked}/x:1"],
  [
    "tag_exists",
    409,
    "docker://{source}/docker:image",
    "docker://{destination}/app:1",
    { ifTagExists: "fail" },
  ],
  [
    "digest_not_preserved",
    422,
    "docker://{source}/docker:image",
    `docker://{destination}/x@${none}`,
  ],
  ["host_denied", 422, "docker://169.254.169.254/app:1", "docker://{destination}/x:1"],
];

for (const [code, status, from, to, options = {}] of REFUSED)
  test(`${code}: ${from} to ${to} is refused as planned`, async () => {
    const ends = { source: named(from), destination: named(to) };
    const job = { ...ends, options, ...contextsOf(ends), attempts: 1 };
    const planned = await plan<Problem>(job);
    const { error } = await service.finished((await service.submit(job)).id);
    // A plan always looks at the destination's tag first, so the request that is refused may be another one.
    const about = (problem: Problem | null) =>
      problem && [problem.code, problem.status, problem.side, problem.registry];
    assert.deepEqual([planned.status, planned.body.code], [status, code]);
    assert.deepEqual(about(planned.body), about(error));
  });
