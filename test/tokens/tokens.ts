// Copies between two registries whose tokens live one second, by the registries' own clock and without leeway; and what both have seen.

import { copyImage } from "../../src/copy/copy.ts";
import { LocalSemaphore } from "../../src/copy/semaphore.ts";
import type { Side } from "../../src/errors.ts";
import type { Digest } from "../../src/image/digest.ts";
import { parseDockerReference } from "../../src/image/reference/docker.ts";
import type { AccessContext } from "../../src/transport/access.ts";
import { openDockerDestination } from "../../src/transport/docker/destination.ts";
import { Registries } from "../../src/transport/docker/registries.ts";
import { openDockerSource } from "../../src/transport/docker/source.ts";
import { Tokens, usableMs } from "../../src/transport/docker/auth/tokens.ts";
import { NO_CACHE } from "../support/blob-info-cache.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { makeImage } from "../support/images.ts";
import { DEFAULTS } from "../support/options.ts";
import type { SeenRequest } from "../support/registry-http.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";

export interface TokensRun {
  readonly copies: number;
  /** Copies at once. */
  readonly atOnce: number;
  /** Repositories at either end: so many scopes. */
  readonly repositories: number;
  /** Instead of the tokens that a process really keeps: for the controls. */
  readonly tokens?: Tokens;
  readonly say?: (line: string) => void;
}

export interface ScopeReport {
  readonly scope: string;
  /** Asked for. */
  readonly tokens: number;
  /** Between the first and the last request for one, in s. */
  readonly seconds: number;
  /** As many tokens as it takes to have one at all times. */
  readonly allowed: number;
}

export interface TokensReport {
  readonly succeeded: number;
  readonly failures: readonly string[];
  /** Attempts that failed and were followed by another, as the queue does it. */
  readonly again: readonly string[];
  readonly scopes: readonly ScopeReport[];
  /** Answers with 401, less the first of each registry. */
  readonly refused: number;
  readonly requests: number;
  /** Blobs that were sent more than once, whole or in part. */
  readonly twice: number;
  readonly blobs: number;
  /** Uploads that took longer than a token lives. */
  readonly long: number;
  readonly seconds: number;
}

const LIFE_S = 1;
/** A job's. */
const ATTEMPTS = 3;
const UPLOAD_MS = 1_200;
const credentials = { username: "ada", password: "pass-w0rd" };
const never = new AbortController().signal;

export async function runTokens(run: TokensRun): Promise<TokensReport> {
  const auth = { kind: "bearer", ...credentials, expiresIn: LIFE_S } as const;
  await using source = await startRegistry({ auth });
  await using destination = await startRegistry({ auth, delayMs: UPLOAD_MS });
  await using registries = new Registries(LOOPBACK_TOO);
  putImages(source, run);
  if (run.tokens !== undefined) Object.defineProperty(registries, "tokens", { value: run.tokens });
  const failures: string[] = [];
  const again: string[] = [];
  let next = 0;
  let done = 0;
  const start = performance.now();
  const copyNext = async () => {
    const n = next++;
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const failure = await copyOne(n, run.repositories, { source, destination, registries }).then(
        () => undefined,
        (error: unknown) => `copy ${n}: ${String(error)}`,
      );
      if (failure === undefined) break;
      if (attempt === ATTEMPTS) failures.push(failure);
      else again.push(failure);
    }
    if (++done % 20 === 0) run.say?.(`${done} of ${run.copies} copies`);
  };
  const copyInTurn = async () => {
    while (next < run.copies) await copyNext();
  };
  // The first one learns alone how the registries want to be asked: each request before that would be answered with 401.
  await copyNext();
  await Promise.all(Array.from({ length: run.atOnce }, copyInTurn));
  const seconds = (performance.now() - start) / 1000;
  const uploads = uploadsAt(destination);
  return {
    succeeded: run.copies - failures.length,
    failures,
    again,
    scopes: [...scopesAt(source), ...scopesAt(destination)],
    requests: source.requests.length + destination.requests.length,
    refused: refusedAfterFirst(source) + refusedAfterFirst(destination),
    twice: uploads.filter(({ sent, size }) => sent !== size).length,
    blobs: uploads.length,
    long: destination.requests.filter(isLong).length,
    seconds,
  };
}

interface Ends {
  readonly source: TestRegistry;
  readonly destination: TestRegistry;
  readonly registries: Registries;
}

const repositoryOf = (n: number, repositories: number): string => `team-${n % repositories}/app`;

/** Made before the clock runs: what the copies wait for is to be the registries. */
function putImages(registry: TestRegistry, { copies, repositories }: TokensRun): void {
  for (let n = 0; n < copies; n++) {
    const layers = isConverted(n) ? 3 : [300_000, 40_000, 1_000];
    const image = makeImage({ layers, seed: `copy ${n}` });
    registry.put(repositoryOf(n, repositories), `v${n}`, image);
  }
}

const isConverted = (n: number): boolean => n % 4 === 3;

