// Every spelling of a forbidden address at every place where an address can come from: what was dialled, what was heard, what was answered.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CopyError } from "../../src/errors.ts";
import { parseHosts, parseNetworks, type EgressRules } from "../../src/host/egress.ts";
import { Registries } from "../../src/transport/docker/registries.ts";
import { hostIn, PLACES, REGISTRY_ADDRESS, startNamer, type Place } from "./places.ts";
import type { TestRegistry } from "../support/registry.ts";
import { Dialled, Sentinel } from "./sentinel.ts";

/** As with API keys and no settings, but for the addresses where the registries of the proof are. */
export const STRICT: EgressRules = {
  allowed: undefined,
  denied: parseHosts(""),
  privateNetworks: parseNetworks(`${REGISTRY_ADDRESS},127.77.0.2`),
};
/** The control: nothing but NEVER is refused. */
export const OPEN: EgressRules = { ...STRICT, privateNetworks: "all" };

export interface Bench {
  readonly sentinel: Sentinel;
  readonly dialled: Dialled;
  /** The one that names the addresses. */
  readonly registry: TestRegistry;
  /** For the operator's files. */
  readonly dir: string;
}

export async function startBench(...ports: readonly number[]): Promise<Bench & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), "transship-ssrf-"));
  const [sentinel, registry] = await Promise.all([Sentinel.start(...ports), startNamer()]);
  const dialled = new Dialled();
  const close = async () => {
    dialled[Symbol.dispose]();
    await Promise.all([sentinel[Symbol.asyncDispose](), registry[Symbol.asyncDispose]()]);
    await rm(dir, { recursive: true });
  };
  return { sentinel, registry, dialled, dir, [Symbol.asyncDispose]: close };
}

export interface Visit {
  readonly place: Place;
  readonly url: string;
}

/** How a forbidden address ends: also in a reference that is none, and where no address is followed. */
const REFUSALS: ReadonlySet<string> = new Set([
  "host_denied",
  "registry_unavailable",
  "reference_invalid",
]);

/**
 * All addresses at all places; or of these pairs each `every`-th, so that no address and no place is left out. Schemes take turns where
 * an address has none.
 */
export function* visitsTo(
  urls: readonly string[],
  every = 1,
  places: readonly Place[] = PLACES,
): Generator<Visit, void, void> {
  for (const [i, place] of places.entries())
    for (const [j, text] of urls.entries())
      if ((i + j) % every === 0) {
        const scheme = (i + j) % 3 === 0 ? "https" : "http";
        yield { place, url: text.replace(/^\*:/, `${scheme}:`) };
      }
}

export interface Outcome {
  /** What came of it; `done`: the service was content. */
  readonly code: string;
  /** Addresses that were dialled besides the registry's. */
  readonly dialled: readonly string[];
}

/** One visit, with connections of its own: nothing that was learnt before is in its way. */
export async function visit(
  { place, url }: Visit,
  rules: EgressRules,
  { dialled, registry, dir }: Bench,
): Promise<Outcome> {
  const files = { registriesConf: join(dir, "registries.conf") };
  await writeFile(files.registriesConf, place.conf?.(hostIn(url), registry.host) ?? "");
  const timing = { stallMs: 5000, storeMs: 5000, retryMs: 1, breakMs: 1 };
  await using registries = new Registries(rules, timing, files);
  dialled.take();
  const code = await place.visit(url, registries, registry).then(
    () => "done",
    (error: unknown) => (error instanceof CopyError ? error.code : String(error)),
  );
  return { code, dialled: dialled.take().filter((address) => address !== REGISTRY_ADDRESS) };
}

export interface Report {
  visits: number;
  /** By code. */
  readonly codes: Map<string, number>;
  /** What must not be, as sentences. */
  readonly faults: string[];
}

/** Visits all places with all addresses under the strict rules: none may be dialled, and each must be refused. */
export async function refuseAll(
  visits: Iterable<Visit>,
  bench: Bench,
  refusals: ReadonlySet<string> = REFUSALS,
): Promise<Report> {
  const report: Report = { visits: 0, codes: new Map(), faults: [] };
  for (const { place, url } of visits) {
    report.visits++;
    const { code, dialled } = await visit({ place, url }, STRICT, bench);
    report.codes.set(code, (report.codes.get(code) ?? 0) + 1);
    const what = `${place.name}: ${url}`;
    if (dialled.length > 0) report.faults.push(`${what} was dialled (${dialled.join(", ")})`);
    if (!refusals.has(code)) report.faults.push(`${what} was not refused, but ended as ${code}`);
  }
  return report;
}

/** Visits with addresses that may be reached: each is, but for places where none is ever followed. */
export async function reachAll(
  visits: Iterable<Visit>,
  rules: EgressRules,
  bench: Bench,
): Promise<Report> {
  const report: Report = { visits: 0, codes: new Map(), faults: [] };
  const { heard } = bench.sentinel;
  for (const { place, url } of visits) {
    report.visits++;
    const before = heard.length;
    const { code, dialled } = await visit({ place, url }, rules, bench);
    report.codes.set(code, (report.codes.get(code) ?? 0) + 1);
    const isReached = dialled.length > 0 && heard.length > before;
    if (isReached !== (place.guard === "rule"))
      report.faults.push(`${place.name}: ${url} was ${isReached ? "" : "not "}reached (${code})`);
  }
  return report;
}

export const describe = ({ visits, codes }: Report): string =>
  `${visits} visits: ${[...codes].map(([code, count]) => `${count} ${code}`).join(", ")}`;
