// One cell of the matrix: a copy during which one request meets a fault, and what came of it.

import { CopyError } from "../../src/errors.ts";
import { needsTls } from "../support/dialling.ts";
import type { Fault } from "../support/fault-script.ts";
import type { Bench } from "./bench.ts";
import { applies, nameOfColumn, occurrencesIn, timesOf, type Column } from "./columns.ts";
import { expected, PROGRESS } from "./expected.ts";
import { FAULTS } from "./faults.ts";
import { judge } from "./oracle.ts";
import { run, warm, type Ends, type Scenario } from "./scenarios.ts";

export interface Cell {
  readonly column: Column;
  /** Which of the column's requests, from 1. */
  readonly nth: number;
  readonly times: number;
  readonly fault: Fault;
  /** The fault's. */
  readonly name: string;
}

export interface Outcome {
  /** `done`, or how the copy failed. */
  readonly code: string;
  /** How many requests met the fault. */
  readonly met: number;
  /** How many there were of the column's kind. */
  readonly requests: number;
  /** What can be seen at the destination that must not be, as sentences. */
  readonly faults: readonly string[];
  /** Upload sessions that the copy has left there. */
  readonly left: number;
}

export interface Baseline {
  /** Requests of a column's kind in the copy without faults. */
  readonly requests: number;
  /** How many they are about. */
  readonly subjects: number;
  /** They are told apart only by their order: a fault that comes again befalls the next as well. */
  readonly ordered: boolean;
  /** Of the blobs that they are about, in their order; 0 where they are about none. */
  readonly sizes: readonly number[];
}

/** The copy of a column without faults. Throws where it does not succeed. */
export async function baselineOf(bench: Bench, column: Column): Promise<Baseline> {
  const none: Fault = { type: "extra" };
  const { code, faults } = await runCell(bench, {
    column,
    name: "",
    nth: 0,
    times: 0,
    fault: none,
  });
  if (code !== "done" || faults.length > 0)
    throw new Error(`${column.scenario.name}: ${code} ${faults.join("; ")}`);
  const { seen } = bench.proxies[column.side];
  const requests = seen.filter(({ kind }) => kind === column.kind);
  const subjects = new Set(requests.map(({ subject }, i) => subject ?? `${i}`));
  const ordered = requests.some(({ subject }) => subject === undefined);
  const blobs = blobsOf(column.scenario);
  const sizes = [...subjects].map((subject) => blobs.get(subject) ?? 0);
  return { requests: requests.length, subjects: subjects.size, ordered, sizes };
}

/** Sizes by digest. */
function blobsOf({ image, artifacts = [] }: Scenario): ReadonlyMap<string, number> {
  const images = [...("images" in image ? image.images : [image]), ...artifacts];
  const blobs = images.flatMap((one) => [...one.blobs]);
  return new Map(blobs.map(([digest, bytes]) => [digest, bytes.length]));
}

/** The cells of a column. Where nobody asks who one is, a 401 cannot be answered; and over TLS it is TLS that fails. */
export function* cellsOf(
  column: Column,
  { subjects }: Baseline,
  { upstream, hasTls }: Pick<Bench, "upstream" | "hasTls">,
): Generator<Cell, void, void> {
  for (const [name, fault] of Object.entries(FAULTS))
    if (
      applies(fault, column) &&
      (upstream.realms !== undefined || name !== "401") &&
      hasTls === (fault.type === "dial" && needsTls(fault.how))
    )
      for (const nth of occurrencesIn(subjects))
        for (const times of timesOf(fault)) yield { column, name, fault, nth, times };
}

export interface Judged extends Outcome {
  readonly cell: Cell;
  readonly baseline: Baseline;
  readonly complaints: readonly string[];
}

async function judgeCell(bench: Bench, cell: Cell, baseline: Baseline): Promise<Judged> {
  const outcome = await runCell(bench, cell);
  return { ...outcome, cell, baseline, complaints: complaints(cell, outcome, baseline) };
}

/** Runs a bench's cells, as far as `wants` says, and judges each. */
export async function* runMatrix(
  bench: Bench,
  columns: readonly Column[],
  wants: (cell: Cell, index: number) => boolean = () => true,
): AsyncGenerator<Judged, void, void> {
  let index = 0;
  for (const column of columns) {
    const baseline = await baselineOf(bench, column);
    for (const cell of cellsOf(column, baseline, bench)) {
      if (!wants(cell, index++)) continue;
      const judged = await judgeCell(bench, cell, baseline);
      const isSure = judged.complaints.length === 0 || !stands(cell.fault);
      // A busy machine stands still at times; it does not do so twice in the same place.
      yield isSure ? judged : await judgeCell(bench, cell, baseline);
    }
  }
}

export const describe = ({ column, name, nth, times }: Cell): string =>
  `${nameOfColumn(column)}, no. ${nth}: ${name}, ${times === Infinity ? "for ever" : `${times} times`}`;

