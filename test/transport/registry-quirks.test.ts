// Each quirk of the test registry bites: what a careless client does works at a registry without it, and does not at one that has it. A
// quirk that bites nobody would prove nothing of whoever copes with it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "../../src/image/digest.ts";
import { OCI_INDEX } from "../../src/image/media-types.ts";
import { fallbackTag } from "../../src/transport/referrer-tags.ts";
import { makeArtifact } from "../support/artifacts.ts";
import { Careless } from "../support/careless.ts";
import { makeImage, makeList, seededBytes } from "../support/images.ts";
import { ALL_QUIRKS, type Quirk } from "../support/registry-quirks.ts";
import { startRegistry } from "../support/registry.ts";

const MIB = 1024 * 1024;
const image = makeImage({ layers: [3_000] });
const list = makeList([image, makeImage({ seed: "arm" })]);
const sbom = makeArtifact(list);
const bytes = seededBytes("careless", 10 * MIB);
const head = bytes.subarray(0, 5 * MIB);
const layer = image.layers[0]?.digest ?? image.digest;

/** True: it worked. */
type Act = (client: Careless) => Promise<boolean>;

const ok = async (reply: Promise<Response>): Promise<boolean> => (await reply).ok;

/** The blob that a client has sent is there. */
const isThere = ({ registry }: Careless): boolean =>
  registry.blob("b", digestOf(bytes))?.equals(bytes) === true;

const putAll: Act = async (client) => ok(client.put(client.at(await client.begin()), bytes, bytes));

/** In two chunks, the second where the first ends, or where the registry says. */
const inChunks =
  (first: number, believes = false): Act =>
  async (client) => {
    const started = client.at(await client.begin());
    const one = await client.patch(started, bytes.subarray(0, first), 0);
    const second = client.at(one.headers.get("location") ?? "", started);
    const middle = bytes.subarray(first, first + 4 * MIB);
    const two = await client.patch(second, middle, first);
    const told = Number(two.headers.get("range")?.split("-")[1]) + 1;
    const at = believes ? told : first + middle.length;
    const third = client.at(two.headers.get("location") ?? "", second);
    const three = await client.patch(third, bytes.subarray(at), at);
    if (!three.ok) return false;
    const end = client.at(three.headers.get("location") ?? "", third);
    return (await ok(client.put(end, bytes))) && isThere(client);
  };

const mountFrom =
  (query: string, refused: number): Act =>
  async (client) =>
    (await client.ask(`/v2/b/blobs/uploads/?mount=${layer}${query}`, { method: "POST" })).status <
    refused;

const referrers = async (client: Careless): Promise<number> => {
  const reply = await client.ask(`/v2/a/referrers/${list.digest}`);
  if (reply.headers.get("content-type") !== OCI_INDEX) return 0;
  return ((await reply.json()) as { manifests: unknown[] }).manifests.length;
};

const PULL = (name: string) => `repository:${name}:pull`;
const PUSH = (name: string) => `repository:${name}:pull,push`;

const isOwn = (client: Careless, location: string | null): boolean =>
  location !== null && new URL(location, client.registry.url).host === client.registry.host;

const SIZE = image.blobs.get(layer)?.length ?? 0;
const LAST = SIZE - 1;

const partOf = (client: Careless): Promise<Response> =>
  client.ask(`/v2/a/blobs/${layer}`, { headers: { range: "bytes=1-" } });

const partIs =
  (header: string, value: string): Act =>
  async (client) =>
    (await partOf(client)).headers.get(header) === value;

