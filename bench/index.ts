// npm run bench [-- line …]: our service, with a worker that is up, beside `skopeo copy`, in pairs: same bytes, same registries, a new
// repository for each run. Prints ratios (ours / skopeo's; below 1 is faster), medians with the least and the most. Times of different
// minutes are not comparable on a busy machine; ratios within a pair are.
//
//   PAIRS=7 npm run bench -- big sixty

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  missing,
  skopeo,
  startDockerRegistry,
  type DockerRegistry,
} from "../test/support/peers.ts";
import { startService, type Service } from "../test/support/service.ts";
import { cpuOf, median, peakMemoryOf, spread, timed, type Cost } from "./measure.ts";
import { writeLayout } from "./workloads.ts";

const MiB = 1024 * 1024;

/** What is copied, registry to registry over plain HTTP. `again`: to where it is already. */
const LINES: Readonly<
  Record<
    string,
    { readonly about: string; readonly layers: readonly number[]; readonly again?: true }
  >
> = {
  big: { about: "1 GiB in 4 layers", layers: [256 * MiB, 256 * MiB, 256 * MiB, 256 * MiB] },
  sixty: { about: "60 layers of 64 KiB", layers: Array.from({ length: 60 }, () => 64 * 1024) },
  unchanged: {
    about: "10 layers of 1 MiB that are there already",
    layers: Array.from({ length: 10 }, () => MiB),
    again: true,
  },
};

const say = (line: string) => process.stdout.write(`${line}\n`);
const SKOPEO = ["--insecure-policy", "copy", "--src-tls-verify=false", "--dest-tls-verify=false"];

interface Pair {
  readonly ours: Cost;
  readonly theirs: Cost;
}

const pairs = Number(process.env["PAIRS"] ?? 5);
const absent = missing("skopeo", "docker-registry", "bash");
if (absent !== false) throw new Error(absent);

const wanted = process.argv.slice(2);
for (const name of wanted.length > 0 ? wanted : Object.keys(LINES)) {
  const line = LINES[name];
  if (line === undefined)
    throw new Error(`no line \`${name}\`; there are ${Object.keys(LINES).join(", ")}`);
  say(`${name}: ${line.about}, ${pairs} pairs after a warm-up`);
  await run(line.layers, line.again === true);
}

async function run(layers: readonly number[], again: boolean): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), "transship-bench-"));
  try {
    await using source = await startDockerRegistry(home);
    await using service = await startService({ workers: 1 });
    await writeLayout(join(home, "layout"), layers);
    const from = `docker://${source.host}/image:1`;
    await skopeo("copy", `oci:${join(home, "layout")}:image`, from);
    await rm(join(home, "layout"), { recursive: true });

    const rows: Pair[] = [];
    const pair = async (destination: DockerRegistry) => ({
      ours: await copyOurs(service, from, `docker://${destination.host}/ours:1`, again),
      theirs: await timed("skopeo", [...SKOPEO, from, `docker://${destination.host}/theirs:1`]),
    });
    await using kept = await startDockerRegistry(home);
    if (again) await pair(kept);
    for (let i = 0; i <= pairs; i++) {
      // A registry of its own for each pair: skopeo remembers which host has which blobs, and would not move them again.
      await using fresh = again ? undefined : await startDockerRegistry(home);
      const row = await pair(fresh ?? kept);
      if (i > 0) rows.push(row);
      say(
        `  ${i === 0 ? "warm-up" : `pair ${i} `}  ours ${show(row.ours)}  skopeo ${show(row.theirs)}`,
      );
    }
    summarize(rows, [...service.workers][0]?.pid ?? 0);
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

function summarize(rows: readonly Pair[], worker: number): void {
  const ratio = (of: keyof Cost) => spread(rows.map(({ ours, theirs }) => ours[of] / theirs[of]));
  const wall = (who: keyof Pair) => `${median(rows.map((row) => row[who].wall)).toFixed(2)} s`;
  say(`  ours / skopeo's, median (least–most): wall ${ratio("wall")}, cpu ${ratio("cpu")}`);
  say(
    `  ours ${wall("ours")}, skopeo ${wall("theirs")}; the worker's peak memory ${peakMemoryOf(worker).toFixed(0)} MiB`,
  );
}

/** From the POST to the job's end, and what the worker's process used meanwhile. */
async function copyOurs(
  service: Service,
  source: string,
  destination: string,
  again: boolean,
): Promise<Cost> {
  const pid = [...service.workers][0]?.pid ?? 0;
  const side = { tlsVerify: false };
  const options = { optimizeDestinationImageAlreadyExists: again };
  const cpu = cpuOf(pid);
  const begun = performance.now();
  const { id } = await service.submit({
    source,
    destination,
    sourceContext: side,
    destinationContext: side,
    options,
  });
  const job = await ended(service, id);
  const cost = { wall: (performance.now() - begun) / 1000, cpu: cpuOf(pid) - cpu };
  if (job.status !== "succeeded") throw new Error(`the copy failed: ${JSON.stringify(job.error)}`);
  return cost;
}

async function ended(service: Service, id: string) {
  for (;;) {
    const response = await fetch(`${service.url}/v1/jobs/${id}`, {
      headers: { prefer: "wait=60" },
    });
    const job = (await response.json()) as Awaited<ReturnType<Service["get"]>>;
    if (job.finishedAt !== null) return job;
  }
}

function show({ wall, cpu }: Cost): string {
  return `${wall.toFixed(2)} s, ${cpu.toFixed(2)} s cpu`;
}
