// npm run breaks: 500 copies of a blob of 64 MiB by ten workers over connections that break at random offsets, up to eight times on the way
// in and as often on the way out. Ends 0 only if all succeeded with the right bytes, no more than 64 KiB a break came from the source
// again, and each of the two controls saw more. `npm run breaks -- <seed> <copies> <at once>` for others; the seed is printed. What a break
// loses is what buffers had: it runs in a network of its own whose sockets have Linux' usual limits, where one can be made.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { makeImage } from "../support/images.ts";
import { missing, startDockerRegistry } from "../support/peers.ts";
import type { Quirk } from "../support/registry-quirks.ts";
import { startRegistry } from "../support/registry.ts";
import { copyOverBreaks, isOverLimit, pushTo, type BreaksOptions } from "./breaks.ts";

const KIB = 1024;
const say = (line: string) => process.stdout.write(`${line}\n`);
const isInside = process.argv[2] === "--inside";
const given = process.argv.slice(isInside ? 3 : 2);
const [seed = Math.floor(Math.random() * 1e6), copies = 500, atOnce = 4] = given.map(Number);
const few = Math.max(20, Math.ceil(copies / 20));
const image = makeImage({ layers: [64 * KIB * KIB], seed: "breaks" });
const usual = { image, workers: 10, atOnce, seed, say, copies: few, name: "copy" } as const;
const faults: string[] = [];

const OWN_NETWORK = `ip link set lo up && cd /proc/sys/net/ipv4 && echo 4096 131072 6291456 >tcp_rmem && echo 4096 16384 4194304 >tcp_wmem && cd - >/dev/null && exec "$@"`;
const enter = (...command: readonly string[]) =>
  ["unshare", ["--net", "--map-root-user", "sh", "-c", OWN_NETWORK, "sh", ...command]] as const;

/** `isControl`: too much must have been read again. */
async function judge(what: string, options: BreaksOptions, isControl = false): Promise<void> {
  const report = await copyOverBreaks(options);
  say(`${what}: ${JSON.stringify({ ...report, failures: report.failures.length })}`);
  for (const failure of report.failures.slice(0, 5)) faults.push(`${what}: ${failure}`);
  if (isOverLimit(report) === isControl) return;
  faults.push(
    isControl
      ? `${what}: what was read again was not seen`
      : `${what}: ${report.counted} bytes were read again, more than 64 KiB a break`,
  );
}

/** Between two registries of this process. */
async function judgeHere(
  what: string,
  options: Omit<BreaksOptions, "from" | "to">,
  { quirks = [], isControl = false }: { quirks?: readonly Quirk[]; isControl?: boolean } = {},
): Promise<void> {
  await using from = await startRegistry({ quirks });
  await using to = await startRegistry({ quirks: ["relative-location"] });
  from.put("app", "1", image);
  await judge(what, { ...options, from: from.host, to: to.host }, isControl);
}

async function prove(): Promise<void> {
  say(`seed ${seed}`);
  const both = { ...usual, breaks: { reading: 8, writing: 8 } };
  const reading = { ...usual, breaks: { reading: 8, writing: 0 } };
  const ignored = { quirks: ["ignores-range"], isControl: true } as const;
  await judgeHere("in-process registries", { ...both, copies });
  await judgeHere("control, Range ignored", reading, ignored);
  await judgeHere("control, nothing is kept", { ...both, keepsSent: false }, { isControl: true });
  if (missing("docker-registry") === false) await judgeDockerRegistry(reading);
  for (const fault of faults) say(fault);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

async function judgeDockerRegistry(reading: Omit<BreaksOptions, "from" | "to">): Promise<void> {
  await using registry = await startDockerRegistry();
  await pushTo(registry.host, image);
  const ends = { from: registry.host, to: registry.host };
  await judge("docker-registry", { ...reading, ...ends });
  // It takes no upload up again: what it loses is the whole.
  const breaks = { reading: 8, writing: 4 };
  const more = { ...usual, ...ends, breaks, name: "more", isResumed: false };
  await judge("docker-registry, breaks in writing", more);
}

if (isInside) await prove();
else if (spawnSync(...enter("true")).status === 0) {
  const inside = ["--inside", String(seed), String(copies), String(atOnce)];
  const [program, args] = enter(process.execPath, import.meta.filename, ...inside);
  const [code] = (await once(spawn(program, args, { stdio: "inherit" }), "exit")) as [
    number | null,
  ];
  process.exitCode = code ?? 1;
} else {
  say("no network of its own can be made here: what buffers hold is as this machine says");
  await prove();
}
