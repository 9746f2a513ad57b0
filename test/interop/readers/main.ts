// npm run readers [-- words …]: what the service writes, read by other programs: crane, oras, umoci, skopeo and containers-storage (which is
// podman's), as far as they are on PATH. Shows a table; all of it is written into docs/interop.md. Ends with 1 if one of them cannot read
// something, or reads something else.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { startDockerRegistry } from "../../support/peers.ts";
import { startRegistry } from "../../support/registry.ts";
import { startService } from "../../support/service.ts";
import { writeSections } from "../matrix/document.ts";
import { alignedTable } from "../matrix/report.ts";
import { EXHIBITS, type Exhibit } from "./exhibits.ts";
import { readBy, readersHere, type Reader } from "./readers.ts";
import { writeExhibit } from "./write.ts";

const say = (text: string) => process.stdout.write(text);
const words = process.argv.slice(2);
const there = readersHere();

await using origin = await startRegistry();
await using registry = await startDockerRegistry();
await using service = await startService();

const rows: string[][] = [];
for (const exhibit of EXHIBITS.filter(({ name }) => words.every((word) => name.includes(word))))
  rows.push([exhibit.name, ...(await marksOf(exhibit))]);
const table = alignedTable([["what was written", ...there.map(({ name }) => name)], ...rows]);
const versions = [...new Set(there.map(({ program }) => program))].map(versionOf).join(", ");
say(`\n${table}\n\n${versions}\n`);
if (words.length === 0)
  await writeSections([{ title: "Read by others", text: `${versions}.\n\n${table}` }]);
if (rows.some((row) => row.some((cell) => cell.startsWith("✗")))) process.exitCode = 1;

/** What each reader makes of it. */
async function marksOf(exhibit: Exhibit): Promise<readonly string[]> {
  const asked = there.filter((reader) => reader.reads(exhibit));
  const marks = new Map<Reader, string>();
  try {
    const written = await writeExhibit({ origin, registry, service }, exhibit);
    for (const reader of asked) {
      const scratch = join(service.dataDir, "scratch");
      const wrong = await readBy(reader, reader.program, written, scratch);
      if (wrong !== undefined) say(`${exhibit.name}, ${reader.name}: ${wrong}\n`);
      marks.set(reader, wrong === undefined ? "✓" : "✗");
    }
  } catch (error) {
    say(`${exhibit.name} could not be written: ${String(error)}\n`);
  }
  return there.map((reader) => marks.get(reader) ?? (asked.includes(reader) ? "✗" : ""));
}

function versionOf(program: Reader["program"]): string {
  const asked = ["skopeo", "umoci"].includes(program) ? "--version" : "version";
  const text = execFileSync(program, [asked], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  return `${program} ${/\d+\.\d+\.\d+/.exec(text)?.[0] ?? ""}`.trim();
}
