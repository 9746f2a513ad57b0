// The table: a row a pair of transports, a column a group of options, in each cell how many cases came out how.

import type { Case, Judgement, Row, Verdict } from "./model.ts";

export interface Judged {
  readonly wanted: Case;
  readonly judgement: Judgement;
}

/** What stands in a cell for each verdict, in this order. */
const SIGNS = {
  same: "=",
  recompressed: "≈",
  refused: "r",
  checked: "✓",
  known: "k",
  older: "o",
  cannot: "–",
  different: "✗",
} as const satisfies Record<Verdict, string>;

const VERDICTS = Object.keys(SIGNS) as Verdict[];

export const countOf = (judged: readonly Judged[], verdict: Verdict): number =>
  judged.filter(({ judgement }) => judgement.verdict === verdict).length;

const cell = (judged: readonly Judged[]): string =>
  VERDICTS.filter((verdict) => countOf(judged, verdict) > 0)
    .map((verdict) => `${countOf(judged, verdict)}${SIGNS[verdict]}`)
    .join(" ");

const pairOf = ({ source, destination }: Case): string => `${source} → ${destination}`;

/** The table in Markdown. */
export function tableOf(judged: readonly Judged[]): string {
  const groups = [...new Set(judged.map(({ wanted }) => wanted.option.group))];
  const pairs = Map.groupBy(judged, ({ wanted }) => pairOf(wanted));
  const rows = [...pairs].map(([pair, cases]) => [
    pair,
    ...groups.map((group) => cell(cases.filter(({ wanted }) => wanted.option.group === group))),
    cell(cases),
  ]);
  const all = [
    "all pairs",
    ...groups.map((group) => cell(judged.filter(({ wanted }) => wanted.option.group === group))),
    cell(judged),
  ];
  return alignedTable([["pair", ...groups, "all options"], ...rows, all]);
}

/** A Markdown table whose columns are as wide as their widest cell. */
export function alignedTable([head = [], ...rows]: readonly (readonly string[])[]): string {
  const widths = head.map((_, i) =>
    Math.max(3, ...[head, ...rows].map((row) => (row[i] ?? "").length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((text, i) => text.padEnd(widths[i] as number)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

/** How often each row of docs/differences.md explained a difference. */
export function knownIn(judged: readonly Judged[]): ReadonlyMap<Row, number> {
  const rows = judged.flatMap(({ judgement }) =>
    judgement.row === undefined ? [] : judgement.row,
  );
  return new Map(
    [...Map.groupBy(rows, (row) => row)]
      .map(([row, all]) => [row, all.length] as const)
      .toSorted(([a], [b]) => (Number(a) || Infinity) - (Number(b) || Infinity)),
  );
}

export const LEGEND = `${SIGNS.same} same: equal manifest digests, and equal files or archive members
${SIGNS.recompressed} same but for the bytes of layers that were compressed anew: equal uncompressed layers, compression, media types, annotations, config, files
${SIGNS.refused} refused by both, for the same reason
${SIGNS.checked} skopeo cannot do it; what is at the destination is as it should be
${SIGNS.known} differs on purpose: a row of differences.md
${SIGNS.older} differs from this skopeo, and is the same as with the newest one
${SIGNS.cannot} this skopeo has no flag for it
${SIGNS.different} differs`;
