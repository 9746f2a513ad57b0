// Layers that are kept elsewhere: where they may be fetched from, and that nothing else is ever asked (semantics 4.3, reliability T09).

import assert from "node:assert/strict";
import type { RequestListener } from "node:http";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Code } from "../../src/codes.ts";
import { CopyError } from "../../src/errors.ts";
import { parseHosts, parseNetworks } from "../../src/host/egress.ts";
import { hexOf } from "../../src/image/digest.ts";
import { nextAddress } from "../../src/transport/docker/redirects.ts";
import { redirect, startHost, type Host } from "../support/host.ts";
import { collect } from "../support/bytes.ts";
import { accessTo, makeDataDir, openSource, write } from "../support/folders.ts";
import { makeImage } from "../support/images.ts";
import { startRegistry } from "../support/registry.ts";
import { never, openSource as openRegistry, registriesFor } from "./docker-setup.ts";

const image = makeImage();
const layer = image.layers[0] ?? assert.fail();
const bytes = image.blobs.get(layer.digest) ?? assert.fail();

const whole: RequestListener = (_, response) => response.end(bytes);
/** Reads the layer from a layout that does not have it. */
async function readFrom(
  t: TestContext,
  urls: readonly string[],
  egress: Parameters<typeof registriesFor>[2] = {},
): Promise<Buffer> {
  await using dir = await makeDataDir();
  const registries = registriesFor(t, { stallMs: 300, breakMs: 1 }, egress);
  await write("oci:layout:v1", image, accessTo(dir.path, "destination"));
  await rm(join(dir.path, "layout/blobs/sha256", hexOf(layer.digest)));
  await using source = await openSource(
    "oci:layout:v1",
    accessTo(dir.path, "source", { registries }),
  );
  return await collect((await source.getBlob({ ...layer, urls }, never)).content);
}

const failsWith =
  (code: Code, ...words: readonly string[]) =>
  (error: unknown) => {
    assert.ok(error instanceof CopyError, String(error));
    assert.equal(error.code, code, error.message);
    assert.equal(error.context.side, "source");
    for (const word of words) assert.ok(error.message.includes(word), error.message);
    assert.ok(!/s3cret|token=/.test(error.message), error.message);
    return true;
  };

test("what a layout has itself is not asked for elsewhere", async (t) => {
  const host = await startHost(t, { "/layer": whole });
  await using dir = await makeDataDir();
  await write("oci:layout:v1", image, accessTo(dir.path, "destination"));
  await using source = await openSource(
    "oci:layout:v1",
    accessTo(dir.path, "source", { registries: registriesFor(t) }),
  );
  const urls = [`http://${host.address}/layer`];
  assert.deepEqual(await collect((await source.getBlob({ ...layer, urls }, never)).content), bytes);
  assert.equal(host.requests.length, 0);
});

test("the first address that answers 200 wins; what is no address of a web host is passed over", async (t) => {
  const host = await startHost(t, {
    "/forbidden": (_, response) =>
      response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end(),
    "/moved": redirect("/layer"),
    "/layer": whole,
    "/never": whole,
  });
  const at = (path: string) => `http://${host.address}${path}`;
  const urls = [
    "file:///etc/passwd",
    "ftp://127.0.0.1/x",
    "not an address",
    "//127.0.0.1/x",
    `http://user:password@${host.address}/layer`,
    at("/missing?token=1"),
    at("/forbidden"),
    at("/moved"),
    at("/never"),
  ];
  assert.deepEqual(await readFrom(t, urls), bytes);
  assert.deepEqual(
    host.requests.map(({ url }) => url),
    ["/missing?token=1", "/forbidden", "/moved", "/layer"],
  );
});

test("a registry's layer comes from elsewhere without the registry's credentials", async (t) => {
  await using registry = await startRegistry({
    auth: { kind: "basic", username: "u", password: "p" },
  });
  const host = await startHost(t, { "/layer": whole });
  registry.put("a", "v1", image);
  const credentials = { username: "u", password: "p" };
  await using source = await openRegistry(`${registry.host}/b:v1`, {
    registries: registriesFor(t),
    credentials,
  });
  const read = async (blob: object) =>
    collect((await source.getBlob({ ...layer, ...blob }, never)).content);
  const urls = [`${registry.url}/v2/a/blobs/${layer.digest}`, `http://${host.address}/layer`];
  assert.deepEqual(await read({ urls }), bytes, "the registry itself is a stranger here, too");
  for (const { headers } of host.requests) {
    const { host: _, connection: __, ...sent } = headers;
    assert.deepEqual(sent, { "user-agent": "transship", "accept-encoding": "identity" });
  }
  await assert.rejects(read({}), failsWith("source_not_found"));
});

