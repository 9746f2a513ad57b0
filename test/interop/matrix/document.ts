// docs/interop.md: what was compared with which skopeo, and how it came out. A run writes the sections of its own versions and leaves the
// others.

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { knownIn, LEGEND, tableOf, type Judged } from "./report.ts";

const FILE = join(import.meta.dirname, "../../../docs/interop.md");

/** A part of the document, of its own title. */
export interface Section {
  readonly title: string;
  /** Markdown. */
  readonly text: string;
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

/** Writes these sections in the place of what the document had of them. */
export async function writeSections(sections: readonly Section[]): Promise<void> {
  const old = await readFile(FILE, "utf8").catch(() => "");
  await writeFile(FILE, documentOf(old, sections));
}

export function documentOf(old: string, sections: readonly Section[]): string {
  const [, ...before] = old.split(/^(?=## )/m);
  const titleOf = (text: string) => text.slice(0, text.indexOf("\n"));
  const made = sections.map(({ title, text }) => `## ${title}\n\n${text.trim()}`);
  const titles = new Set(made.map(titleOf));
  const kept = before.map((text) => text.trim()).filter((text) => !titles.has(titleOf(text)));
  const all = [...kept, ...made].toSorted((a, b) => byTitle(titleOf(a), titleOf(b)));
  return `${[HEAD.trim(), ...all].join("\n\n")}\n`;
}

/** The skopeos first, the newest of them first, each before what it is compared with besides. */
function byTitle(a: string, b: string): number {
  const [[versionA, restA], [versionB, restB]] = [a, b].map((title) => {
    const [, version = "", rest = ""] = /^## skopeo ([0-9.]+)(.*)/.exec(title) ?? ["", "", title];
    return [version, rest];
  }) as [[string, string], [string, string]];
  return versionB.localeCompare(versionA, "en", { numeric: true }) || restA.localeCompare(restB);
}

/** What came out of comparing, as a section. */
export function sectionOf(title: string, judged: readonly Judged[], date = new Date()): Section {
  const differing = judged.filter(({ judgement }) => judgement.verdict === "different");
  const known = [...knownIn(judged)].map(([row, count]) =>
    typeof row === "number"
      ? `- row ${row} of [differences.md](differences.md): ${count} cases`
      : `- ${row}, as [differences.md](differences.md) says at its end: ${count} cases`,
  );
  const text = [
    `${judged.length} cases on ${date.toISOString().slice(0, 10)}; ${differing.length} differ.`,
    tableOf(judged),
    known.join("\n"),
    differing.map(({ wanted }) => `- differs: ${wanted.name}`).join("\n"),
  ];
  return { title, text: text.filter((part) => part !== "").join("\n\n") };
}
