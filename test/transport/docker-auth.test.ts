// Who is let in, and where credentials go. Every "never goes there" has its control: the same reader sees it where it may go.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { parseTokenServices } from "../../src/transport/docker/auth/realms.ts";
import { makeImage } from "../support/images.ts";
import type { SeenRequest } from "../support/registry-http.ts";
import { startRegistry, type RegistryOptions, type TestRegistry } from "../support/registry.ts";
import {
  never,
  openDestination,
  openSource,
  putImage,
  readBlob,
  registriesFor,
  type Access,
} from "./docker-setup.ts";

const credentials = { username: "ada", password: "pass-w0rd" };
const bearer = { kind: "bearer", ...credentials } as const;

async function start(options: RegistryOptions): Promise<TestRegistry> {
  const registry = await startRegistry(options);
  registry.put("a", "v1", image);
  return registry;
}

const image = makeImage();
const pull = async (registry: TestRegistry, access: Access) => {
  await using source = await openSource(`${registry.host}/a:v1`, access);
  await source.getManifest(undefined, never);
  for (const layer of image.layers) await readBlob(source, layer);
};
const push = async (registry: TestRegistry, access: Access) => {
  await using destination = await openDestination(`${registry.host}/to:v1`, access);
  await putImage(destination, image);
};

/** Everything secret in what was seen: the password in any form, and tokens. */
function secretsIn(seen: readonly SeenRequest[]): readonly string[] {
  const encoded = Buffer.from(`${credentials.username}:${credentials.password}`).toString("base64");
  return seen.flatMap(({ method, path, headers }) =>
    [method, path, ...Object.values(headers)]
      .flat()
      .filter(
        (text) =>
          text !== undefined &&
          [credentials.password, encoded, "Bearer ", "account="].some((secret) =>
            text.includes(secret),
          ),
      ),
  ) as string[];
}

const count = (registry: TestRegistry, kind: SeenRequest["kind"]): number =>
  registry.requests.filter((request) => request.kind === kind).length;

const refused = (registry: TestRegistry): number =>
  registry.requests.filter(({ status }) => status === 401).length;

for (const auth of [{ kind: "basic", ...credentials }, bearer] as const) {
  test(`${auth.kind}: pull and push with the right password, none with a wrong one or without`, async (t: TestContext) => {
    await using registry = await start({ auth });
    const registries = registriesFor(t);
    await pull(registry, { registries, credentials });
    await push(registry, { registries, credentials });
    assert.equal(registry.manifest("to", "v1")?.digest, image.digest);
    const wrong = { registries, credentials: { username: "ada", password: "wrong" } };
    await assert.rejects(pull(registry, wrong), { code: "source_unauthorized" });
    await assert.rejects(push(registry, wrong), { code: "destination_unauthorized" });
    await assert.rejects(pull(registry, { registries }), { code: "source_unauthorized" });
  });

  test(`${auth.kind}: after the first 401 of a process every request authenticates at once`, async (t: TestContext) => {
    await using registry = await start({ auth });
    const registries = registriesFor(t);
    await pull(registry, { registries, credentials });
    await pull(registry, { registries, credentials });
    await push(registry, { registries, credentials });
    assert.equal(refused(registry), 1);
  });
}

test("anonymous pulls get a token where the registry gives one", async (t) => {
  await using registry = await start({ auth: { ...bearer, anonymousPull: true } });
  const registries = registriesFor(t);
  await pull(registry, { registries });
  await assert.rejects(push(registry, { registries }), { code: "destination_unauthorized" });
});

test("one token is asked for, however many requests need it at once", async (t) => {
  await using registry = await start({ auth: bearer });
  const registries = registriesFor(t);
  const sources = await Promise.all(
    Array.from({ length: 8 }, () =>
      openSource(`${registry.host}/a:v1`, { registries, credentials }),
    ),
  );
  await Promise.all(sources.map((source) => source.getManifest(undefined, never)));
  assert.equal(count(registry, "token"), 1);
});

test("a token is not shared with other credentials", async (t) => {
  await using registry = await start({ auth: bearer });
  const registries = registriesFor(t);
  await pull(registry, { registries, credentials });
  await assert.rejects(
    pull(registry, { registries, credentials: { ...credentials, password: "x" } }),
    { code: "source_unauthorized" },
  );
  await assert.rejects(pull(registry, { registries }), { code: "source_unauthorized" });
});

