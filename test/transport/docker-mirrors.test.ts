import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { CopyError } from "../../src/errors.ts";
import { failureOf } from "../../src/transport/docker/mirrors.ts";
import type { Registries } from "../../src/transport/docker/registries.ts";
import { listDockerTags } from "../../src/transport/docker/tags.ts";
import { accessTo } from "../../src/transport/access.ts";
import { parseDockerName, parseDockerReference } from "../../src/image/reference/docker.ts";
import { makeArtifact } from "../support/artifacts.ts";
import { makeImage, makeList } from "../support/images.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import {
  never,
  openDestination,
  openSource,
  putImage,
  readBlob,
  registriesFor,
} from "./docker-setup.ts";

const dir = await mkdtemp(join(tmpdir(), "transship-mirrors-"));
after(() => rm(dir, { recursive: true }));
const image = makeImage({ layers: [3_000] });

/** Registries under a registries.conf of this text, and the file, to be changed. */
async function under(
  t: TestContext,
  text: string,
): Promise<{ registries: Registries; path: string }> {
  const path = join(dir, `${t.name.replaceAll(/\W/g, "-").slice(0, 100)}.conf`);
  await writeFile(path, text);
  return { registries: registriesFor(t, {}, {}, { registriesConf: path }), path };
}

/** A registry at `primary`, with these mirrors; the tables' own lines come after `location`. */
const withMirrors = (primary: string, ...mirrors: readonly string[]): string =>
  [
    `[[registry]]\nprefix = "registry.test"\nlocation = "${primary}"\ninsecure = true`,
    ...mirrors.map((mirror) => `[[registry.mirror]]\nlocation = "${mirror}\ninsecure = true`),
  ].join("\n");

const open = (text: string, registries: Registries, more: object = {}) =>
  // Left out, not false: registries.conf decides.
  openSource(text, { registries, ...more, tlsVerify: undefined } as never);

const kinds = ({ requests }: TestRegistry) =>
  requests.map(({ method, kind }) => `${method} ${kind}`);

test("the first mirror that has the manifest gives everything: blobs, images of the list, referrers", async (t) => {
  await using empty = await startRegistry();
  await using mirror = await startRegistry();
  await using primary = await startRegistry();
  const list = makeList([image, makeImage({ layers: [500] })]);
  mirror.put("cache/a", "v1", list);
  mirror.put("cache/a", "sbom", makeArtifact(image));
  primary.put("a", "v1", list);
  const { registries } = await under(
    t,
    withMirrors(primary.host, `${empty.host}"`, `${mirror.host}/cache"`),
  );
  await using source = await open("registry.test/a:v1", registries);
  assert.equal(source.name, "docker://registry.test/a:v1");
  assert.deepEqual(source.location, { registry: mirror.host, repository: "cache/a" });
  assert.deepEqual((await source.getManifest(undefined, never)).bytes, list.manifest.bytes);
  assert.deepEqual((await source.getManifest(image.digest, never)).bytes, image.manifest.bytes);
  assert.deepEqual(
    await readBlob(source, image.layers[0]!),
    image.blobs.get(image.layers[0]!.digest),
  );
  assert.equal((await source.getReferrers(image.digest, never)).length, 1);
  assert.deepEqual(kinds(primary), []);
  assert.deepEqual(
    kinds(empty).filter((kind) => kind !== "GET base"),
    ["GET manifests"],
  );
  const top = mirror.requests.filter(({ path }) => path === "/v2/cache/a/manifests/v1");
  assert.equal(top.length, 1, "what opening has read is not read again");
});

test("where no mirror has it, the registry's own place is read under its own name there", async (t) => {
  await using mirror = await startRegistry();
  await using primary = await startRegistry();
  primary.put("moved/a", "v1", image);
  const { registries } = await under(t, withMirrors(`${primary.host}/moved`, `${mirror.host}"`));
  await using source = await open("registry.test/a:v1", registries);
  assert.deepEqual(source.location, { registry: primary.host, repository: "moved/a" });
  assert.deepEqual((await source.getManifest(undefined, never)).bytes, image.manifest.bytes);
});

