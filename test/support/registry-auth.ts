// Who may do what at the test registry: nobody asks, HTTP basic, or the token protocol of docker distribution.

import { randomUUID } from "node:crypto";
import { Refusal } from "./registry-content.ts";
import type { Quirk } from "./registry-quirks.ts";

export type RegistryAuth =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  | {
      readonly kind: "bearer";
      readonly username?: string;
      readonly password?: string;
      /** Taken as `refresh_token`. */
      readonly identityToken?: string;
      /** A token that is good for everything, without the token endpoint. */
      readonly registryToken?: string;
      /** Tokens for pulling are given without credentials. */
      readonly anonymousPull?: boolean;
      /** Seconds: announced and kept. Default 300. */
      readonly expiresIn?: number;
      /** The clock that `issued_at` is read from is wrong by so many seconds. Absent: there is no `issued_at`. */
      readonly clockSkew?: number;
      /** A token must be for this scope besides what a request needs. */
      readonly besides?: string;
      /** Only `/v2/` says how to authenticate. */
      readonly silent?: boolean;
      /** `elsewhere`: the token endpoint is on the other origin. Any other text stands in the challenge as it is. */
      readonly realm?: string;
    };

interface Token {
  readonly access: ReadonlySet<string>;
  readonly scopes: readonly string[];
  readonly expires: number;
}

/** What a request needs: `repository` and `pull` or `push`. Absent for `/v2/` itself. */
export interface Need {
  readonly repository: string;
  readonly action: "pull" | "push" | "delete";
}

export class Gate {
  readonly #auth: RegistryAuth | undefined;
  readonly #realm: () => string;
  readonly #quirks: ReadonlySet<Quirk>;
  readonly #tokens = new Map<string, Token>();
  readonly #bytesPerScope: number;

  constructor(auth: RegistryAuth | undefined, realm: () => string, quirks: ReadonlySet<Quirk>) {
    this.#bytesPerScope = [...quirks].includes("small-headers") ? 1000 : 0;
    this.#quirks = quirks;
    this.#auth = auth;
    this.#realm = realm;
  }

  /** From now on every token that was given is unknown. */
  revoke(): void {
    this.#tokens.clear();
  }

  /** The challenge to answer with, or undefined if the request may pass; "": it must not, and nothing is said of how it might. */
  challenge(authorization: string | undefined, need: Need | undefined): string | undefined {
    const auth = this.#auth;
    if (auth === undefined) return undefined;
    if (auth.kind === "basic")
      return authorization === basic(auth.username, auth.password)
        ? undefined
        : 'Basic realm="test"';
    const scope =
      need && `repository:${need.repository}:${need.action === "push" ? "pull,push" : need.action}`;
    if (need !== undefined && auth.silent === true && authorization === undefined) return "";
    const named = [scope, auth.besides].filter((text) => text !== undefined).join(" ");
    const challenge = `Bearer realm="${this.#realm()}",service="test"${named === "" ? "" : `,scope="${named}"`}`;
    const [scheme, text] = (authorization ?? "").split(" ", 2) as [string, string | undefined];
    if (scheme !== "Bearer" || text === undefined) return challenge;
    if (text === auth.registryToken) return undefined;
    const token = this.#tokens.get(text);
    if (token === undefined || token.expires <= Date.now())
      return `${challenge},error="invalid_token"`;
    const isEnough = auth.besides === undefined || token.scopes.includes(auth.besides);
    if (need === undefined || (isEnough && token.access.has(`${need.repository}:${need.action}`)))
      return undefined;
    return `${challenge},error="insufficient_scope"`;
  }

  /** May the holder of this authorization pull from the other repository too (cross-repository mount)? */
  mayPull(authorization: string | undefined, repository: string): boolean {
    return this.challenge(authorization, { repository, action: "pull" }) === undefined;
  }

  /** The token endpoint, GET (query) or POST (form). */
  issue(method: string, parameters: URLSearchParams, authorization: string | undefined): object {
    const auth = this.#auth;
    if (auth?.kind !== "bearer") throw new Refusal(404, "NOT_FOUND");
    const known = this.#isKnown(auth, method, parameters, authorization);
    const access = new Set<string>();
    const asked = parameters.getAll("scope").flatMap((text) => text.split(" "));
    const scopes = asked.length > 1 && this.#quirks.has("one-scope") ? asked.slice(-1) : asked;
    if (asked.some((scope) => actionsOf(scope).includes("delete")))
      if (this.#quirks.has("no-delete-scope")) throw new Refusal(400, "INVALID_REQUEST");
    for (const scope of scopes) {
      const repository = scope.split(":")[1] ?? "";
      for (const action of actionsOf(scope).filter((each) => this.#mayBeGiven(each)))
        if (known || (auth.anonymousPull === true && action === "pull"))
          access.add(`${repository}:${action}`);
    }
    const text = `token-${randomUUID()}${"+".repeat(this.#bytesPerScope * scopes.length)}`;
    const expiresIn = auth.expiresIn ?? 300;
    const now = Date.now();
    this.#tokens.set(text, { access, scopes, expires: now + expiresIn * 1000 });
    return {
      [method === "POST" ? "access_token" : "token"]: text,
      expires_in: expiresIn,
      ...(auth.clockSkew !== undefined && {
        issued_at: new Date(now + auth.clockSkew * 1000).toISOString(),
      }),
    };
  }

  #mayBeGiven(action: string): boolean {
    return action !== "delete" || !this.#quirks.has("no-cancel");
  }

  #isKnown(
    auth: RegistryAuth & { readonly kind: "bearer" },
    method: string,
    parameters: URLSearchParams,
    authorization: string | undefined,
  ): boolean {
    if (method === "POST") {
      if (
        auth.identityToken !== undefined &&
        parameters.get("refresh_token") === auth.identityToken
      )
        return true;
      throw new Refusal(401, "UNAUTHORIZED", "the refresh token is not known");
    }
    if (authorization === undefined) return false;
    if (authorization === basic(auth.username ?? "", auth.password ?? "")) return true;
    throw new Refusal(401, "UNAUTHORIZED", "incorrect username or password");
  }
}

/** `pull` and `push` of `repository:a/b:pull,push`. */
const actionsOf = (scope: string): readonly string[] => scope.split(":")[2]?.split(",") ?? [];

const basic = (username: string, password: string): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
