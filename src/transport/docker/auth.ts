// Which Authorization a request gets, and where credentials may go at all (reliability 1.3, F7): to the registry's own origin, and to
// a token service of the same host or registrable domain. Any other token service is asked as nobody in particular.

import { createHash } from "node:crypto";
import { CopyError } from "../../errors.ts";
import { isObject, parseJsonObject } from "../../image/json.ts";
import type { AccessContext } from "../access.ts";
import type { HttpRequest, Reply } from "./answer.ts";
import { chooseChallenge, type Challenge } from "./challenge.ts";
import { networkFailure, refusalOf, type Blame } from "./failures.ts";
import { identityKey } from "./registries.ts";
import { sendAgain } from "./retry.ts";
import type { Token } from "./tokens.ts";

const TOKEN_LIMIT = 1024 * 1024;
const REALM_LIMIT = 2048;

type Bearer = Challenge & { readonly scheme: "bearer" };

/** Authenticates the requests of one side of one job at one registry. */
export class Authenticator {
  readonly #access: AccessContext;
  readonly #registry: string;
  readonly #identity: string;
  readonly #fingerprint: string;

  constructor(registry: string, access: AccessContext) {
    this.#access = access;
    this.#registry = registry;
    this.#identity = identityKey(access);
    this.#fingerprint = createHash("sha256")
      .update(JSON.stringify(access.credentials ?? null))
      .digest("hex");
  }

  /** What must never be quoted. */
  get secrets(): readonly string[] {
    const { credentials } = this.#access;
    if (credentials === undefined) return [];
    if ("password" in credentials)
      return [credentials.password, basic(credentials).slice("Basic ".length)];
    return Object.values(credentials);
  }

  /**
   * The Authorization for a request to `origin`, by what the registry has asked for before; undefined: none. Scopes are those of the
   * token protocol, such as `repository:a/b:pull`. `lasting`: the request cannot be repeated, so its token must not be about to end.
   * Throws `*_unauthorized` if the token service refuses the credentials, and `registry_*` if it fails.
   */
  async authorize(
    origin: string,
    scopes: readonly string[],
    lasting: boolean,
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { credentials, registries } = this.#access;
    if (credentials !== undefined && "registryToken" in credentials)
      return `Bearer ${credentials.registryToken}`;
    const challenge = registries.challenges.get(this.#challengeKey(origin));
    if (challenge === undefined) return undefined;
    if (challenge.scheme === "basic") {
      return credentials !== undefined && "password" in credentials
        ? basic(credentials)
        : undefined;
    }
    const fetch = (signal: AbortSignal) =>
      this.#fetchToken(new URL(origin), challenge, scopes, signal);
    const token = await registries.tokens.get(
      this.#tokenKey(challenge, scopes),
      lasting,
      fetch,
      signal,
    );
    return `Bearer ${token}`;
  }

  /** Takes in a 401: remembers what it asks for, and forgets the token that was refused. */
  learn(
    origin: string,
    scopes: readonly string[],
    used: string | undefined,
    answer: Pick<Reply, "headers">,
  ): void {
    const challenge = chooseChallenge(answer.headers["www-authenticate"]);
    if (challenge === undefined) return;
    const { challenges, tokens } = this.#access.registries;
    challenges.set(this.#challengeKey(origin), challenge);
    if (challenge.scheme === "bearer" && used?.startsWith("Bearer "))
      tokens.forget(this.#tokenKey(challenge, scopes), used.slice("Bearer ".length));
  }

  #challengeKey(origin: string): string {
    return `${this.#identity} ${origin}`;
  }

  #tokenKey({ realm, service }: Bearer, scopes: readonly string[]): string {
    return JSON.stringify([
      this.#identity,
      this.#registry,
      this.#fingerprint,
      realm,
      service,
      ...scopes,
    ]);
  }

  async #fetchToken(
    origin: URL,
    challenge: Bearer,
    scopes: readonly string[],
    signal: AbortSignal,
  ): Promise<Token> {
    const blame: Blame = { side: this.#access.side, registry: this.#registry, phase: "token" };
    const realm = parseRealm(challenge.realm, origin);
    if (realm === undefined) throw broken("names a token service that must not be asked", blame);
    const request = this.#tokenRequest(realm, mayKnow(realm, origin), challenge.service, scopes);
    const connections = this.#access.registries.connections(this.#access);
    const ask = async () => (await connections.request(request, signal)).read(TOKEN_LIMIT, signal);
    const reply = await sendAgain(ask, signal).catch((error: unknown) => {
      throw networkFailure(error, blame);
    });
    if (reply.status !== 200) throw refusalOf(reply, blame, this.secrets);
    return parseToken(reply, blame);
  }

  #tokenRequest(
    realm: URL,
    trusted: boolean,
    service: string | undefined,
    scopes: readonly string[],
  ): HttpRequest {
    const credentials = trusted ? this.#access.credentials : undefined;
    const query = new URLSearchParams(scopes.map((scope) => ["scope", scope]));
    if (service !== undefined) query.set("service", service);
    const headers = { accept: "application/json", "user-agent": "transship" };
    if (credentials !== undefined && "identityToken" in credentials) {
      query.set("grant_type", "refresh_token");
      query.set("client_id", "transship");
      query.set("refresh_token", credentials.identityToken);
      const form = { ...headers, "content-type": "application/x-www-form-urlencoded" };
      return { method: "POST", url: realm, headers: form, body: Buffer.from(query.toString()) };
    }
    const url = new URL(realm);
    if (credentials === undefined || !("password" in credentials))
      return { method: "GET", url: withQuery(url, query), headers };
    query.set("account", credentials.username);
    const isComplete = credentials.username !== "" && credentials.password !== "";
    return {
      method: "GET",
      url: withQuery(url, query),
      headers: { ...headers, ...(isComplete && { authorization: basic(credentials) }) },
    };
  }
}