test("a tag of which an earlier attempt found the digest is still not asked for by digest, as mirrors count it", async (t) => {
  await using mirror = await startRegistry();
  await using primary = await startRegistry();
  for (const registry of [mirror, primary]) registry.put("a", "v1", image);
  const { registries } = await under(
    t,
    withMirrors(primary.host, `${mirror.host}"\npull-from-mirror = "digest-only`.concat('"')),
  );
  const readFrom = async (text: string, more: object) => {
    await using source = await open(text, registries, more);
    return (source.location as { registry: string }).registry;
  };
  assert.equal(await readFrom("registry.test/a:v1", { pinned: image.digest }), primary.host);
  assert.equal(await readFrom(`registry.test/a@${image.digest}`, {}), mirror.host);
});

test("credentials that are for the registry are not shown to a mirror elsewhere, a token neither", async (t) => {
  await using mirror = await startRegistry({
    auth: { kind: "basic", username: "u", password: "p" },
  });
  await using primary = await startRegistry({ auth: { kind: "bearer", registryToken: "s3cret" } });
  await using withPassword = await startRegistry({
    auth: { kind: "basic", username: "u", password: "p" },
  });
  for (const registry of [mirror, primary, withPassword]) registry.put("a", "v1", image);
  for (const [own, credentials] of [
    [primary, { registryToken: "s3cret" }],
    [withPassword, { username: "u", password: "p" }],
  ] as const) {
    const { registries, path } = await under(t, "");
    await writeFile(
      path,
      `[[registry]]\nlocation = "${own.host}"\ninsecure = true\n[[registry.mirror]]\nlocation = "${mirror.host}"\ninsecure = true`,
    );
    await using source = await open(`${own.host}/a:v1`, registries, { credentials });
    assert.deepEqual(source.location, { registry: own.host, repository: "a" });
  }
  assert.ok(mirror.requests.length > 0);
  assert.deepEqual(
    mirror.requests.filter(({ headers }) => headers.authorization !== undefined),
    [],
  );
});

