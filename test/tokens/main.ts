// npm run tokens: 200 copies between two registries whose tokens live one second. Ends 0 only if all succeed, no token is asked for before the
// last one of its scope has to be renewed, hardly any is sent that is refused, and no blob is sent twice; and if the same without a single flight,
// and with tokens that are held to be good for a minute, does not.

import { faultsOf, Hasty, runTokens, Trusting, type TokensReport } from "./tokens.ts";

const say = (line: string) => void process.stdout.write(`${line}\n`);
const copies = 200;

function tell(name: string, report: TokensReport): void {
  const { scopes, succeeded, seconds, refused, requests, twice, blobs, long } = report;
  say(
    `${name}: ${succeeded} copies succeeded in ${seconds.toFixed(1)} s, ${report.again.length} attempts had to be repeated; ${blobs} blobs, ${long} of them in uploads that outlived their token, ${twice} sent again; ${refused} of ${requests} answers were 401 after the first of a registry`,
  );
  for (const { scope, tokens, seconds, allowed } of scopes)
    say(`  ${scope}: ${tokens} tokens in ${seconds.toFixed(1)} s (${allowed} would do)`);
}

const report = await runTokens({ copies, atOnce: 10, repositories: 5, say });
tell("as it is", report);
const faults = [...faultsOf(report, copies)];
for (const failure of report.failures.slice(0, 5)) faults.push(failure);
for (const [name, tokens] of [
  ["control: no single flight", new Hasty()],
  ["control: a minute taken for granted", new Trusting()],
] as const) {
  const control = await runTokens({ copies: 40, atOnce: 20, repositories: 2, tokens });
  tell(name, control);
  const found = faultsOf(control, 40);
  say(`  ${found.join("; ")}`);
  if (found.length === 0) faults.push(`${name}: nothing was found, so nothing can be`);
}
for (const fault of faults) say(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
