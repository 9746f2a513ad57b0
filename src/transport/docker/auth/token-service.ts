// The token protocol of docker distribution: a challenge and some scopes in, a token out.

import { CopyError } from "../../../errors.ts";
import { isObject, parseJsonObject } from "../../../image/json.ts";
import type { AccessContext } from "../../access.ts";
import type { HttpRequest, Reply } from "../answer.ts";
import type { Challenge } from "./challenge.ts";
import { networkFailure, type Blame } from "../failures.ts";
import { refusalOf } from "../refusals.ts";
import { mayKnow, parseRealm } from "./realms.ts";
import { sendAgain } from "../retry.ts";
import type { Token } from "./tokens.ts";

/** Bytes. */
const TOKEN_LIMIT = 1024 * 1024;

export interface TokenQuestion {
  readonly challenge: Challenge & { readonly scheme: "bearer" };
  /** The registry that named the service. */
  readonly origin: URL;
  readonly scopes: readonly string[];
  readonly access: AccessContext;
  readonly blame: Blame;
  /** What must never be quoted. */
  readonly secrets: readonly string[];
}

/**
 * Asks the token service: with the credentials where it may know them, else as nobody in particular. Throws `*_unauthorized` if it
 * refuses, `registry_*` if it fails or must not be asked.
 */
export async function fetchToken(question: TokenQuestion, signal: AbortSignal): Promise<Token> {
  const { challenge, origin, access, blame, secrets } = question;
  const realm = parseRealm(challenge.realm, origin);
  if (realm === undefined) throw broken("names a token service that must not be asked", blame);
  const { registries } = access;
  const isKnown = mayKnow(realm, origin, registries.tokenServices);
  const request = {
    ...requestFor(realm, isKnown ? access.credentials : undefined, question),
    stall: registries.timing,
  };
  const ask = async () => {
    const answer = await registries.connections(access, realm).request(request, signal);
    return answer.read(TOKEN_LIMIT, signal);
  };
  const reply = await sendAgain(ask, registries.timing.retryMs, signal).catch((error: unknown) => {
    throw networkFailure(error, blame);
  });
  if (reply.status !== 200) throw refusalOf(reply, blame, secrets);
  return parseToken(reply, blame);
}

function requestFor(
  realm: URL,
  credentials: AccessContext["credentials"],
  { challenge: { service }, scopes }: TokenQuestion,
): HttpRequest {
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
function withQuery(url: URL, query: URLSearchParams): URL {
  for (const [name, value] of query) url.searchParams.append(name, value);
  return url;
}

export const basic = ({
  username,
  password,
}: {
  readonly username: string;
  readonly password: string;
}): string => `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;

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
  return { text, expiresIn: Number(expiresIn) || 0 };
}

const broken = (what: string, blame: Blame): CopyError =>
  new CopyError("registry_unavailable", `${blame.registry} ${what}`, blame);
