// The places where an address comes from the other side, or from the request: each with the way that makes the service meet it.

import { fromBuffer } from "../../src/bytes.ts";
import type { Destination, Source } from "../../src/copy/interfaces.ts";
import { parseDockerReference } from "../../src/image/reference/docker.ts";
import type { Registries } from "../../src/transport/docker/registries.ts";
import { openDockerDestination } from "../../src/transport/docker/destination.ts";
import { openDockerSource } from "../../src/transport/docker/source.ts";
import { listDockerTags } from "../../src/transport/docker/tags.ts";
import { OCI_INDEX } from "../../src/image/media-types.ts";
import { collect } from "../support/bytes.ts";
import { accessTo, never } from "../support/folders.ts";
import { makeImage } from "../support/images.ts";
import type { Fault, Kind } from "../support/registry-http.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";

/** Where the registry that names the addresses is; nothing else below 127.0.0.0/8 may be reached. */
export const REGISTRY_ADDRESS = "127.77.0.1";

/** One with an image, at that address. */
export async function startNamer(): Promise<TestRegistry> {
  const registry = await startRegistry({ address: REGISTRY_ADDRESS });
  registry.put("a", "v1", image);
  return registry;
}

export interface Place {
  readonly name: string;
  /**
   * `rule`: the egress rule alone is between the address and a connection, so that it is reached where the rule allows it. `never`: an
   * address here is not followed at all, or not to another host.
   */
  readonly guard: "rule" | "never";
  /** The operator's registries.conf, with the address's host in it; `own` is the registry's. */
  readonly conf?: (host: string, own: string) => string;
  /** Makes the service meet the address, by the answers of the registry; throws what the service throws. */
  readonly visit: (url: string, registries: Registries, registry: TestRegistry) => Promise<unknown>;
}

const image = makeImage();
const layer = image.layers[0] ?? image.config;
/** Its layers no registry here has: what is sent must not be found there afterwards. */
const other = makeImage({ seed: "elsewhere" });
const elsewhere = other.layers[0] ?? other.config;
const bytes = other.blobs.get(elsewhere.digest) ?? Buffer.alloc(0);
const NO_REFERRERS = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] };
const REDIRECTS = [301, 302, 303, 307, 308] as const;

/** A table of registries.conf: `registry.test` is at this host. */
const tableAt = (host: string): string =>
  `[[registry]]\nprefix = "registry.test"\nlocation = ${JSON.stringify(host)}\ninsecure = true\n`;

type Act = (host: string, registries: Registries) => Promise<unknown>;

const atSource =
  (act: (source: Source) => Promise<unknown>): Act =>
  async (host, registries) => {
    const access = accessTo("/nonexistent", "source", { registries, tlsVerify: false });
    await using source = await openDockerSource(reference(host), access, never);
    return await act(source);
  };
const atDestination =
  (act: (destination: Destination) => Promise<unknown>): Act =>
  async (host, registries) => {
    const access = accessTo("/nonexistent", "destination", { registries, tlsVerify: false });
    await using destination = await openDockerDestination(reference(host), access, never);
    return await act(destination);
  };
/** As the operator's registries.conf says, of TLS too. */
const getConfigured = async (host: string, registries: Registries): Promise<unknown> => {
  const { tlsVerify: _, ...access } = accessTo("/nonexistent", "source", { registries });
  await using source = await openDockerSource(reference(host), access, never);
  return await source.getManifest(undefined, never);
};
const reference = (host: string) => parseDockerReference(`${host}/a:v1`, `${host}/a:v1`);

const getManifest = atSource((source) => source.getManifest(undefined, never));
const getInstance = atSource((source) => source.getManifest(image.digest, never));
const getBlob = atSource(async (source) => collect((await source.getBlob(layer, never)).content));
/** A layer that the registry does not have, and says to be elsewhere. */
const getForeign =
  (urlAt: (host: string) => string): Act =>
  (host, registries) =>
    atSource(async (source) => {
      const blob = { ...elsewhere, urls: [urlAt(host)] };
      return collect((await source.getBlob(blob, never)).content);
    })(host, registries);
const getReferrers = atSource((source) => source.getReferrers(image.digest, never));
const findManifest = atDestination((destination) => destination.findManifest(undefined, never));
const findBlob = atDestination((destination) => destination.findBlob(layer, never));
const putManifest = atDestination((destination) =>
  destination.putManifest(image.manifest, undefined, never),
);
const putKnown = atDestination((destination) =>
  destination.putBlob({ info: elsewhere, content: fromBuffer(bytes) }, never),
);
const putAgain = atDestination((destination) =>
  destination.putBlob(
    {
      info: elsewhere,
      content: fromBuffer(bytes),
      again: (span) => fromBuffer(bytes.subarray(span.from, span.to)),
    },
    never,
  ),
);
const putUnknown = atDestination((destination) =>
  destination.putBlob({ info: { mediaType: "x" }, content: fromBuffer(bytes) }, never),
);
const mountAndPut = atDestination(async (destination) => {
  const { location } = destination;
  if (location === undefined) throw new Error("a registry has a location");
  await destination.mountBlob(layer, { ...location, repository: "other" }, never);
  await destination.putBlob({ info: elsewhere, content: fromBuffer(bytes) }, never);
});
const listTags: Act = async (host, registries) =>
  await listDockerTags(
    reference(host),
    accessTo("/nonexistent", "source", { registries, tlsVerify: false }),
    never,
  );

/** What the registry answers, in the order in which it is met. */
type Trap = readonly (readonly [
  what: `${string} ${Kind}`,
  fault: (url: string, own: string) => Fault,
])[];

