// npm run interop [-- words …]: the same copies through skopeo and through the service. Runs every case and writes docs/interop.md, or
// only those whose names have all the words, and shows each. With --engine: those with a docker engine at one end, which DOCKER_HOST
// names. SKOPEO names the programs to compare with, the newest last, divided by commas; absent: the one on PATH. Ends with 1 if anything
// differs that docs/differences.md does not explain.

import { missing } from "../../support/peers.ts";
import { allCases, needsEngine } from "./cases.ts";
import { sectionOf, writeSections } from "./document.ts";
import { noEngine } from "./engine.ts";
import type { Case, Judgement } from "./model.ts";
import { countOf, LEGEND, tableOf, type Judged } from "./report.ts";
import { runCase } from "./run.ts";
import { startWorld } from "./world.ts";

/** Cases at once. */
const SIDE_BY_SIDE = 4;

const say = (text: string) => process.stdout.write(text);

const skopeos = (process.env["SKOPEO"] ?? "skopeo").split(",");
const absent = missing(...skopeos);
if (absent !== false) throw new Error(absent);
const withEngine = process.argv[2] === "--engine";
if (withEngine && noEngine() !== false) throw new Error(`${noEngine()}`);
const words = process.argv.slice(withEngine ? 3 : 2);
const distribution = missing("docker-registry") === false;
const cases = allCases()
  .filter((wanted) => needsEngine(wanted) === withEngine)
  .filter(({ name }) => words.every((word) => name.includes(word)))
  .filter(({ destination }) => distribution || destination !== "distribution");

await using world = await startWorld({ skopeos, distribution });
const started = performance.now();
const results = new Map<Case, readonly Judgement[]>();
const queue = cases.values();
await Promise.all(Array.from({ length: SIDE_BY_SIDE }, work));

async function work(): Promise<void> {
  for (const wanted of queue) {
    const judgements = await runCase(world, wanted).catch(brokenBy);
    results.set(wanted, judgements);
    judgements.forEach((judgement, i) => show(wanted, judgement, world.theirs[i]?.name ?? ""));
    if (results.size % 100 === 0) say(`${results.size} of ${cases.length} cases\n`);
  }
}

/** What is wrong with the suite, or with a result that it cannot read. */
function brokenBy(error: unknown): readonly Judgement[] {
  const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return world.theirs.map(() => ({ verdict: "different", why }));
}

function show({ name }: Case, { verdict, why, row }: Judgement, version: string): void {
  if (words.length === 0 && verdict !== "different") return;
  say(`${verdict}${row === undefined ? "" : ` (${row})`}, ${version}: ${name}\n`);
  if (why !== "") say(`    ${why}\n`);
}

const judgedBy = (i: number, those: readonly Case[]): readonly Judged[] =>
  those.map((wanted) => ({ wanted, judgement: results.get(wanted)?.[i] as Judgement }));
const [own, both] = [true, false].map((isOwn) =>
  cases.filter(({ option }) => (option.check !== undefined) === isOwn),
) as [Case[], Case[]];
const tables = [
  ...world.theirs.map(({ name }, i) => ({
    title: `skopeo ${name}${withEngine ? ", with a docker engine" : ""}`,
    judged: judgedBy(i, both),
  })),
  { title: "Options that skopeo does not have", judged: judgedBy(0, own) },
].filter(({ judged }) => judged.length > 0);
for (const { title, judged } of tables) say(`\n${title}\n\n${tableOf(judged)}\n\n`);
say(`${LEGEND}\n${cases.length} cases, ${Math.round((performance.now() - started) / 1000)} s\n`);
if (words.length === 0)
  await writeSections(tables.map(({ title, judged }) => sectionOf(title, judged)));
if (tables.some(({ judged }) => countOf(judged, "different") > 0)) process.exitCode = 1;
