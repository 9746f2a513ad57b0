// Which Authorization a request gets (reliability 1.3, F7): credentials go to the registry's own origin, and to a token service that
// realms.ts lets know them. Any other token service is asked as nobody in particular.

import type { CopyError } from "../../../errors.ts";
import type { AccessContext } from "../../access.ts";
import type { Reply } from "../answer.ts";
import { chooseChallenge, lacksDeletion, scopesMissing, type Challenge } from "./challenge.ts";
import type { Blame } from "../failures.ts";
import { refusalOf } from "../refusals.ts";
import { mayKnow, parseRealm, withheld } from "./realms.ts";
import { credentialsKey } from "../registries.ts";
import { tlsKey } from "../tls.ts";
import { basic, fetchToken } from "./token-service.ts";

/** That a registry can ask for besides our own. */
const SCOPES = 8;

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
    this.#identity = tlsKey(access);
    this.#fingerprint = credentialsKey(access);
  }

  /** A name for the credentials, for this process only: whoever has it can try passwords. */
  get fingerprint(): string {
    return this.#fingerprint;
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
   * token protocol, such as `repository:a/b:pull`. A token has time left by its service's own word, as a body that can be sent only once
   * needs it. Throws `*_unauthorized` if the token service refuses the credentials, and `registry_*` if it fails.
   */
  async authorize(
    origin: string,
    scopes: readonly string[],
    signal: AbortSignal,
  ): Promise<string | undefined> {
    const { credentials, registries } = this.#access;
    if (credentials !== undefined && "registryToken" in credentials)
      return `Bearer ${credentials.registryToken}`;
    const challenge = this.#challengeFor(origin, scopes);
    if (challenge === undefined || challenge.scheme === "none") return undefined;
    if (challenge.scheme === "basic") {
      return credentials !== undefined && "password" in credentials
        ? basic(credentials)
        : undefined;
    }
    const wanted = this.#wanted(scopes);
    const { side } = this.#access;
    const question = {
      challenge,
      origin: new URL(origin),
      scopes: wanted,
      access: this.#access,
      blame: { side, registry: this.#registry, phase: "token" },
      secrets: this.secrets,
    } as const;
    const fetch = (signal: AbortSignal) => fetchToken(question, signal);
    const token = await registries.tokens.get(this.#tokenKeys(challenge, wanted), fetch, signal);
    return `Bearer ${token}`;
  }

  /**
   * Takes in a 401: remembers what it asks for, and forgets the token that was refused. False: it says nothing of how to authenticate,
   * and nothing was known before.
   */
  learn(
    origin: string,
    scopes: readonly string[],
    used: string | undefined,
    { headers }: Pick<Reply, "headers">,
  ): boolean {
    const { challenges, tokens } = this.#access.registries;
    const said = chooseChallenge(headers["www-authenticate"]);
    if (said !== undefined)
      for (const key of this.#challengeKeys(origin, scopes)) challenges.set(key, said);
    const challenge = said ?? this.#challengeFor(origin, scopes);
    const isRefused = challenge?.scheme === "bearer" && used?.startsWith("Bearer ") === true;
    const asked = headers["www-authenticate"];
    if (lacksDeletion(asked)) return true;
    if (isRefused && !this.#askMore(scopes, scopesMissing(asked)))
      tokens.forget(this.#tokenKeys(challenge, this.#wanted(scopes)), used.slice("Bearer ".length));
    return challenge !== undefined;
  }

  /** Takes in the answer to a ping. Where that is silent too, nobody is asked again. */
  learnFromPing(origin: string, answer: Pick<Reply, "headers">): void {
    if (this.learn(origin, [], undefined, answer)) return;
    this.#access.registries.challenges.set(this.#challengeKeys(origin, [])[0], { scheme: "none" });
  }

  /** The error for an answer; it says so where the token service was not shown the credentials, which may be why. */
  refusal(reply: Reply, blame: Blame, scopes: readonly string[]): CopyError {
    const error = refusalOf(reply, blame, this.secrets);
    const { credentials, registries } = this.#access;
    const challenge = this.#challengeFor(reply.url.origin, scopes);
    if (reply.status !== 401 || credentials === undefined || challenge?.scheme !== "bearer")
      return error;
    const realm = parseRealm(challenge.realm, reply.url);
    const isKnown = realm === undefined || mayKnow(realm, reply.url, registries.tokenServices);
    return isKnown || "registryToken" in credentials ? error : error.because(withheld(realm));
  }

  /** The scopes that a request needs, and those that the registry has asked for besides. */
  #wanted(scopes: readonly string[]): readonly string[] {
    return [...scopes, ...(this.#access.registries.scopes.get(this.#scopesKey(scopes)) ?? [])];
  }

  /** Scopes that a challenge names are asked for from now on. False: they are already. */
  #askMore(scopes: readonly string[], missing: readonly string[]): boolean {
    const wanted = this.#wanted(scopes);
    const added = missing.filter((scope) => !wanted.some((asked) => covers(asked, scope)));
    if (added.length === 0) return false;
    const besides = [...wanted.slice(scopes.length), ...added].slice(-SCOPES);
    this.#access.registries.scopes.set(this.#scopesKey(scopes), besides);
    return true;
  }

  /** A registry may have a token service for each repository (Artifactory): its own word counts, else the last that was said there. */
  #challengeFor(origin: string, scopes: readonly string[]): Challenge | undefined {
    const { challenges } = this.#access.registries;
    for (const key of this.#challengeKeys(origin, scopes).toReversed()) {
      const challenge = challenges.get(key);
      if (challenge !== undefined) return challenge;
    }
    return undefined;
  }

  /** From the general to the particular. */
  #challengeKeys(origin: string, [scope]: readonly string[]): readonly [string, ...string[]] {
    const whole = `${this.#identity} ${origin}`;
    return scope === undefined ? [whole] : [whole, `${whole} ${resourceOf(scope)}`];
  }

  #scopesKey(scopes: readonly string[]): string {
    return JSON.stringify([this.#identity, this.#registry, ...scopes]);
  }

  /** Under which a token for these scopes is kept; then those of others that serve as well: whoever may push there may pull. */
  #tokenKeys(
    { realm, service }: Bearer,
    scopes: readonly string[],
  ): readonly [string, ...string[]] {
    const key = (...scopes: readonly string[]) =>
      JSON.stringify([
        this.#identity,
        this.#registry,
        this.#fingerprint,
        realm,
        service,
        ...scopes,
      ]);
    const [scope = "", ...others] = scopes;
    const isPull = others.length === 0 && scope.endsWith(":pull");
    return isPull ? [key(scope), key(`${scope},push`)] : [key(...scopes)];
  }
}

/** `repository:a/b` of `repository:a/b:pull`. */
const resourceOf = (scope: string): string => scope.slice(0, scope.lastIndexOf(":"));

/** Does whoever has the one scope have the other? */
function covers(has: string, wants: string): boolean {
  const actions = (scope: string) => scope.slice(scope.lastIndexOf(":") + 1).split(",");
  return (
    resourceOf(has) === resourceOf(wants) &&
    actions(wants).every((action) => actions(has).includes(action))
  );
}