const REFUSED: readonly (readonly [
  what: string,
  url: (host: Host) => string,
  egress: NonNullable<Parameters<typeof registriesFor>[2]>,
])[] = [
  [
    "a private address where none is allowed",
    ({ address }) => `http://${address}/layer`,
    { privateNetworks: parseNetworks("") },
  ],
  [
    "a host that is denied",
    ({ name }) => `http://${name}/layer`,
    { denied: parseHosts("localhost") },
  ],
  [
    "a host that is not among those allowed",
    ({ name }) => `http://${name}/layer`,
    { allowed: parseHosts("layers.example.com") },
  ],
  [
    "a redirect to one that is denied",
    ({ address, name }) => `http://${address}/to/${name}`,
    { denied: parseHosts("localhost") },
  ],
];
for (const [what, url, egress] of REFUSED)
  test(`${what} is not contacted`, async (t) => {
    const host: Host = await startHost(t, { "/layer": whole });
    const router = await startHost(t, {
      [`/to/${host.name}`]: redirect(`http://${host.name}/layer`),
    });
    const address = url({
      ...host,
      address: what.includes("redirect") ? router.address : host.address,
    });
    await assert.rejects(
      readFrom(t, [address], egress),
      failsWith("host_denied", "must not be contacted", host.name.replace(/.*:/, "")),
    );
    assert.deepEqual(host.requests, []);
    assert.deepEqual(await readFrom(t, [address]), bytes, "control: it is there");
  });

const FAILURES: readonly (readonly [
  what: string,
  urls: readonly string[],
  code: Code,
  words: string,
])[] = [
  [
    "addresses of no web host only",
    ["file:///etc/passwd", "urn:x"],
    "source_not_found",
    "is not there",
  ],
  ["none has it", ["/a", "/b"], "source_not_found", "no address has it"],
  ["one fails for now", ["/a", "/busy", "/b"], "registry_unavailable", "503"],
  ["it stands still", ["/stalled"], "transfer_stalled", "from"],
  ["it goes round in circles", ["/circle"], "source_not_found", "circles"],
  ["it sends on to a file", ["/file"], "source_not_found", "must not be contacted"],
  ["it asks who we are", ["/login"], "source_not_found", "401"],
  ["it breaks off", ["/broken"], "registry_unavailable", "connection"],
];
for (const [what, paths, code, words] of FAILURES)
  test(`where ${what}, it is ${code}`, async (t) => {
    const host = await startHost(t, {
      "/busy": (_, response) => response.writeHead(503, { "retry-after": "60" }).end(),
      "/stalled": (_, response) => void response.writeHead(200).write("x"),
      "/circle": redirect("/circle"),
      "/file": redirect("file:///etc/passwd"),
      "/login": (_, response) => response.writeHead(401).end(),
      "/broken": (request, response) =>
        response
          .writeHead(200, { "content-length": bytes.length })
          .write("x", () => request.destroy()),
    });
    const urls = paths.map((path) =>
      path.startsWith("/") ? `http://${host.address}${path}` : path,
    );
    await assert.rejects(readFrom(t, urls), failsWith(code, words));
  });

test("a layer that breaks off is gone on with, at the address that has it", async (t) => {
  const ranges: (string | undefined)[] = [];
  const host = await startHost(t, {
    "/broken": (request, response) => {
      ranges.push(request.headers.range);
      const from = Number(/[0-9]+/.exec(request.headers.range ?? "")?.[0] ?? 0);
      const part = bytes.subarray(from, from + 200);
      response.writeHead(from === 0 ? 200 : 206, {
        "content-length": bytes.length - from,
        ...(from > 0 && { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` }),
      });
      if (from + part.length === bytes.length) response.end(part);
      else response.write(part, () => request.destroy());
    },
  });
  const [gone, broken] = [`http://${host.address}/gone`, `http://${host.address}/broken`];
  assert.deepEqual(await readFrom(t, [gone, broken]), bytes);
  assert.deepEqual(ranges, [
    undefined,
    ...[200, 400, 600].map((from) => `bytes=${from}-${bytes.length - 1}`),
  ]);
});

test("of thousands of addresses a few are asked", async (t) => {
  const host = await startHost(t);
  const urls = Array.from({ length: 5000 }, (_, i) => `http://${host.address}/${i}`);
  await assert.rejects(readFrom(t, urls), failsWith("source_not_found"));
  assert.equal(host.requests.length, 16);
});

test("an address that is sent on to: relative to the one asked, never from TLS to none, never with a password", () => {
  const from = (scheme: string) => new URL(`${scheme}://a.example/x/y?z`);
  for (const [scheme, location, expected] of [
    ["https", "/b", "https://a.example/b"],
    ["https", "b", "https://a.example/x/b"],
    ["https", "//b.example/c", "https://b.example/c"],
    ["http", "https://b.example/", "https://b.example/"],
    ["http", "http://b.example/", "http://b.example/"],
    ["https", "http://b.example/", undefined],
    ["https", "http://a.example/b", undefined],
    ["https", "https://u:p@b.example/", undefined],
    ["https", "https://u@b.example/", undefined],
    ["https", "file:///etc/passwd", undefined],
    ["http", "ftp://b.example/", undefined],
    ["http", "data:,x", undefined],
    ["https", "https://", undefined],
    ["https", undefined, undefined],
  ] as const)
    assert.equal(nextAddress(from(scheme), location)?.href, expected, `${scheme} ${location}`);
});
