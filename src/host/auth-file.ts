// An auth file: containers' auth.json (containers-auth.json(5)) or docker's config.json, which differ in what they are called. No I/O.

import { isObject } from "../image/json.ts";
import { lowerHost } from "../image/reference/docker.ts";

/** What a registry is shown. */
export type Login =
  | { readonly username: string; readonly password: string }
  | { readonly identityToken: string };

export interface AuthFile {
  /** By `host[:port][/path]`, the host in lower case as references have it, or by the URLs that old dockers wrote; undefined: there is an entry, with nothing in it. */
  readonly logins: ReadonlyMap<string, Login | undefined>;
  /** Names of helper programs by `host[:port]`. */
  readonly helpers: ReadonlyMap<string, string>;
  /** The helper for everything else. */
  readonly store: string | undefined;
}

/** Where the credentials for something are: in the file, with a helper that knows the server by this name, or nowhere. */
export type Found =
  | { readonly login: Login }
  | { readonly helper: string; readonly server: string }
  | undefined;

const LOGINS = 10_000;
/** What follows `docker-credential-` in a program's name. */
export const HELPER = /^[A-Za-z0-9._-]{1,128}$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Reads an auth file. Throws an Error whose message is the end of a sentence about it, and quotes no secret. */
export function parseAuthFile(text: string): AuthFile {
  const document = objectIn(text);
  const auths = sectionOf(document, "auths");
  if (auths.length > LOGINS) throw new Error(`it has more than ${LOGINS} entries`);
  return {
    logins: new Map(auths.map(([key, entry]) => [lowerHost(key), loginIn(key, entry)])),
    helpers: new Map(
      sectionOf(document, "credHelpers").map(([key, name]) => [
        lowerHost(key),
        helperIn(`credHelpers["${key}"]`, name),
      ]),
    ),
    store: document["credsStore"] ? helperIn("credsStore", document["credsStore"]) : undefined,
  };
}

/** What JSON.parse says quotes the text. */
function objectIn(text: string): Readonly<Record<string, unknown>> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new Error("it is not JSON");
  }
  if (!isObject(document)) throw new Error("it is not a JSON object");
  return document;
}

function sectionOf(
  document: Readonly<Record<string, unknown>>,
  name: string,
): readonly (readonly [string, unknown])[] {
  const section = document[name] ?? {};
  if (!isObject(section)) throw new Error(`\`${name}\` is not an object`);
  return Object.entries(section);
}

/** `auth` is base64 of `user:password`, with zero bytes around the password that some old tools left there. */
function loginIn(key: string, entry: unknown): Login | undefined {
  const at = `\`auths["${key}"]\``;
  if (!isObject(entry)) throw new Error(`${at} is not an object`);
  const { auth = "", identitytoken = "" } = entry;
  if (typeof auth !== "string" || typeof identitytoken !== "string")
    throw new Error(`${at}: \`auth\` and \`identitytoken\` must be strings`);
  if (!BASE64.test(auth)) throw new Error(`${at}: \`auth\` is not base64`);
  if (identitytoken !== "") return { identityToken: identitytoken };
  const decoded = Buffer.from(auth, "base64").toString();
  const colon = decoded.indexOf(":");
  if (colon < 0) return undefined;
  const password = decoded.slice(colon + 1).replaceAll(/^\0+|\0+$/g, "");
  return { username: decoded.slice(0, colon), password };
}

function helperIn(at: string, name: unknown): string {
  if (typeof name !== "string" || !HELPER.test(name))
    throw new Error(
      `\`${at}\` must be the end of a program's name: letters, digits, \`.\`, \`_\` and \`-\``,
    );
  return name;
}

/**
 * Where the credentials for a repository are (semantics 8.2, step 4): the host's own helper; the entry that names most of the path; an
 * entry that is the host in another spelling; the helper for everything, as docker has it. `registry` is `host[:port]`.
 */
export function findLogin(file: AuthFile, registry: string, repository: string): Found {
  const helper = file.helpers.get(registry);
  if (helper !== undefined) return { helper, server: registry };
  const key =
    keysFor(registry, repository).find((key) => file.logins.has(key)) ??
    [...file.logins.keys()].find((key) => hostIn(key) === canonical(registry));
  const login = key === undefined ? undefined : file.logins.get(key);
  if (login !== undefined) return { login };
  return file.store === undefined ? undefined : { helper: file.store, server: storedAs(registry) };
}

/** `host/a/b`, `host/a`, `host`. */
function keysFor(registry: string, repository: string): readonly string[] {
  const parts = [registry, ...repository.split("/")];
  return parts.map((_, i) => parts.slice(0, parts.length - i).join("/"));
}

/** Old dockers wrote `https://host/v1/`. A path without a scheme is one that must match as it is. */
function hostIn(key: string): string {
  const bare = key.replace(/^http:\/\//, "").replace(/^https:\/\//, "");
  return canonical(bare === key ? key : (bare.split("/", 1)[0] as string));
}

const canonical = (registry: string): string =>
  registry === "docker.io" || registry === "registry-1.docker.io" ? "index.docker.io" : registry;

/** What docker calls its own registry when it asks `credsStore`. */
const storedAs = (registry: string): string =>
  registry === "docker.io" ? "https://index.docker.io/v1/" : registry;