test("a token that is refused is renewed once, and the request repeated", async (t) => {
  await using registry = await start({ auth: bearer });
  const registries = registriesFor(t);
  await pull(registry, { registries, credentials });
  await push(registry, { registries, credentials });
  registry.revokeTokens();
  await pull(registry, { registries, credentials });
  await push(registry, { registries, credentials });
  assert.equal(count(registry, "token"), 4);
});

test("a token that lives for a moment is no hindrance", async (t) => {
  await using registry = await start({ auth: { ...bearer, expiresIn: 0.1 } });
  const registries = registriesFor(t);
  // Until tokens have lapsed on the way, whatever the machine's pace.
  while (count(registry, "token") < 6) {
    await pull(registry, { registries, credentials });
    await push(registry, { registries, credentials });
  }
  assert.equal(registry.manifest("to", "v1")?.digest, image.digest);
});

test("one job's cancellation does not fail another that waits for the same token", async (t) => {
  await using registry = await start({ auth: bearer });
  const registries = registriesFor(t);
  const first = await openSource(`${registry.host}/a:v1`, { registries, credentials });
  const second = await openSource(`${registry.host}/a:v1`, { registries, credentials });
  const cancel = new AbortController();
  registry.fail("GET token", { times: 1, status: 503 });
  const both = [
    first.getManifest(undefined, cancel.signal),
    second.getManifest(undefined, never),
  ] as const;
  while (count(registry, "token") === 0) await new Promise(setImmediate);
  cancel.abort(new Error("canceled"));
  await assert.rejects(both[0], { message: "canceled" });
  assert.deepEqual((await both[1]).bytes, image.manifest.bytes);
});

test("an identity token is exchanged by POST, a registry token used as it is", async (t) => {
  await using registry = await start({
    auth: { kind: "bearer", identityToken: "identity", registryToken: "registry" },
  });
  const registries = registriesFor(t);
  await pull(registry, { registries, credentials: { identityToken: "identity" } });
  assert.deepEqual(
    registry.requests.filter(({ kind }) => kind === "token").map(({ method }) => method),
    ["POST"],
  );
  await push(registry, { registries, credentials: { registryToken: "registry" } });
  assert.equal(count(registry, "token"), 1);
  await assert.rejects(pull(registry, { registries, credentials: { identityToken: "x" } }), {
    code: "source_unauthorized",
  });
  await assert.rejects(pull(registry, { registries, credentials: { registryToken: "x" } }), {
    code: "source_unauthorized",
  });
});

test("a mount asks for the right to pull from the other repository as well", async (t) => {
  await using registry = await start({ auth: bearer });
  await using destination = await openDestination(`${registry.host}/to:v1`, {
    registries: registriesFor(t),
    credentials,
  });
  const from = { registry: registry.host, repository: "a" };
  assert.equal(await destination.mountBlob(image.config, from, never), true);
  const scopes = registry.requests
    .filter(({ kind }) => kind === "token")
    .map(({ path }) => new URL(path, registry.url).searchParams.getAll("scope"));
  assert.deepEqual(scopes.at(-1), ["repository:to:pull,push", "repository:a:pull"]);
});

for (const [what, options, act] of [
  ["a blob's redirect", { quirks: ["redirect-blobs"] }, pull],
  ["an upload's Location", { quirks: ["uploads-elsewhere"] }, push],
] as const) {
  test(`${what} to another origin is followed without credentials`, async (t: TestContext) => {
    for (const auth of [{ kind: "basic", ...credentials }, bearer] as const) {
      await using registry = await start({ ...options, auth });
      await act(registry, { registries: registriesFor(t), credentials });
      assert.ok(registry.elsewhere.length > 0);
      assert.deepEqual(secretsIn(registry.elsewhere), []);
      assert.ok(
        secretsIn(registry.requests).length > 0,
        "the control: the registry itself has seen them",
      );
    }
  });
}

test("a token service under another name is asked as nobody", async (t) => {
  await using registry = await start({ auth: { ...bearer, realm: "elsewhere" } });
  const registries = registriesFor(t);
  await assert.rejects(pull(registry, { registries, credentials }), {
    code: "source_unauthorized",
  });
  await assert.rejects(
    pull(registry, { registries, credentials: { identityToken: credentials.password } }),
    { code: "source_unauthorized" },
  );
  assert.ok(registry.elsewhere.length > 0);
  assert.ok(registry.elsewhere.every(({ kind, method }) => `${method} ${kind}` === "GET token"));
  assert.deepEqual(secretsIn(registry.elsewhere), []);
});