/** Where an outcome is not what is promised, as sentences. */
function complaints(cell: Cell, outcome: Outcome, baseline: Baseline): readonly string[] {
  const { fault } = cell;
  const bytes = baseline.sizes[cell.nth - 1] ?? 0;
  const wanted = expected(cell.column, cell.fault, { ...cell, ...baseline, bytes });
  const found: string[] = [...outcome.faults];
  const isWanted =
    outcome.code === wanted.code || (wanted.mayBeDone === true && outcome.code === "done");
  if (!isWanted) found.push(`ended as ${outcome.code}, not ${wanted.code}`);
  const { besides = 0 } = wanted;
  const uncounted =
    besides + (cell.column.scenario.name === "large" ? uncountedOf(fault, bytes) : 0);
  if (outcome.met < wanted.met || outcome.met > wanted.met + uncounted)
    found.push(`${outcome.met} requests met it, not ${wanted.met}`);
  const extra = outcome.requests - baseline.requests;
  const isExtra = extra >= wanted.extra && extra <= wanted.extra + besides;
  if (outcome.code === "done" && !isExtra)
    found.push(`${extra} requests more than without it, not ${wanted.extra}`);
  const most = outcome.code === "done" ? lostSessions(cell, outcome) : outcome.met + 1;
  if (outcome.left > most) found.push(`${outcome.left} upload sessions are left, not ${most}`);
  return found.map((complaint) => `${describe(cell)}: ${complaint}`);
}

/** How many more requests of a large blob may meet a break than are counted. */
function uncountedOf(fault: Fault, bytes: number): number {
  if (fault.type !== "break") return 0;
  // A reset takes with it what was not sent yet, so that the blob gets on by less, but more often.
  if (fault.how === "reset" && fault.at === "body") return Math.ceil(bytes / PROGRESS);
  // A raw socket that was kept open and is reset at once is not counted as a try: it may have been closed before.
  return 1;
}

/** Sessions that lapse: their beginning was answered, but nobody has heard of it; or it was said that they are gone, or nobody could give them back. */
function lostSessions({ column: { kind }, fault }: Cell, { met }: Outcome): number {
  if (kind === "DELETE upload") return 1;
  if (kind === "GET upload") return saysItIsLost(fault) ? 1 : 0;
  return kind.startsWith("POST ") && fault.type === "break" && fault.at !== "request" ? met : 0;
}

/** So that nobody gives it back. */
const saysItIsLost = (fault: Fault): boolean =>
  fault.type === "status" &&
  (fault.status === 404 || fault.status === 410 || fault.code?.startsWith("BLOB_UPLOAD_") === true);

/** Something stands still for as long as it is waited for. */
const stands = (fault: Fault): boolean =>
  fault.type === "drip" || ("how" in fault && fault.how === "stall");

const never = new AbortController().signal;
/** A busy machine may stand still for longer than is waited for, but not time and again. */
async function warmUp(scenario: Scenario, ends: Ends): Promise<void> {
  for (let left = 4; left > 0; left--)
    try {
      return await warm(scenario, ends, never);
    } catch (error) {
      if (!(error instanceof CopyError) || error.code !== "transfer_stalled") throw error;
    }
  await warm(scenario, ends, never);
}

/** Longer than anything that a cell waits for. */
const LIMIT_MS = 60_000;

export async function runCell(bench: Bench, { column, nth, times, fault }: Cell): Promise<Outcome> {
  const { scenario, side, kind } = column;
  const { upstream, proxies } = bench;
  const ends = bench.ends(scenario, stands(fault) ? "stalls" : "moves");
  await using _ = ends.registries;
  const openBefore = upstream.openUploads?.() ?? 0;
  bench.heal();
  await upstream.forget?.(scenario);
  if (!scenario.fresh) await warmUp(scenario, ends);
  bench.heal();
  const trouble = scenario.trouble === undefined ? [] : [scenario.trouble];
  proxies.destination.play(...trouble);
  const dialling = bench.dialling[side];
  proxies[side].onLost = () => fault.type === "dial" && dialling.fail(fault.how, times);
  proxies[side].play({ kind, nth, times, fault }, ...(side === "destination" ? trouble : []));
  const code = await run(scenario, ends, AbortSignal.timeout(LIMIT_MS)).then(
    () => "done",
    (error: unknown) => (error instanceof CopyError ? error.code : String(error)),
  );
  const { seen } = proxies[side];
  const met = proxies[side].met + dialling.failed;
  const requests = seen.filter((request) => request.kind === kind).length;
  const left = (upstream.openUploads?.() ?? 0) - openBefore;
  const faults: string[] = [];
  const holdings = upstream.holdings(ends.destination.repository);
  const found = await judge(holdings, "v1");
  faults.push(...found.faults);
  if (code === "done" && !scenario.lists && found.digest === undefined)
    faults.push("the tag names nothing, though the copy says that it is done");
  if (code !== "done") {
    bench.heal();
    await using registries = bench.fresh("moves");
    await run(scenario, { ...ends, registries }, never).catch((error: unknown) =>
      faults.push(`a second copy, without the fault, failed: ${String(error)}`),
    );
    faults.push(...(await judge(holdings, "v1")).faults);
  }
  return { code, met, requests, faults, left };
}
