import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatPlatform,
  hostPlatform,
  parsePlatform,
  wantedPlatforms,
} from "../../src/image/platform.ts";

const host = { os: "linux", architecture: "amd64" };
const variants = (choice: Parameters<typeof wantedPlatforms>[0], on = host) =>
  wantedPlatforms(choice, on).map((p) => p.variant ?? "");

// semantics 11.3 G
for (const [name, choice, expected] of [
  ["amd64", { architecture: "amd64" }, [""]],
  ["arm v6", { architecture: "arm", variant: "v6" }, ["v6", "v5", ""]],
  ["arm", { architecture: "arm" }, ["", "v8", "v7", "v6", "v5"]],
  ["arm64", { architecture: "arm64" }, ["", "v8"]],
  ["armel custom", { architecture: "armel", variant: "custom" }, ["custom", ""]],
] as const) {
  test(`wanting ${name} means the variants ${expected.map((v) => v || "none").join(", ")}`, () =>
    assert.deepEqual(variants(choice), expected));
}

test("the host's variant counts only while no architecture is asked for", () => {
  const arm = { os: "linux", architecture: "arm64", variant: "v8" };
  assert.deepEqual(variants({}, arm), ["v8", ""]);
  assert.deepEqual(variants({ architecture: "arm64" }, arm), ["", "v8"]);
});

test("Node's names for machines become Go's", () => {
  assert.deepEqual(hostPlatform("x64", "linux"), { os: "linux", architecture: "amd64" });
  assert.deepEqual(hostPlatform("arm64", "darwin"), {
    os: "darwin",
    architecture: "arm64",
    variant: "v8",
  });
  assert.deepEqual(hostPlatform("arm", "linux", "7"), {
    os: "linux",
    architecture: "arm",
    variant: "v7",
  });
  assert.deepEqual(hostPlatform("s390x", "linux"), { os: "linux", architecture: "s390x" });
});

test("a platform is written os/architecture[/variant]", () => {
  assert.deepEqual(parsePlatform("linux/arm64/v8"), {
    os: "linux",
    architecture: "arm64",
    variant: "v8",
  });
  assert.equal(
    formatPlatform({ os: "linux", architecture: "arm64", variant: "v8" }),
    "linux/arm64/v8",
  );
  for (const bad of ["", "linux", "linux/", "/amd64", "linux/arm64/", "a/b/c/d"])
    assert.equal(parsePlatform(bad), undefined, bad);
});
