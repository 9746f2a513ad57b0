import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseInstance, chooseInstances } from "../../src/copy/instances.ts";
import { CopyError } from "../../src/errors.ts";
import { digestOf } from "../../src/image/digest.ts";
import type { ImageList, Instance } from "../../src/image/manifest/manifest.ts";
import { DOCKER_LIST, OCI_INDEX, OCI_MANIFEST } from "../../src/image/media-types.ts";
import { parsePlatform } from "../../src/image/platform.ts";

const host = { os: "linux", architecture: "amd64" };
const code = (expected: string) => (error: unknown) =>
  error instanceof CopyError && error.code === expected;

/** `name=os/arch[/variant][+zstd]`; no platform: `name=`. */
function instance(text: string): Instance {
  const [name = "", rest = ""] = text.split("=");
  const platform = parsePlatform(rest.replace("+zstd", ""));
  return {
    mediaType: OCI_MANIFEST,
    digest: digestOf(Buffer.from(name)),
    size: 1,
    ...(platform !== undefined && { platform }),
    ...(rest.endsWith("+zstd") && {
      annotations: { "io.github.containers.compression.zstd": "true" },
    }),
  };
}
const list = (mediaType: string, ...entries: string[]): ImageList => ({
  mediaType,
  instances: entries.map(instance),
});
const digest = (name: string) => digestOf(Buffer.from(name));

const variants = [
  "a=linux/amd64",
  "v7=linux/arm/v7",
  "v5=linux/arm",
  "v8=linux/arm/v8",
  "own=linux/arm/custom",
  "win=windows/amd64",
];

// after semantics 8.6 and 11.3 C
for (const [kind, entries, choice, expected] of [
  [DOCKER_LIST, variants, { architecture: "amd64" }, "a"],
  [DOCKER_LIST, variants, {}, "a"],
  [DOCKER_LIST, variants, { os: "windows" }, "win"],
  [DOCKER_LIST, variants, { architecture: "arm", variant: "v7" }, "v7"],
  [DOCKER_LIST, variants, { architecture: "arm", variant: "v6" }, "v5"],
  [DOCKER_LIST, variants, { architecture: "arm" }, "v5"],
  [DOCKER_LIST, variants, { architecture: "arm", variant: "custom" }, "own"],
  [DOCKER_LIST, variants, { architecture: "arm", variant: "other" }, "v5"],
  [DOCKER_LIST, ["n=", ...variants], { architecture: "s390x" }, undefined],
  [OCI_INDEX, variants, { architecture: "arm", variant: "v8" }, "v8"],
  [OCI_INDEX, ["n=", ...variants], { architecture: "s390x" }, "n"],
  [OCI_INDEX, ["n=", ...variants], { architecture: "amd64" }, "a"],
  [OCI_INDEX, ["g=linux/amd64", "z=linux/amd64+zstd"], {}, "z"],
  [OCI_INDEX, ["v8g=linux/arm64/v8", "z=linux/arm64+zstd"], { architecture: "arm64" }, "z"],
  [OCI_INDEX, ["n+zstd=", "a=linux/amd64"], {}, "a"],
  [OCI_INDEX, ["x=linux/x86_64"], {}, undefined],
] as const) {
  test(`of ${kind === OCI_INDEX ? "an index" : "a docker list"} [${entries.join(" ")}], ${JSON.stringify(choice)} gets ${expected ?? "nothing"}`, () => {
    if (expected === undefined)
      assert.throws(
        () => chooseInstance(list(kind, ...entries), choice, host),
        code("platform_not_found"),
      );
    else
      assert.equal(chooseInstance(list(kind, ...entries), choice, host).digest, digest(expected));
  });
}

const zstdVariants = [
  "v7z=linux/arm/v7+zstd",
  "v6=linux/arm/v6",
  "v6z=linux/arm/v6+zstd",
  "v5=linux/arm",
  "g=linux/amd64",
  "z=linux/amd64+zstd",
  "z2=linux/amd64+zstd",
  "n=",
];

// semantics 11.3 C
for (const [kind, choice, zstdFirst, gzipFirst] of [
  [OCI_INDEX, { architecture: "amd64" }, "z", "g"],
  [OCI_INDEX, { architecture: "arm", variant: "v7" }, "v7z", "v7z"],
  [OCI_INDEX, { architecture: "arm", variant: "v6" }, "v6z", "v6"],
  [OCI_INDEX, { architecture: "arm", variant: "v5" }, "v5", "v5"],
  [OCI_INDEX, { architecture: "arm" }, "v5", "v5"],
  [OCI_INDEX, { architecture: "s390x" }, "n", "n"],
  [DOCKER_LIST, { architecture: "amd64" }, "g", "g"],
  [DOCKER_LIST, { architecture: "arm", variant: "v6" }, "v6", "v6"],
] as const) {
  test(`of ${kind === OCI_INDEX ? "an index" : "a docker list"} with zstd, ${JSON.stringify(choice)} gets ${zstdFirst}, and ${gzipFirst} where gzip is preferred`, () => {
    const images = list(kind, ...zstdVariants);
    assert.equal(chooseInstance(images, choice, host).digest, digest(zstdFirst));
    assert.equal(chooseInstance(images, choice, host, true).digest, digest(gzipFirst));
  });
}

test("of images without a platform, which are the last resort, zstd comes first, or gzip where it is preferred", () => {
  const mark = { annotations: { "io.github.containers.compression.zstd": "true" } };
  const images = {
    mediaType: OCI_INDEX,
    instances: [instance("g="), { ...instance("z="), ...mark }],
  };
  assert.equal(chooseInstance(images, {}, host).digest, digest("z"));
  assert.equal(chooseInstance(images, {}, host, true).digest, digest("g"));
});

const chosen = (options: Partial<Parameters<typeof chooseInstances>[1]>) =>
  chooseInstances(list(OCI_INDEX, ...variants), {
    imageListSelection: "specific",
    instances: [],
    platforms: [],
    ...options,
  }).map(
    (i) => variants[list(OCI_INDEX, ...variants).instances.findIndex((x) => x.digest === i.digest)],
  );
const platforms = (...texts: string[]) =>
  texts.map((text) => parsePlatform(text) ?? assert.fail(text));

test("all copies every image", () =>
  assert.equal(chosen({ imageListSelection: "all" }).length, variants.length));
test("specific with nothing named copies the list alone", () => assert.deepEqual(chosen({}), []));
test("specific copies what is named, in the list's order", () => {
  assert.deepEqual(chosen({ instances: [digest("win"), digest("a")] }), [
    "a=linux/amd64",
    "win=windows/amd64",
  ]);
});
test("a platform without a variant means all its variants", () => {
  assert.deepEqual(chosen({ platforms: platforms("linux/arm") }), [
    "v7=linux/arm/v7",
    "v5=linux/arm",
    "v8=linux/arm/v8",
    "own=linux/arm/custom",
  ]);
  assert.deepEqual(chosen({ platforms: platforms("linux/arm/v7") }), ["v7=linux/arm/v7"]);
});
test("a platform or a digest that is not in the list is an error that names it", () => {
  assert.throws(() => chosen({ platforms: platforms("linux/s390x") }), code("platform_not_found"));
  assert.throws(() => chosen({ instances: [digest("nothing")] }), code("source_not_found"));
});
