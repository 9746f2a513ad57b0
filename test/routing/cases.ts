// Every way in which a registry can name another origin, and the ways in which a client shows who it is.

import type { RegistryAuth } from "../support/registry-auth.ts";
import type { TestRegistry } from "../support/registry.ts";
import type { Asks, Secrets, Sentinel } from "./sentinel.ts";

export const SECRETS: Secrets = {
  username: "ada-l0velace",
  password: "pass-w0rd",
  identityToken: "identity-t0ken",
  registryToken: "registry-t0ken",
};

/** What a client does; `patch`: it pushes a blob whose digest it does not know yet. */
export type Act = "pull" | "push" | "patch" | "tags" | "referrers" | "mirror" | "foreign";
export type Kind = "password" | "identityToken" | "registryToken" | "basic";

export interface Case {
  readonly name: string;
  readonly act: Act;
  readonly kind: Kind;
  readonly asks: Asks;
  /** The sentinel's name; absent: another one than the registry's. */
  readonly host?: string;
  /** The registry's token service. */
  readonly realm?: (sentinel: Sentinel) => string;
  readonly prepare?: (registry: TestRegistry, sentinel: Sentinel) => void;
  /** What the sentinel sees of us; absent: requests without secrets. `refused`: nothing at all. `may-know`: it is to see them. */
  readonly we?: "refused" | "may-know";
  /** Can skopeo be made to do it? "leaks": it shows secrets. */
  readonly skopeo?: "safe" | "leaks";
}

const KINDS = ["password", "identityToken", "registryToken", "basic"] as const;

/** A request is answered with a redirect to the same path at the sentinel. */
const redirects =
  (what: `${string} ${"manifests" | "blobs" | "tags" | "referrers"}`, path: string) =>
  (registry: TestRegistry, { url }: Sentinel): void =>
    registry.fail(what, { status: 307, headers: { Location: `${url}${path}` } });

/** An upload goes on at the sentinel: from its beginning, or after its PATCH. */
const goesOn =
  (after: "POST" | "PATCH") =>
  (registry: TestRegistry, { url }: Sentinel): void =>
    registry.fail(`${after} uploads`, {
      status: 202,
      headers: { Location: `${url}/v2/to/blobs/uploads/1` },
    });

const nextPage =
  (what: "GET tags" | "GET referrers", path: string, body: object) =>
  (registry: TestRegistry, { url }: Sentinel): void =>
    registry.fail(what, {
      status: 200,
      headers: {
        Link: `<${url}${path}>; rel="next"`,
        "Content-Type": "application/vnd.oci.image.index.v1+json",
      },
      body: JSON.stringify(body),
    });

const DIGEST = `sha256:${"0".repeat(64)}`;
const BOTH = ["bearer", "basic"] as const;

/** Cases for each kind of credentials, where the sentinel asks as well. */
const each = (base: Omit<Case, "kind" | "asks">, kinds: readonly Kind[] = KINDS): readonly Case[] =>
  kinds.flatMap((kind) => BOTH.map((asks) => ({ ...base, kind, asks })));

/** What skopeo can be driven to. It cannot be given a registry token on its command line alone, so those cases are ours only. */
const beside = (cases: readonly Case[], skopeo: NonNullable<Case["skopeo"]>): readonly Case[] =>
  cases.map((c) => (c.kind === "registryToken" ? c : { ...c, skopeo }));

