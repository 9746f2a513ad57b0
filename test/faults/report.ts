// The matrix as a document: docs/faults.md.

import { COLUMNS, nameOfColumn, TIMES } from "./columns.ts";
import type { Judged } from "./matrix.ts";

/** What came of the cells in front of one registry. */
export interface Run {
  readonly registry: string;
  cells: number;
  faulty: number;
}

const INTRODUCTION = `# What a copy does when something breaks

Written by \`npm run faults\`: each request of a copy (the headings) meets each fault (the rows), once, three times, and for ever; as the first,
the middle and the last request of its kind. Of each is shown what became of the copy: \`done\` with so many requests more than without
the fault, or the code with which that attempt of the job ended, after so many requests that met the fault. Codes that may pass by themselves
are tried again by the queue, content that is wrong by one attempt more.

In every cell, besides: the destination's tag names nothing, or an image of which every part is there and has its digest; where the
copy failed, a second one succeeds; and no upload session is left but those whose beginning nobody has heard of, or whose end, or that the
registry says are gone. In front of docker's own registry and crane's it is a third of the cells, of requests that both have; the tables are ours.

Where connections do not come about, all that there were are lost with the request, and so is what goes on besides: counts are those of one run.
"Unheard": the registry hears nothing of the request. "Done": it has done what it was asked, and the answer is lost. "Large" blobs
(from 1 MiB) go over raw sockets, others over undici.
`;

/** `judged`: of the registry in the tests' own process. */
export function format(judged: readonly Judged[], runs: readonly Run[]): string {
  const sections = COLUMNS.map((column) => {
    const cells = judged.filter(({ cell }) => cell.column === column);
    return `## ${nameOfColumn(column)}\n\n${tableOf(cells)}`;
  });
  const totals = runs.map(
    ({ registry, cells, faulty }) => `| ${registry} | ${cells} | ${faulty} |`,
  );
  const summary = ["| in front of | cells | not as promised |", "| --- | --- | --- |", ...totals];
  return [INTRODUCTION, summary.join("\n"), ...sections].join("\n\n") + "\n";
}

/** Faults with the same outcomes share a row. */
function tableOf(cells: readonly Judged[]): string {
  const first = Math.min(...cells.map(({ cell }) => cell.nth));
  const firsts = Map.groupBy(
    cells.filter(({ cell }) => cell.nth === first),
    ({ cell }) => cell.name,
  );
  const rows = Map.groupBy(firsts.keys(), (name) => {
    const outcome = (times: number) => {
      const found = firsts.get(name)?.find(({ cell }) => cell.times === times);
      return found === undefined ? "" : outcomeOf(found);
    };
    return TIMES.map(outcome).join(" | ");
  });
  const head = TIMES.map((times) =>
    times === 1 ? "once" : times === 3 ? "three times" : "for ever",
  );
  return [
    `| what happens | ${head.join(" | ")} |`,
    `| --- |${" --- |".repeat(head.length)}`,
    ...[...rows].map(([outcome, names]) => `| ${names.join("; ")} | ${outcome} |`),
  ].join("\n");
}

function outcomeOf({ code, met, requests, baseline }: Omit<Judged, "cell">): string {
  if (code !== "done") return `\`${code}\`, ${met}`;
  const extra = requests - baseline.requests;
  return extra === 0 ? "done" : `done, ${extra > 0 ? "+" : ""}${extra}`;
}
