// Tags that must not be overwritten, and may not be looked at: registries answer 403 for what is there, and for what is not.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Code } from "../../src/codes.ts";
import type { CopyOptions } from "../../src/copy/options.ts";
import type { CopyError } from "../../src/errors.ts";
import { makeImage } from "../support/images.ts";
import type { Quirk } from "../support/registry-quirks.ts";
import type { Fault } from "../support/registry-http.ts";
import { startRegistry } from "../support/registry.ts";
import { copyBetween, registriesFor, type Access } from "./docker-setup.ts";

const image = makeImage();
const other = makeImage({ seed: "other" });

interface Place {
  readonly quirks: readonly Quirk[];
  /** What `b` has in it before. */
  readonly tags: readonly string[];
  /** What the list of tags is answered with. */
  readonly list?: Fault;
}

async function start(t: TestContext, { quirks, tags, list }: Place) {
  const [plain, registry] = await Promise.all([startRegistry(), startRegistry({ quirks })]);
  t.after(() => Promise.all([plain[Symbol.asyncDispose](), registry[Symbol.asyncDispose]()]));
  plain.put("a", "v1", image);
  for (const tag of tags) registry.put("b", tag, other);
  if (list !== undefined) registry.fail("GET tags", list);
  const registries = registriesFor(t, { retryMs: 1, breakMs: 1 });
  const copy = (ifTagExists: CopyOptions["ifTagExists"], more: Partial<CopyOptions> = {}) =>
    copyBetween(`${plain.host}/a:v1`, `${registry.host}/b:v1`, (): Access => ({ registries }), {
      ifTagExists,
      ...more,
    });
  return { registry, copy };
}

/** Who may push but not look; what is not there is hidden (GitLab, Artifactory). */
const PUSH_ONLY = ["push-only"] as const;
const HIDING = ["hides-missing"] as const;
const TABLE: readonly (readonly [string, Place, Code | "copied", RegExp | undefined])[] = [
  [
    "the tag is listed",
    { quirks: PUSH_ONLY, tags: ["v1"] },
    "destination_unauthorized",
    /the tag `v1` exists, .*: use a credential that may pull/,
  ],
  [
    "the tags may not be listed",
    { quirks: PUSH_ONLY, tags: ["v1"], list: { status: 403 } },
    "destination_unauthorized",
    /whether the tag `v1` exists could not be found out: .*a credential that may pull/,
  ],
  [
    "the tags may be listed by nobody",
    { quirks: PUSH_ONLY, tags: ["v1"], list: { status: 405 } },
    "destination_unauthorized",
    /could not be found out/,
  ],
  [
    "the repository is hidden, too",
    { quirks: HIDING, tags: [] },
    "destination_unauthorized",
    /could not be found out/,
  ],
  [
    "the list fails for the moment",
    { quirks: PUSH_ONLY, tags: ["v1"], list: { status: 503 } },
    "registry_unavailable",
    undefined,
  ],
  ["the tag is not listed", { quirks: PUSH_ONLY, tags: ["v2"] }, "copied", undefined],
  ["there is nothing of that name", { quirks: HIDING, tags: ["v2"] }, "copied", undefined],
  ["there is no repository", { quirks: PUSH_ONLY, tags: [] }, "copied", undefined],
];
for (const ifTagExists of ["fail", "skip"] as const)
  for (const [where, place, expected, words] of TABLE)
    test(`with ifTagExists ${ifTagExists}, a tag that may not be looked at, where ${where}: ${expected}`, async (t) => {
      const { registry, copy } = await start(t, place);
      const before = registry.manifest("b", "v1")?.digest;
      if (expected === "copied") {
        await copy(ifTagExists);
        assert.equal(registry.manifest("b", "v1")?.digest, image.digest);
        return;
      }
      await assert.rejects(copy(ifTagExists), (error: CopyError) => {
        assert.deepEqual([error.code, error.context.side], [expected, "destination"]);
        assert.match(error.message, words ?? /./);
        return true;
      });
      assert.equal(registry.manifest("b", "v1")?.digest, before, "it is as it was");
      const writes = registry.requests.filter(
        ({ method }) => method !== "GET" && method !== "HEAD",
      );
      assert.deepEqual(writes, []);
    });

for (const optimizeDestinationImageAlreadyExists of [false, true])
  test(`a tag that may be overwritten needs no looking at, ${optimizeDestinationImageAlreadyExists ? "though it is looked at" : "nor is it"}`, async (t) => {
    const { registry, copy } = await start(t, { quirks: PUSH_ONLY, tags: ["v1"] });
    await copy("overwrite", { optimizeDestinationImageAlreadyExists });
    assert.equal(registry.manifest("b", "v1")?.digest, image.digest);
    const lists = registry.requests.filter(({ path }) => path.endsWith("/tags/list"));
    assert.deepEqual(lists, [], "nobody needs to know");
  });

test("a manifest that is too large to be read is there all the same", async (t) => {
  const { registry, copy } = await start(t, { quirks: ["no-docker-content-digest"], tags: ["v1"] });
  registry.fail("GET manifests", { status: 200, body: " ".repeat(5 * 1024 * 1024) });
  await assert.rejects(copy("fail"), { code: "tag_exists" });
  assert.equal(registry.manifest("b", "v1")?.digest, other.digest);
  await copy("overwrite", { optimizeDestinationImageAlreadyExists: true });
  assert.equal(registry.manifest("b", "v1")?.digest, image.digest);
});