export const CASES: readonly Case[] = [
  ...beside(
    each({
      name: "GET of a manifest is redirected",
      act: "pull",
      prepare: redirects("GET manifests", "/v2/a/manifests/v1"),
    }),
    "safe",
  ),
  ...beside(
    each({
      name: "GET of a blob is redirected",
      act: "pull",
      prepare: redirects("GET blobs", `/v2/a/blobs/${DIGEST}`),
    }),
    "safe",
  ),
  ...each({
    name: "HEAD of a manifest is redirected",
    act: "push",
    prepare: redirects("HEAD manifests", "/v2/to/manifests/v1"),
  }),
  ...beside(
    each({
      name: "HEAD of a blob is redirected",
      act: "push",
      prepare: redirects("HEAD blobs", `/v2/to/blobs/${DIGEST}`),
    }),
    "safe",
  ),
  ...beside(
    each({
      name: "GET of tags is redirected",
      act: "tags",
      prepare: redirects("GET tags", "/v2/a/tags/list"),
    }),
    "safe",
  ),
  ...each({
    name: "GET of referrers is redirected",
    act: "referrers",
    prepare: redirects("GET referrers", `/v2/a/referrers/${DIGEST}`),
  }),
  ...each({
    name: "the next page of tags is elsewhere",
    act: "tags",
    we: "refused",
    prepare: nextPage("GET tags", "/v2/a/tags/list", { tags: ["v1"] }),
  }),
  ...each({
    name: "the next page of referrers is elsewhere",
    act: "referrers",
    we: "refused",
    prepare: nextPage("GET referrers", `/v2/a/referrers/${DIGEST}`, {
      schemaVersion: 2,
      manifests: [],
    }),
  }),
  ...beside(
    each({
      name: "an upload goes on elsewhere (PUT, DELETE)",
      act: "push",
      prepare: goesOn("POST"),
    }),
    "leaks",
  ),
  ...each({ name: "an upload goes on elsewhere (PATCH)", act: "patch", prepare: goesOn("POST") }),
  ...each({
    name: "an upload goes on elsewhere after its PATCH",
    act: "patch",
    prepare: goesOn("PATCH"),
  }),
  {
    name: "the token service is elsewhere",
    act: "pull",
    kind: "password",
    asks: "open",
    realm: ({ url }) => `${url}/token`,
    skopeo: "leaks",
  },
  {
    name: "the token service is elsewhere",
    act: "push",
    kind: "password",
    asks: "open",
    realm: ({ url }) => `${url}/token`,
    skopeo: "leaks",
  },
  {
    name: "the token service is elsewhere",
    act: "pull",
    kind: "identityToken",
    asks: "open",
    realm: ({ url }) => `${url}/token`,
    skopeo: "leaks",
  },
  {
    name: "the token service is elsewhere and wants basic",
    act: "pull",
    kind: "password",
    asks: "basic",
    realm: ({ url }) => `${url}/elsewhere`,
  },
  {
    name: "the token service has a user in its address",
    act: "pull",
    kind: "password",
    asks: "open",
    we: "refused",
    realm: ({ host }) => `http://ada@${host}/token`,
    skopeo: "leaks",
  },
  {
    name: "the token service has another scheme",
    act: "pull",
    kind: "password",
    asks: "open",
    we: "refused",
    realm: ({ host }) => `ftp://${host}/token`,
  },
  {
    name: "the token service is at the same host, another port",
    act: "pull",
    kind: "password",
    asks: "open",
    host: "127.0.0.1",
    we: "may-know",
    realm: ({ url }) => `${url}/token`,
    skopeo: "leaks",
  },
  ...each({
    name: "GET of a blob is redirected to another port of the same host",
    act: "pull",
    host: "127.0.0.1",
    prepare: redirects("GET blobs", `/v2/a/blobs/${DIGEST}`),
  }),
  ...each({
    name: "an upload goes on at another port of the same host",
    act: "push",
    host: "127.0.0.1",
    prepare: goesOn("POST"),
  }),
  ...each({ name: "a mirror is elsewhere", act: "mirror" }),
  ...each({ name: "a layer is kept elsewhere", act: "foreign" }),
];

export const authOf = ({ kind, realm }: Case, sentinel: Sentinel): RegistryAuth => {
  const { username, password, identityToken, registryToken } = SECRETS;
  if (kind === "basic") return { kind, username, password };
  return {
    kind: "bearer",
    username,
    password,
    identityToken,
    registryToken,
    ...(realm && { realm: realm(sentinel) }),
  };
};