const trapped =
  (act: Act, trap: Trap): Place["visit"] =>
  async (url, registries, registry) => {
    registry.heal();
    for (const [what, fault] of trap) registry.fail(what, fault(ascii(url), registry.url));
    return await act(registry.host, registries);
  };

const located =
  (status: number) =>
  (url: string): Fault => ({ status, headers: { location: url } });
const linked =
  (body: object, type: string) =>
  (url: string): Fault => ({
    status: 200,
    headers: { link: `<${url}>; rel="next"`, "content-type": type },
    body: JSON.stringify(body),
  });

/** Requests whose redirects are followed, and those whose are not. */
const FOLLOWED: readonly (readonly [`${string} ${Kind}`, Act, string?])[] = [
  ["GET manifests", getManifest],
  ["GET manifests", getInstance, "by digest"],
  ["GET blobs", getBlob],
  ["HEAD manifests", findManifest],
  ["HEAD blobs", findBlob],
  ["GET tags", listTags],
];
const NOT_FOLLOWED: readonly (readonly [`${string} ${Kind}`, Act, string?])[] = [
  ["POST uploads", putKnown],
  ["PUT uploads", putKnown],
  ["PATCH uploads", putUnknown],
  ["PUT manifests", putManifest],
];

const redirects = (
  guard: Place["guard"],
  requests: typeof FOLLOWED,
  before: Trap = [],
): readonly Place[] =>
  requests.flatMap(([what, act, how]) =>
    REDIRECTS.map((status) => ({
      name: `${status} of ${what}${how === undefined ? "" : ` ${how}`}`,
      guard,
      visit: trapped(act, [...before, [what, located(status)]]),
    })),
  );

const challenging = (url: string): Fault => ({
  status: 401,
  headers: { "www-authenticate": `Bearer realm="${url}"` },
});
/** The registry's own token service is asked. */
const ASKS_OWN: Trap[number] = ["GET manifests", (_, own) => challenging(`${own}/token`)];

export const PLACES: readonly Place[] = [
  {
    name: "reference of a source",
    guard: "rule",
    visit: (url, registries) => getManifest(hostIn(url), registries),
  },
  {
    name: "reference of a destination",
    guard: "rule",
    visit: (url, registries) => putKnown(hostIn(url), registries),
  },
  {
    name: "reference whose tags are listed",
    guard: "rule",
    visit: (url, registries) => listTags(hostIn(url), registries),
  },
  {
    name: "reference that registries.conf rewrites",
    guard: "rule",
    conf: (host) => tableAt(host),
    visit: (_, registries) => getConfigured("registry.test", registries),
  },
  {
    // Where the mirror fails the registry is asked, and says no.
    name: "reference with a mirror in registries.conf",
    guard: "rule",
    conf: (host, own) =>
      `${tableAt(own)}[[registry.mirror]]\nlocation = ${JSON.stringify(host)}\ninsecure = true\n`,
    visit: (url, registries, registry) =>
      trapped(
        () => getConfigured("registry.test", registries),
        [["GET manifests", () => ({ status: 507 })]],
      )(url, registries, registry),
  },
  ...redirects("rule", FOLLOWED),
  // A registry may send on to a page for people: what another host says of referrers counts as "there are none".
  ...redirects("rule", [["GET referrers", getReferrers]]),
  ...redirects("never", NOT_FOLLOWED),
  ...redirects("never", [["GET token", getManifest]], [ASKS_OWN]),
  {
    name: "realm of a challenge",
    guard: "rule",
    visit: trapped(getManifest, [["GET manifests", challenging]]),
  },
  {
    name: "Location of an upload, before PUT",
    guard: "rule",
    visit: trapped(putKnown, [["POST uploads", located(202)]]),
  },
  {
    name: "Location of an upload, before PATCH",
    guard: "rule",
    visit: trapped(putUnknown, [["POST uploads", located(202)]]),
  },
  {
    name: "Location after PATCH",
    guard: "rule",
    visit: trapped(putUnknown, [["PATCH uploads", located(202)]]),
  },
  {
    name: "Location of an upload that is asked how far it is",
    guard: "rule",
    visit: trapped(putAgain, [
      ["PUT uploads", () => ({ status: 503 })],
      ["GET uploads", (url) => ({ status: 204, headers: { location: url, range: "0-0" } })],
    ]),
  },
  {
    name: "Location instead of a mount",
    guard: "rule",
    visit: trapped(mountAndPut, [["POST uploads", located(202)]]),
  },
  {
    name: "Link of a list of tags",
    guard: "never",
    visit: trapped(listTags, [
      ["GET tags", linked({ name: "a", tags: ["v1"] }, "application/json")],
    ]),
  },
  {
    name: "Link of a list of referrers",
    guard: "never",
    visit: trapped(getReferrers, [["GET referrers", linked(NO_REFERRERS, OCI_INDEX)]]),
  },
  {
    name: "a layer's urls",
    guard: "rule",
    visit: (url, registries, registry) =>
      trapped(
        getForeign(() => url),
        [],
      )(url, registries, registry),
  },
  {
    name: "redirect of a layer's url",
    guard: "rule",
    visit: trapped(
      getForeign((host) => `http://${host}/v2/b/blobs/${elsewhere.digest}`),
      [
        ["GET blobs", () => ({ status: 404, times: 1 })],
        ["GET blobs", located(307)],
      ],
    ),
  },
];

/** As a header can have it: the URL parser undoes this. */
const ascii = (url: string): string => url.replaceAll(/[^ -~]/gu, encodeURIComponent);

/** `host:port` as the address has it, without any normalising. */
export const hostIn = (url: string): string =>
  url.replace(/^[a-z]+:\/\//, "").split("/", 1)[0] ?? "";