function withQuery(url: URL, query: URLSearchParams): URL {
  for (const [name, value] of query) url.searchParams.append(name, value);
  return url;
}

const basic = ({
  username,
  password,
}: {
  readonly username: string;
  readonly password: string;
}): string => `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

/** The realm's address, or undefined where it must not be contacted: no URL, with user info, or without TLS for a registry that has it. */
function parseRealm(realm: string, registry: URL): URL | undefined {
  const url = realm.length <= REALM_LIMIT ? URL.parse(realm) : null;
  if (url === null || url.username !== "" || url.password !== "") return undefined;
  if (url.protocol === "https:" || (url.protocol === "http:" && registry.protocol === "http:"))
    return url;
  return undefined;
}

/** May the credentials for this registry be shown to that token service? */
function mayKnow(realm: URL, registry: URL): boolean {
  if (realm.hostname === registry.hostname) return true;
  const domain = registrableDomain(realm.hostname);
  return domain !== undefined && domain === registrableDomain(registry.hostname);
}

/**
 * The part of a name that somebody registered, by a simple rule: two labels, or three where the second looks like a country's own
 * division (`co.uk`, `com.au`). Undefined for addresses and single labels: those are compared whole.
 */
export function registrableDomain(host: string): string | undefined {
  const labels = host.split(".");
  const last = labels.at(-1) ?? "";
  if (labels.length < 2 || host.startsWith("[") || !Number.isNaN(Number(last))) return undefined;
  const isDivision = last.length === 2 && (labels.at(-2) ?? "").length <= 3;
  return isDivision && labels.length < 3 ? undefined : labels.slice(isDivision ? -3 : -2).join(".");
}

function parseToken(reply: Reply, blame: Blame): Token {
  let document: unknown;
  try {
    document = reply.whole ? parseJsonObject(reply.body) : undefined;
  } catch {
    document = undefined;
  }
  if (!isObject(document)) throw broken("has a token service that does not answer in JSON", blame);
  const text = document["token"] || document["access_token"];
  const expiresIn = document["expires_in"];
  if (typeof text !== "string" || !/^[\x21-\x7e]+$/.test(text))
    throw broken("has a token service that gave no token", blame);
  return { text, expiresIn: typeof expiresIn === "number" ? expiresIn : 0 };
}

const broken = (what: string, blame: Blame): CopyError =>
  new CopyError("registry_unavailable", `${blame.registry} ${what}`, blame);