const CARELESS: readonly (readonly [what: string, Quirk, Act])[] = [
  [
    "asks for one token for two repositories",
    "one-scope",
    async (client) => {
      await client.login(PUSH("b"), PULL("a"));
      return ok(client.ask("/v2/b/blobs/uploads/", { method: "POST" }));
    },
  ],
  [
    "asks for the right to delete, just in case",
    "no-delete-scope",
    (client) => client.login("repository:b:pull,push,delete"),
  ],
  [
    "collects scopes",
    "small-headers",
    async (client) => {
      await client.login(...["a", "b", "c", "d", "e"].map(PULL));
      return ok(client.ask(`/v2/a/manifests/v1`));
    },
  ],
  [
    "looks first",
    "push-only",
    (client) => ok(client.ask("/v2/a/manifests/v1", { method: "HEAD" })),
  ],
  [
    "knows nothing but 404 for what is not there",
    "hides-missing",
    async (client) => (await client.ask("/v2/a/manifests/none")).status === 404,
  ],
  [
    "looks for the code of what is not there",
    "unknown-for-missing",
    async ({ registry }) =>
      (await (await fetch(`${registry.url}/v2/a/manifests/none`)).text()).includes(
        "MANIFEST_UNKNOWN",
      ),
  ],
  [
    "pushes to a new repository",
    "no-new-repositories",
    async (client) => (await client.begin("new").catch(() => "")) !== "",
  ],
  [
    "pushes a manifest that does not say its type",
    "wants-media-type",
    (client) => {
      const { mediaType: _, ...silent } = JSON.parse(image.manifest.bytes.toString()) as Record<
        string,
        unknown
      >;
      const silentBytes = Buffer.from(JSON.stringify(silent));
      return ok(client.putManifest("v2", { ...image.manifest, bytes: silentBytes }));
    },
  ],
  ["pushes OCI's types", "no-oci", (client) => ok(client.putManifest("v2", image.manifest))],
  [
    "looks where a manifest was stored",
    "no-manifest-location",
    async (client) => (await client.putManifest("v2", image.manifest)).headers.has("location"),
  ],
  [
    "pushes again what is there",
    "immutable-tags",
    (client) => ok(client.putManifest("v1", image.manifest)),
  ],
  [
    "does not say that lists are welcome",
    "image-for-list",
    async (client) => {
      const reply = await client.ask("/v2/a/manifests/v1", {
        method: "HEAD",
        headers: { accept: image.manifest.mediaType },
      });
      return reply.headers.get("docker-content-digest") === list.digest;
    },
  ],
  [
    "compares lengths",
    "other-length",
    async (client) => {
      const reply = await client.ask("/v2/a/manifests/v1", { method: "HEAD" });
      return Number(reply.headers.get("content-length")) === list.manifest.bytes.length;
    },
  ],
  [
    "asks the registry for digests",
    "no-docker-content-digest",
    async (client) => (await client.ask("/v2/a/manifests/v1")).headers.has("docker-content-digest"),
  ],
  [
    "takes a content type as it stands there",
    "content-type-parameters",
    async (client) =>
      (await client.ask("/v2/a/manifests/v1")).headers.get("content-type") === OCI_INDEX,
  ],
  [
    "expects uploads below /v2/",
    "odd-upload-location",
    async (client) => client.at(await client.begin()).startsWith(`${client.registry.url}/v2/`),
  ],
  [
    "takes a Location as it stands there",
    "relative-location",
    async (client) => URL.canParse(await client.begin()),
  ],
  [
    "takes a Location for absolute",
    "schemeless-location",
    async (client) => URL.canParse(await client.begin()),
  ],
  [
    "resolves a Location against the registry",
    "bare-location",
    async (client) => ok(client.put(client.at(await client.begin(), "/"), bytes, bytes)),
  ],
  [
    "keeps addresses in 1 KiB",
    "long-location",
    async (client) => (await client.begin()).length < 1024,
  ],
  [
    "sends credentials wherever uploads go",
    "uploads-elsewhere",
    async (client) => isOwn(client, await client.begin()),
  ],
  [
    "sends credentials wherever blobs are",
    "redirect-blobs",
    async (client) =>
      isOwn(client, (await client.ask(`/v2/a/blobs/${layer}`)).headers.get("location") ?? "/"),
  ],
  [
    "takes a redirect for absolute",
    "redirect-paths",
    async (client) =>
      URL.canParse(
        (await client.ask(`/v2/a/blobs/${layer}`)).headers.get("location") ?? "http://a",
      ),
  ],
  ["believes that it has mounted", "no-mount", mountFrom("&from=a", 202)],
  ["does not say from where", "wants-from", mountFrom("", 300)],
  ["says the name of another registry's", "refuses-foreign", mountFrom("&from=other/name", 300)],
  ["says the name of another registry's", "denies-foreign", mountFrom("&from=other/name", 300)],
  [
    "counts on a length",
    "no-content-length",
    async (client) => (await client.ask(`/v2/a/blobs/${layer}`)).headers.has("content-length"),
  ],
  [
    "counts on a part",
    "ignores-range",
    async (client) =>
      (await client.ask(`/v2/a/blobs/${layer}`, { headers: { range: "bytes=1-" } })).status === 206,
  ],
  [
    "counts on a part to begin where it should",
    "wrong-part",
    partIs("content-range", `bytes 1-${LAST}/${SIZE}`),
  ],
  [
    "counts on a part to be of the same blob",
    "wrong-total",
    partIs("content-range", `bytes 1-${LAST}/${SIZE}`),
  ],
  ["counts on a part to be one", "multipart", partIs("content-type", "application/octet-stream")],
  ["counts on a part to have the same ETag", "other-etag", partIs("etag", `"${layer}"`)],
  [
    "counts on a part to be of the same content",
    "other-content",
    async (client) => {
      const part = Buffer.from(await (await partOf(client)).arrayBuffer());
      return part.equals(image.blobs.get(layer)?.subarray(1) ?? Buffer.alloc(0));
    },
  ],
  [
    "goes on with what broke off",
    "loses-uploads",
    async (client) => {
      const at = client.at(await client.begin());
      client.registry.fail("PATCH uploads", { reset: 1_000, times: 1 });
      await client.patch(at, head).catch(() => {});
      return ok(client.ask(at));
    },
  ],
  ["does not say where a part ends", "closed-ranges", (client) => ok(partOf(client))],
  [
    "counts on the session to be known",
    "no-upload-status",
    async (client) => ok(client.ask(client.at(await client.begin()))),
  ],
  [
    "expects 202 for a chunk",
    "patch-created",
    async (client) => (await client.patch(client.at(await client.begin()), head)).status === 202,
  ],
  [
    "believes how far an upload is when it asks first",
    "late-range",
    async (client) => {
      const started = client.at(await client.begin());
      const one = await client.patch(started, bytes.subarray(0, 3 * MIB), 0);
      const told = Number(one.headers.get("range")?.split("-")[1]) + 1;
      const next = client.at(one.headers.get("location") ?? "", started);
      return (await client.patch(next, bytes.subarray(told), told)).ok;
    },
  ],
  ["believes how far an upload is", "stale-range", inChunks(3 * MIB, true)],
  ["believes how far an upload is", "hides-progress", inChunks(3 * MIB, true)],
  ["believes how far an upload is", "miscounts-uploads", inChunks(3 * MIB, true)],
  ["sends chunks of 5 MiB", "small-chunks", inChunks(5 * MIB)],
  ["sends chunks of 3 MiB", "large-chunks", inChunks(3 * MIB)],
  ["sends chunks", "no-chunks", inChunks(3 * MIB)],
  ["sends chunks, and believes the registry", "keeps-last-chunk", inChunks(3 * MIB)],
  ["sends all at once", "small-bodies", putAll],
  ["sends all at once", "no-large-bodies", putAll],
  ["sends all with the last request", "wants-patch", putAll],
  [
    "gives an upload back, and looks whether it was taken",
    "no-cancel",
    async (client) => {
      await client.login(PUSH("b"));
      return ok(client.ask(client.at(await client.begin()), { method: "DELETE" }));
    },
  ],
  [
    "knows no other list of referrers",
    "no-referrers",
    async (client) => (await referrers(client)) === 1,
  ],
  [
    "knows no other list of referrers",
    "referrers-elsewhere",
    async (client) => (await referrers(client)) === 1,
  ],
  [
    "believes that a subject was noted",
    "subject-without-referrers",
    async (client) => {
      const { registry } = client;
      for (const [digest, blob] of sbom.blobs) registry.content.addBlob("b", digest, blob);
      const { headers } = await client.putManifest(sbom.digest, sbom.manifest);
      return headers.has("oci-subject") && (await referrers(client)) === 1;
    },
  ],
  [
    "looks what refers to it before it pushes that",
    "old-referrers",
    async (client) => {
      const before = await referrers(client);
      client.registry.put("a", "more", makeArtifact(list, { seed: "more" }));
      return (await referrers(client)) > before;
    },
  ],
  [
    "compares the sizes that referrers are listed with",
    "wrong-referrer-sizes",
    async (client) => {
      const reply = await client.ask(`/v2/a/referrers/${list.digest}`);
      const [only] = ((await reply.json()) as { manifests: { size: number }[] }).manifests;
      return only?.size === sbom.manifest.bytes.length;
    },
  ],
  [
    "takes what is under the fallback tag for a list",
    "dash-is-digest",
    async (client) =>
      (await client.ask(`/v2/a/manifests/${fallbackTag(list.digest)}`)).status === 404,
  ],
  [
    "asks for many tags at once",
    "small-pages",
    (client) => ok(client.ask("/v2/a/tags/list?n=10000")),
  ],
];

/** Those that show only where somebody must be known. */
const OF_TOKENS: readonly Quirk[] = ["one-scope", "small-headers", "no-delete-scope", "no-cancel"];

async function clientAt(
  quirks: readonly Quirk[],
  isAsked: boolean,
): Promise<Careless & AsyncDisposable> {
  const auth = { kind: "bearer", username: "user", password: "s3cret" } as const;
  const registry = await startRegistry({ quirks, ...(isAsked && { auth }) });
  registry.put("a", "v1", list);
  registry.put("a", "sbom", sbom);
  registry.put("b", "v1", image);
  const close = { [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose]() };
  return Object.assign(new Careless(registry), close);
}

for (const [what, quirk, act] of CARELESS)
  test(`who ${what} fails where it is ${quirk}`, async () => {
    const isAsked = OF_TOKENS.includes(quirk);
    await using plain = await clientAt([], isAsked);
    assert.equal(await act(plain), true, "it fails everywhere");
    await using client = await clientAt([quirk], isAsked);
    assert.equal(await act(client), false, "it is taken");
  });

test("no quirk is without a careless client", () => {
  assert.deepEqual(new Set(CARELESS.map(([, quirk]) => quirk)), new Set(ALL_QUIRKS));
});