test("an error says where credentials were kept from a token service; the operator can say that they need not be", async (t) => {
  await using registry = await start({ auth: { ...bearer, realm: "elsewhere" } });
  const { host } = new URL(registry.elsewhereUrl);
  await assert.rejects(
    pull(registry, { registries: registriesFor(t), credentials }),
    (error: Error) =>
      error.message.includes(
        `were not shown to the token service at ${host}, which is of another domain`,
      ),
  );
  const tokenServices = parseTokenServices(`${registry.host}=${host}`);
  const registries = registriesFor(t, {}, {}, { tokenServices });
  await pull(registry, { registries, credentials });
  assert.ok(secretsIn(registry.elsewhere).length > 0);
});

test("where the token service has no token for both repositories a mount is an upload", async (t) => {
  await using registry = await start({ auth: bearer });
  const access = { registries: registriesFor(t), credentials };
  await push(registry, access);
  registry.fail("GET token", { status: 403 });
  await using destination = await openDestination(`${registry.host}/to:v1`, access);
  const from = { registry: registry.host, repository: "a" };
  assert.equal(await destination.mountBlob(image.config, from, never), false);
  await putImage(destination, image);
});

test("a token service that must not be asked is not asked", async (t) => {
  for (const realm of [
    "file:///etc/passwd",
    "http://ada:b@127.0.0.1/token",
    "/token",
    `http://127.0.0.1/${"a".repeat(3000)}`,
  ]) {
    await using registry = await start({ auth: { ...bearer, realm } });
    await assert.rejects(pull(registry, { registries: registriesFor(t), credentials }), {
      code: "registry_unavailable",
    });
  }
});

test("a 401 from where a blob was redirected to is an error, not a question", async (t) => {
  await using registry = await start({ quirks: ["redirect-blobs"], auth: bearer });
  registry.fail("GET blobs", {
    status: 401,
    headers: { "www-authenticate": `Bearer realm="${registry.elsewhereUrl}/token"` },
  });
  const access = { registries: registriesFor(t), credentials };
  await using source = await openSource(`${registry.host}/a:v1`, access);
  await source.getManifest(undefined, never);
  await assert.rejects(readBlob(source, image.config), { code: "source_unauthorized" });
  assert.deepEqual(secretsIn(registry.elsewhere), []);
});

test("who comes back to the registry by way of somebody else comes as nobody: where to is not the registry's word", async (t) => {
  await using registry = await start({ auth: bearer });
  const there = createServer((_, response) => {
    response.writeHead(307, { location: `http://${registry.host}/v2/secret/manifests/v1` }).end();
  }).listen(0, "127.0.0.1");
  t.after(() => there.close());
  await once(there, "listening");
  const { port } = there.address() as AddressInfo;
  const access = { registries: registriesFor(t), credentials };
  await using source = await openSource(`${registry.host}/a:v1`, access);
  registry.fail("GET manifests", {
    status: 307,
    headers: { location: `http://127.0.0.1:${port}/` },
    times: 1,
  });
  await assert.rejects(source.getManifest(undefined, never), { code: "source_unauthorized" });
  const back = registry.requests.filter(({ path }) => path.startsWith("/v2/secret/"));
  assert.equal(back.length, 1);
  assert.deepEqual(secretsIn(back), []);
});

test("no error says a secret", async (t) => {
  await using registry = await start({ auth: bearer });
  const access = { registries: registriesFor(t), credentials };
  await pull(registry, access);
  const encoded = Buffer.from("ada:pass-w0rd").toString("base64");
  const message = `you said pass-w0rd, ${encoded}, Bearer abc at https://x/y?token=abc\u0007\n${"long ".repeat(200)}`;
  registry.fail("GET manifests", { status: 403, code: "DENIED", message });
  await assert.rejects(pull(registry, access), (error: Error) => {
    assert.doesNotMatch(error.message, /pass-w0rd|YWRh|abc|[^ -~…]/);
    assert.match(error.message, /DENIED: you said \*\*\*/);
    assert.ok(error.message.length < 300);
    return true;
  });
});
