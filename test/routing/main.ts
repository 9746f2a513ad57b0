// npm run routing: what another origin sees that a registry sends its clients to, of us and of skopeo. Ends 0 only if it sees no secret of ours, and
// some of skopeo's.

import { missing } from "../support/peers.ts";
import { CASES, type Case } from "./cases.ts";
import { asSkopeo, asUs, type Seen } from "./drive.ts";

const say = (line: string) => void process.stdout.write(`${line}\n`);
const absent = missing("skopeo");

const wordsFor = ({ requests, secrets }: Seen): string =>
  requests === 0 ? "not asked" : secrets.length === 0 ? "nothing" : secrets.join(", ");

const rows: { readonly c: Case; readonly us: Seen; readonly skopeo: Seen | undefined }[] = [];
for (const c of CASES) {
  const skopeo = c.skopeo === undefined || absent !== false ? undefined : await asSkopeo(c);
  rows.push({ c, us: await asUs(c), skopeo });
}

const faults: string[] = [];
say("| what the registry does | who | asked for | seen of us | seen of skopeo |");
say("| --- | --- | --- | --- | --- |");
for (const { c, us, skopeo } of rows) {
  say(
    `| ${c.name} (${c.act}) | ${c.kind} | ${c.asks} | ${wordsFor(us)} | ${skopeo ? wordsFor(skopeo) : "–"} |`,
  );
  if (c.we !== "may-know" && us.secrets.length > 0)
    faults.push(`${c.name}: ${us.secrets.join(", ")} of ours`);
}
const beside = rows.filter(({ c, skopeo }) => skopeo !== undefined && c.we !== "may-know");
const leaking = beside.filter(({ skopeo }) => (skopeo?.secrets.length ?? 0) > 0);
const names = new Set(leaking.map(({ c }) => c.name));
say(
  `${rows.length} cases: ${faults.length} in which a secret of ours was seen off its origin; ${leaking.length} of ${beside.length} in which one of skopeo's was (${[...names].join("; ")})`,
);
if (absent !== false) say(`not shown beside skopeo: ${absent}`);
else if (leaking.length === 0)
  faults.push("nothing of skopeo's was seen: the sentinel may be blind");
for (const fault of faults) say(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
