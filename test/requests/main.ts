// npm run requests [-- words …]: how many requests a copy costs, the service's beside skopeo's, crane's and oras's, as far as those are on
// PATH. Shows a table; all of it is written into docs/requests.md. Ends with 1 where another one needs fewer.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { alignedTable } from "../interop/matrix/report.ts";
import { startService } from "../support/service.ts";
import { programs, serviceClient, versionsOf } from "./clients.ts";
import { count, SCENARIOS, total, type Tally } from "./count.ts";

/** The page, but for the table. */
const ABOUT = `# Requests

How many HTTP requests a copy costs, all that come to both registries, token services among them. \`npm run requests\` counts
them beside other programs, as far as they are on PATH, and writes this page; \`test/requests\` holds us to it.

- A manifest that the destination has by its digest has its blobs: one \`HEAD\` instead of one a blob. A list is taken for whole there
  only where a copy of ours has made it so: registries take lists of images that they do not have.
- While the source is asked for its manifest, the destination is asked whether it knows the repository; in a new one nothing is looked for
  but what a copy of ours has put there. A worker asks that once of a repository in which there is something: one request more than below
  for the first unchanged image that it sees there.
- A blob that another repository of the registry is known to have is mounted without being looked for.
- No \`/v2/\` is asked, unless certificates do not matter and TLS is spoken, or a registry says nothing when it refuses.
- With \`optimizeDestinationImageAlreadyExists\`, what is unchanged costs two requests, at the same time.

Ten layers and a config cost three requests each in a new repository: \`GET\` at the source, \`POST\` and \`PUT\` at the destination; a
\`HEAD\` more in one that has others.
`;

const today = new Date().toISOString().slice(0, 10);
const say = (text: string) => process.stdout.write(text);
const words = process.argv.slice(2);
const others = programs();
await using service = await startService();
const rows: string[][] = [];
for (const scenario of SCENARIOS.filter(({ name }) => words.every((word) => name.includes(word)))) {
  const ours = await count(scenario, serviceClient("transship", service));
  const theirs: Tally[] = [];
  for (const other of others) theirs.push(await count(scenario, other));
  const least = Math.min(...theirs.map(total));
  const isMore = total(ours) > least;
  if (isMore) process.exitCode = 1;
  rows.push([
    scenario.name,
    `${total(ours)}${isMore ? " ✗" : ""}`,
    ...theirs.map((each) => String(total(each))),
  ]);
  say(`${scenario.name}\n`);
  for (const [name, each] of [
    ["transship", ours],
    ...others.map(({ name }, i) => [name, theirs[i]]),
  ] as [string, Tally][])
    say(
      `  ${name.padEnd(10)} ${String(total(each)).padStart(4)}  ${[...each].map(([what, n]) => `${n} ${what}`).join(", ")}\n`,
    );
}
const table = alignedTable([["requests", "transship", ...others.map(({ name }) => name)], ...rows]);
say(`\n${table}\n`);
if (words.length === 0) {
  const file = join(import.meta.dirname, "../../docs/requests.md");
  await writeFile(file, `${ABOUT}\n${table}\n\n${versionsOf(others)}, ${today}.\n`);
}
