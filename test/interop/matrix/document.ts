// docs/interop.md: what was compared with which skopeo, and how it came out. A run writes the sections of its own versions and leaves the
// others.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { countOf, knownIn, LEGEND, tableOf, type Judged } from "./report.ts";

const FILE = join(import.meta.dirname, "../../../docs/interop.md");

export interface Table {
  readonly title: string;
  readonly judged: readonly Judged[];
}

const HEAD = `# The same copies through skopeo and through transship

Written by \`npm run interop\` (\`test/interop/matrix\`): the inputs of \`corpus.ts\` and \`files.ts\` are put at a source of every kind and
copied to a destination of every kind, without options and with each option that has a meaning there, by skopeo and by the service. Both
results are read with code of the suite's own and compared. \`distribution\` is \`docker:\` with Debian's docker-registry at the other end.

In each cell: how many cases came out how.

${LEGEND.split("\n")
  .map((line) => `- \`${line.slice(0, 1)}\`${line.slice(1)}`)
  .join("\n")}
`;

export async function writeDocument(tables: readonly Table[], now = new Date()): Promise<void> {
  const old = await readFile(FILE, "utf8").catch(() => "");
  await writeFile(FILE, documentOf(old, tables, now.toISOString().slice(0, 10)));
}

/** The document with these versions' sections in place of what it had of them. */
export function documentOf(old: string, tables: readonly Table[], date: string): string {
  const [, ...sections] = old.split(/^(?=## )/m);
  const titleOf = (section: string) => section.slice(0, section.indexOf("\n"));
  const made = tables.map((table) => sectionOf(table, date));
  const titles = new Set(made.map(titleOf));
  const kept = sections.map((section) => section.trim()).filter((s) => !titles.has(titleOf(s)));
  const all = [...kept, ...made].toSorted((a, b) =>
    titleOf(a).localeCompare(titleOf(b), "en", { numeric: true }),
  );
  return `${[HEAD.trim(), ...all].join("\n\n")}\n`;
}

function sectionOf({ title, judged }: Table, date: string): string {
  const differing = judged.filter(({ judgement }) => judgement.verdict === "different");
  return [
    `## ${title}`,
    `${judged.length} cases on ${date}; ${countOf(judged, "different")} differ.`,
    tableOf(judged),
    ...[...knownIn(judged)].map(
      ([row, count]) => `- row ${row} of [differences.md](differences.md): ${count} cases`,
    ),
    ...differing.map(({ wanted }) => `- differs: ${wanted.name}`),
  ].join("\n\n");
}
