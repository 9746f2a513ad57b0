// npm run breaks: 500 copies of a blob of 64 MiB over connections that break at random offsets, up to eight times on the way in and as
// often on the way out. Ends 0 only if all succeeded with the right bytes, and no more than 64 KiB a break came from the source again.
// `npm run breaks -- <seed> <copies>` for others; the seed is printed.

import { makeImage } from "../support/images.ts";
import { missing, startDockerRegistry } from "../support/peers.ts";
import { startRegistry } from "../support/registry.ts";
import { copyOverBreaks, pushTo, type BreaksReport } from "./breaks.ts";

const KIB = 1024;
const say = (line: string) => process.stdout.write(`${line}\n`);
const [seed = Math.floor(Math.random() * 1e6), copies = 500] = process.argv.slice(2).map(Number);
const few = Math.ceil(copies / 20);
const image = makeImage({ layers: [64 * KIB * KIB], seed: "breaks" });
const usual = { image, atOnce: 4, seed, say } as const;
const faults: string[] = [];

/** `isControl`: too much must have been read again. */
function judge(name: string, report: BreaksReport, isControl = false): void {
  const told = { ...report, failures: report.failures.length };
  say(`${name}: ${JSON.stringify(told)}`);
  for (const failure of report.failures.slice(0, 5)) faults.push(`${name}: ${failure}`);
  const { breaks, readAgain } = report;
  const isOver = readAgain > 64 * KIB * (breaks.reading + breaks.writing);
  if (isOver && !isControl)
    faults.push(`${name}: ${readAgain} bytes were read again, more than 64 KiB a break`);
  if (!isOver && isControl) faults.push(`${name}: what was read again was not seen`);
}

say(`seed ${seed}`);
{
  await using from = await startRegistry();
  await using to = await startRegistry({ quirks: ["relative-location"] });
  from.put("app", "1", image);
  const breaks = { reading: 8, writing: 8 };
  judge(
    "in-process registries",
    await copyOverBreaks({ ...usual, from: from.host, to: to.host, copies, breaks, name: "copy" }),
  );
}
{
  await using from = await startRegistry({ quirks: ["ignores-range"] });
  await using to = await startRegistry({ quirks: ["relative-location"] });
  from.put("app", "1", image);
  const breaks = { reading: 8, writing: 0 };
  judge(
    "control, Range ignored",
    await copyOverBreaks({
      ...usual,
      from: from.host,
      to: to.host,
      copies: few,
      breaks,
      name: "copy",
    }),
    true,
  );
}
if (missing("docker-registry") === false) {
  await using registry = await startDockerRegistry();
  await pushTo(registry.host, image);
  const [from, to] = [registry.host, registry.host];
  for (const breaks of [
    { reading: 8, writing: 0 },
    { reading: 8, writing: 4 },
  ])
    judge(
      `docker-registry, ${breaks.writing} breaks in writing`,
      await copyOverBreaks({
        ...usual,
        from,
        to,
        copies: few,
        breaks,
        name: `copy${breaks.writing}`,
      }),
    );
}
for (const fault of faults) say(fault);
process.exitCode = faults.length === 0 ? 0 : 1;