test("a registry that is blocked is not contacted, by whatever it is asked for; its mirrors are", async (t) => {
  await using mirror = await startRegistry();
  await using blocked = await startRegistry();
  for (const registry of [mirror, blocked]) registry.put("a", "v1", image);
  const table = `[[registry]]\nlocation = "${blocked.host}"\ninsecure = true\nblocked = true`;
  const { registries, path } = await under(t, table);
  const denied = { code: "host_denied", message: /registries\.conf blocks `127/ };
  await assert.rejects(open(`${blocked.host}/a:v1`, registries), denied);
  await assert.rejects(openDestination(`${blocked.host}/a:v2`, { registries }), denied);
  const reference = parseDockerReference(`${blocked.host}/a`, "");
  const access = accessTo("source", { tlsVerify: false }, { registries } as never);
  await assert.rejects(listDockerTags(reference, access, never), denied);
  await writeFile(
    path,
    `${table}\n[[registry.mirror]]\nlocation = "${mirror.host}"\ninsecure = true`,
  );
  await using source = await open(`${blocked.host}/a:v1`, registries);
  assert.deepEqual(source.location, { registry: mirror.host, repository: "a" });
  assert.deepEqual(blocked.requests, []);
});

test("a destination is written by its own name, over plain HTTP where registries.conf has it insecure and the client says nothing", async (t) => {
  await using registry = await startRegistry();
  await using elsewhere = await startRegistry();
  const { registries } = await under(
    t,
    `[[registry]]\nprefix = "${registry.host}"\nlocation = "${elsewhere.host}"\ninsecure = true`,
  );
  const put = async (tlsVerify: boolean | undefined) => {
    await using destination = await openDestination(`${registry.host}/a:v1`, {
      registries,
      tlsVerify,
    } as never);
    await putImage(destination, image);
  };
  await assert.rejects(put(true), { code: "tls_failed" });
  assert.equal(registry.manifest("a", "v1"), undefined);
  await put(undefined);
  assert.deepEqual(registry.manifest("a", "v1")?.bytes, image.manifest.bytes);
  assert.deepEqual(elsewhere.requests, []);
});

test("what the client says of TLS is stronger than what registries.conf says", async (t) => {
  await using registry = await startRegistry();
  registry.put("a", "v1", image);
  const { registries, path } = await under(t, "");
  const get = async (tlsVerify: boolean | undefined) =>
    (await openSource(`${registry.host}/a:v1`, { registries, tlsVerify } as never)).getManifest(
      undefined,
      never,
    );
  await assert.rejects(get(undefined), { code: "tls_failed" });
  await get(false);
  await writeFile(path, `[[registry]]\nlocation = "${registry.host}"\ninsecure = true`);
  await get(undefined);
  await assert.rejects(get(true), { code: "tls_failed" });
});

test("where all places fail, each is told with its reason", async (t) => {
  await using mirror = await startRegistry();
  await using primary = await startRegistry();
  mirror.fail("GET manifests", { status: 418, message: "a teapot" });
  const { registries } = await under(t, withMirrors(primary.host, `${mirror.host}"`));
  await assert.rejects(
    open("registry.test/a:v1", registries),
    ({ code, message, context }: CopyError) => {
      assert.equal(code, "source_not_found");
      const start = `(Mirrors also failed: [${mirror.host}/a:v1: ${mirror.host} answered 418 to GET of the source's manifest: UNKNOWN: a teapot; it would answer the same again: what it says has to be put right first]): ${primary.host}/a:v1: ${primary.host} answered 404 to GET of the source's manifest: `;
      assert.ok(message.startsWith(start), message);
      return context.registry === primary.host && context.side === "source";
    },
  );
});

test("what becomes of the job is the registry's word, but where it could not be asked a mirror's passing trouble counts", () => {
  const rows: readonly (readonly [readonly string[], string])[] = [
    [["source_not_found"], "source_not_found"],
    [["registry_unavailable", "source_not_found"], "source_not_found"],
    [["source_not_found", "registry_unavailable"], "registry_unavailable"],
    [["registry_unavailable", "host_denied"], "registry_unavailable"],
    [["source_not_found", "host_denied"], "host_denied"],
    [
      ["source_unauthorized", "registry_rate_limited", "source_unauthorized"],
      "registry_rate_limited",
    ],
    [["tls_failed", "source_unauthorized"], "source_unauthorized"],
  ];
  for (const [codes, expected] of rows) {
    const attempts = codes.map((code, i) => ({
      reference: parseDockerName(`m${i}.test/a:v1`, ""),
      error: new CopyError(code as never, `said ${code}`, { registry: `m${i}.test` }),
    }));
    const failure = failureOf(attempts);
    assert.equal(failure.code, expected, codes.join());
    for (const code of codes) assert.ok(failure.message.includes(`said ${code}`));
  }
});

test("a rewritten name that is none is the operator's mistake, and the error says so", async (t) => {
  const { registries } = await under(
    t,
    '[[registry]]\nprefix = "registry.test"\nlocation = "nowhere"',
  );
  await assert.rejects(
    open("registry.test/a:v1", registries),
    ({ code, message, context }: CopyError) => {
      assert.match(
        message,
        /the operator's registries\.conf has `registry\.test\/a` read from `nowhere\/a`/,
      );
      return code === "reference_invalid" && context.side === "source";
    },
  );
});

test("where certificates must be checked, no job of whatever age has them unchecked; registries.conf may", async (t) => {
  await using registry = await startRegistry();
  registry.put("a", "v1", image);
  const path = join(dir, "must-verify.conf");
  await writeFile(path, `[[registry]]\nlocation = "${registry.host}"\ninsecure = true`);
  const registries = registriesFor(t, {}, {}, { registriesConf: path, mustVerify: true });
  assert.throws(() => accessTo("source", { tlsVerify: false }, { registries } as never), {
    code: "invalid_request",
    message: /^the source's `tlsVerify` must not be `false` here/,
  });
  await using source = await open(`${registry.host}/a:v1`, registries);
  await source.getManifest(undefined, never);
});
