// Whose credentials a request carries: the client's, the operator's, nobody's.

import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { parseDockerReference } from "../../src/image/reference/docker.ts";
import type { AccessContext } from "../../src/transport/access.ts";
import { Registries, type RegistryFiles } from "../../src/transport/docker/registries.ts";
import { listDockerTags } from "../../src/transport/docker/tags.ts";
import { issue } from "../support/certificates.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { makeImage } from "../support/images.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { never, openDestination, openSource, putImage, registriesFor } from "./docker-setup.ts";

const operator = { username: "operator", password: "o" };
const client = { username: "client", password: "c" };
const image = makeImage();

async function setUp(t: TestContext, users = [operator, client]) {
  const registry = await startRegistry({ auth: { kind: "bearer", ...operator } });
  registry.put("team/app", "v1", image);
  const dir = await mkdtemp(join(tmpdir(), "transship-keychain-"));
  const path = join(dir, "auth.json");
  const entryOf = ({ username, password }: typeof operator) => ({
    auth: Buffer.from(`${username}:${password}`).toString("base64"),
  });
  const [first = operator, second = client] = users;
  const auths = {
    [`${registry.host}/team`]: entryOf(first),
    [`${registry.host}/other`]: entryOf(second),
  };
  await writeFile(path, JSON.stringify({ auths }));
  const registries = new Registries(LOOPBACK_TOO, {}, { keychain: { path, env: {} } });
  t.after(async () => {
    await registries[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
    await rm(dir, { recursive: true });
  });
  return { registry, registries };
}

/** The users whose passwords the registry has seen, in order, each once. */
const users = ({ requests }: TestRegistry): readonly string[] => [
  ...new Set(
    requests
      .map(({ headers }) => headers.authorization ?? "")
      .filter((text) => text.startsWith("Basic "))
      .map((text) => Buffer.from(text.slice(6), "base64").toString().split(":", 1)[0] as string),
  ),
];

test("the operator's credentials serve source, destination and list of tags, each by its repository", async (t) => {
  const { registry, registries } = await setUp(t);
  await using source = await openSource(`${registry.host}/team/app:v1`, { registries });
  await source.getManifest(undefined, never);
  assert.deepEqual(users(registry), ["operator"]);
  await using destination = await openDestination(`${registry.host}/team/new:v1`, { registries });
  await putImage(destination, image);
  const reference = parseDockerReference(`${registry.host}/team/app`, "");
  const access = { side: "source", tlsVerify: false, registries } as unknown as AccessContext;
  assert.deepEqual(await listDockerTags(reference, access, never), ["v1"]);
  assert.deepEqual(users(registry), ["operator"]);
  await using other = await openSource(`${registry.host}/other/app:v1`, { registries });
  await assert.rejects(other.getManifest(undefined, never), { code: "source_unauthorized" });
  assert.deepEqual(users(registry), ["operator", "client"]);
  await using unknown = await openSource(`${registry.host}/third/app:v1`, { registries });
  await assert.rejects(unknown.getManifest(undefined, never), { code: "source_unauthorized" });
});

test("a client's own credentials win, and a client can be nobody", async (t) => {
  const { registry, registries } = await setUp(t);
  for (const wish of [{ credentials: client }, { anonymous: true }]) {
    const text = `${registry.host}/team/app:v1`;
    await using source = await openSource(text, { registries, ...wish });
    await assert.rejects(source.getManifest(undefined, never), { code: "source_unauthorized" });
  }
  assert.deepEqual(users(registry), ["client"]);
});

test("who brings authorities is not lent credentials where certificates must be checked", async (t) => {
  const { pem: ca, ...authority } = issue({ subject: "an authority of its own", authority: true });
  const { pem: cert, privateKey } = issue({ hostname: "localhost" }, { pem: ca, ...authority });
  const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  await using registry = await startRegistry({
    tls: { cert, key },
    auth: { kind: "basic", ...operator },
  });
  registry.put("team/app", "v1", image);
  const host = registry.host.replace("127.0.0.1", "localhost");
  const dir = await mkdtemp(join(tmpdir(), "transship-keychain-"));
  t.after(() => rm(dir, { recursive: true }));
  const auth = Buffer.from(`${operator.username}:${operator.password}`).toString("base64");
  await writeFile(join(dir, "auth.json"), JSON.stringify({ auths: { [host]: { auth } } }));
  await mkdir(join(dir, "certs.d", host), { recursive: true });
  const keychain = { path: join(dir, "auth.json"), env: {} };
  const read = async (access: object, files: RegistryFiles) => {
    const registries = registriesFor(t, {}, {}, { keychain, ...files });
    const text = `${host}/team/app:v1`;
    await using source = await openSource(text, { registries, tlsVerify: true, ...access });
    await source.getManifest(undefined, never);
  };
  const [brings, mustVerify] = [{ caCertificates: ca }, { mustVerify: true }];
  await assert.rejects(read(brings, mustVerify), {
    code: "invalid_request",
    message: /^the source's `caCertificates` .* CERTS_DIR/,
  });
  assert.deepEqual(registry.requests, [], "nobody was shown anything");
  await assert.rejects(read({ ...brings, anonymous: true }, mustVerify), {
    code: "source_unauthorized",
  });
  await read({ ...brings, credentials: operator }, mustVerify);
  await read(brings, {});
  await writeFile(join(dir, "certs.d", host, "ca.crt"), ca);
  await read({}, { ...mustVerify, certsDir: join(dir, "certs.d") });
});