/** Every fourth is compressed anew: its blobs go with PATCH, and the PUT that ends them needs a younger token. */
async function copyOne(n: number, repositories: number, ends: Ends): Promise<void> {
  const repository = repositoryOf(n, repositories);
  const converts = isConverted(n);
  const access = (side: Side) =>
    ({ side, tlsVerify: false, credentials, registries: ends.registries }) as AccessContext;
  const name = (registry: TestRegistry) =>
    parseDockerReference(`${registry.host}/${repository}:v${n}`, "");
  await using source = await openDockerSource(name(ends.source), access("source"), never);
  await using destination = await openDockerDestination(
    name(ends.destination),
    access("destination"),
    never,
  );
  await copyImage(
    {
      source,
      destination,
      platform: {},
      host: { os: "linux", architecture: "amd64" },
      compression: converts ? { format: "zstd" } : {},
      cache: NO_CACHE,
    },
    { ...DEFAULTS, forceCompressionFormat: converts },
    { blobs: new LocalSemaphore(100), report: () => {}, signal: never },
  );
}

/** What the token service was asked for, by scope. */
function scopesAt(registry: TestRegistry): readonly ScopeReport[] {
  const asked = Map.groupBy(
    registry.requests.filter(({ kind }) => kind === "token"),
    ({ path }) => new URL(path, registry.url).searchParams.getAll("scope").join(" "),
  );
  return Array.from(asked, ([scope, requests]) => {
    const seconds = ((requests.at(-1)?.at ?? 0) - (requests[0]?.at ?? 0)) / 1000;
    const allowed = 1 + Math.ceil((seconds * 1000) / usableMs(LIFE_S));
    return { scope, tokens: requests.length, seconds, allowed };
  });
}

/** The first 401 tells how to authenticate; each other one was a token that should not have been sent. */
const refusedAfterFirst = (registry: TestRegistry): number =>
  registry.requests.filter(({ status }) => status === 401).length - 1;

interface Upload {
  readonly sent: number;
  readonly size: number;
}

/** Bytes that were taken in for each blob, in all its sessions together; what a session without a blob was sent counts as a blob of no size. */
function uploadsAt(registry: TestRegistry): readonly Upload[] {
  const sessions = Map.groupBy(
    registry.requests.filter(
      ({ kind, bytes, status }) => kind === "uploads" && bytes > 0 && status !== 401,
    ),
    ({ path }) => sessionIn(path),
  );
  const blobs = new Map<string, Upload>();
  for (const [session, requests] of sessions) {
    const end = registry.requests.find(
      ({ method, path }) => method === "PUT" && sessionIn(path) === session,
    );
    const digest = end && new URL(end.path, registry.url).searchParams.get("digest");
    const blob = digest
      ? registry.blob(session.slice(0, session.indexOf("/blobs")), digest as Digest)
      : undefined;
    const key = `${session.slice(0, session.lastIndexOf("/"))} ${digest ?? session}`;
    const sent = requests.reduce((sum, { bytes }) => sum + bytes, blobs.get(key)?.sent ?? 0);
    blobs.set(key, { sent, size: blob?.length ?? 0 });
  }
  return [...blobs.values()];
}

/** `repository/blobs/uploads/id`. */
const sessionIn = (path: string): string => /^\/v2\/([^?]+)/.exec(path)?.[1] ?? "";

const isLong = ({ kind, at, endedAt }: SeenRequest): boolean =>
  kind === "uploads" && endedAt - at > LIFE_S * 1000;

/**
 * What a run has to be: everything else is a fault. A machine that is busy enough to hold a request up for a third of a second on its way
 * makes its token late, with no fault of anybody's: so much is granted to one request in fifty. A stream whose digest is not known yet can only be sent again by the job's next attempt.
 */
export function faultsOf(
  { succeeded, scopes, refused, requests, twice, long }: TokensReport,
  copies: number,
): readonly string[] {
  return [
    ...(succeeded === copies ? [] : [`${copies - succeeded} copies failed`]),
    ...scopes
      .filter(({ tokens, allowed }) => tokens > allowed)
      .map(({ scope, tokens, allowed }) => `${scope}: ${tokens} tokens, ${allowed} would do`),
    ...(refused <= requests / 50
      ? []
      : [`${refused} answers with 401 after the first of a registry`]),
    ...(twice === 0 ? [] : [`${twice} blobs were sent again`]),
    ...(long > 0 ? [] : ["no upload outlived its token: nothing was shown"]),
  ];
}

/** Control: takes no less than a minute for granted, as containers/image does, so tokens are not renewed before they end. */
export class Trusting extends Tokens {
  override get(...[keys, fetch, signal]: Parameters<Tokens["get"]>): Promise<string> {
    return super.get(keys, async (s) => ({ ...(await fetch(s)), expiresIn: 60 }), signal);
  }
}

/** Control: everybody who finds no token fetches one. */
export class Hasty extends Tokens {
  readonly #kept = new Map<string, { readonly text: string; readonly until: number }>();

  override async get(...[[key], fetch, signal]: Parameters<Tokens["get"]>): Promise<string> {
    const kept = this.#kept.get(key);
    const now = performance.now();
    if (kept !== undefined && now < kept.until) return kept.text;
    const { text, expiresIn } = await fetch(signal);
    this.#kept.set(key, { text, until: now + usableMs(expiresIn) });
    return text;
  }
}
