// One auth file given to skopeo and to us: whom does the registry see?

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { parseDockerReference } from "../../src/image/reference/docker.ts";
import type { AccessContext } from "../../src/transport/access.ts";
import { openDockerSource } from "../../src/transport/docker/source.ts";
import { Registries } from "../../src/transport/docker/registries.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { makeImage } from "../support/images.ts";
import { missing } from "../support/peers.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";

const run = promisify(execFile);
const auth = (text: string) => ({ auth: Buffer.from(text).toString("base64") });
const image = makeImage();
let dir = "";
let registry: TestRegistry;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), "transship-auth-file-"));
  registry = await startRegistry({ auth: { kind: "basic", username: "ada", password: "p" } });
  registry.put("team/app", "v1", image);
  for (const [name, script] of [
    ["ada", `echo '{"ServerURL":"x","Username":"ada","Secret":"p"}'`],
    ["nobody", "echo 'credentials not found in native keychain'; exit 1"],
    ["broken", "exit 1"],
  ] as const) {
    await writeFile(
      join(dir, `docker-credential-${name}`),
      `#!/bin/sh\ncat > /dev/null\n${script}\n`,
    );
    await chmod(join(dir, `docker-credential-${name}`), 0o755);
  }
});
after(async () => {
  await registry[Symbol.asyncDispose]();
  await rm(dir, { recursive: true, force: true });
});

/** Whom the registry saw while `act` ran, and whether that was who it lets in. */
async function seenBy(act: () => Promise<unknown>): Promise<string> {
  const start = registry.requests.length;
  const isIn = await act().then(
    () => true,
    () => false,
  );
  const shown = registry.requests
    .slice(start)
    .map(({ headers }) => headers.authorization ?? "")
    .filter((text) => text !== "")
    .map((text) => Buffer.from(text.slice("Basic ".length), "base64").toString())
    // What skopeo says where it knows nobody.
    .filter((text) => text !== ":");
  return `${isIn ? "in" : "out"} as ${[...new Set(shown)].join(", ") || "nobody"}`;
}

const env = () => ({ ...process.env, PATH: `${dir}:${process.env["PATH"]}`, HOME: dir });

const asSkopeo = (path: string) => () =>
  run(
    "skopeo",
    [
      "inspect",
      "--raw",
      "--tls-verify=false",
      "--authfile",
      path,
      `docker://${registry.host}/team/app:v1`,
    ],
    { env: env() },
  );

const asUs = (path: string) => async () => {
  await using registries = new Registries(LOOPBACK_TOO, {}, { keychain: { path, env: env() } });
  const access = { side: "source", tlsVerify: false, registries } as unknown as AccessContext;
  const reference = parseDockerReference(`${registry.host}/team/app:v1`, "");
  const { signal } = new AbortController();
  await using source = await openDockerSource(reference, access, signal);
  await source.getManifest(undefined, signal);
};

const good = auth("ada:p");
for (const [what, make, expected] of [
  ["no entry", () => ({ auths: {} }), "out as nobody"],
  ["the host", (h) => ({ auths: { [h]: good } }), "in as ada:p"],
  ["the host without its port", () => ({ auths: { "127.0.0.1": good } }), "out as nobody"],
  ["a wrong password", (h) => ({ auths: { [h]: auth("ada:x") } }), "out as ada:x"],
  [
    "the repository",
    (h) => ({ auths: { [`${h}/team/app`]: good, [h]: auth("b:x") } }),
    "in as ada:p",
  ],
  ["a namespace", (h) => ({ auths: { [h]: auth("b:x"), [`${h}/team`]: good } }), "in as ada:p"],
  ["half a component", (h) => ({ auths: { [`${h}/tea`]: auth("b:x"), [h]: good } }), "in as ada:p"],
  ["an empty namespace", (h) => ({ auths: { [`${h}/team`]: {}, [h]: good } }), "out as nobody"],
  ["docker's old form", (h) => ({ auths: { [`https://${h}/v1/`]: good } }), "in as ada:p"],
  ["the same with http", (h) => ({ auths: { [`http://${h}`]: good } }), "in as ada:p"],
  [
    "a URL beside the host",
    (h) => ({ auths: { [`https://${h}/v1/`]: auth("b:x"), [h]: good } }),
    "in as ada:p",
  ],
  ["a path without a scheme", (h) => ({ auths: { [`${h}/v1/`]: good } }), "out as nobody"],
  ["zero bytes after the password", (h) => ({ auths: { [h]: auth("ada:p\0\0") } }), "in as ada:p"],
  ["no colon", (h) => ({ auths: { [h]: auth("ada") } }), "out as nobody"],
  ["two colons", (h) => ({ auths: { [h]: auth("ada:p:q") } }), "out as ada:p:q"],
  [
    "a helper",
    (h) => ({ credHelpers: { [h]: "ada" }, auths: { [h]: auth("b:x") } }),
    "in as ada:p",
  ],
  [
    "a helper that knows nobody",
    (h) => ({ credHelpers: { [h]: "nobody" }, auths: { [h]: good } }),
    "out as nobody",
  ],
  [
    "a helper that fails",
    (h) => ({ credHelpers: { [h]: "broken" }, auths: { [h]: good } }),
    "out as nobody",
  ],
  [
    "another host's helper",
    (h) => ({ credHelpers: { x: "broken" }, auths: { [h]: good } }),
    "in as ada:p",
  ],
  ["no base64", (h) => ({ auths: { [h]: { auth: "!" } } }), "out as nobody"],
] as const satisfies readonly (readonly [string, (host: string) => object, string])[])
  test(`${what}: ${expected}, for skopeo as for us`, { skip: missing("skopeo") }, async () => {
    const path = join(dir, "auth.json");
    await writeFile(path, JSON.stringify(make(registry.host)));
    assert.equal(await seenBy(asUs(path)), expected);
    assert.equal(await seenBy(asSkopeo(path)), expected);
  });

test(
  "credsStore is docker's: we ask it, skopeo does not",
  { skip: missing("skopeo") },
  async () => {
    const path = join(dir, "auth.json");
    await writeFile(path, JSON.stringify({ credsStore: "ada" }));
    assert.equal(await seenBy(asUs(path)), "in as ada:p");
    assert.equal(await seenBy(asSkopeo(path)), "out as nobody");
  },
);
