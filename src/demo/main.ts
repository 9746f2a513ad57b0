// npm run demo: from nothing to a copied image that is verified. Makes a small image for two platforms, starts the service and a
// registry, orders copies over HTTP as any client would, shows their progress from the event stream, judges the results without the
// service's code, and leaves nothing behind but the image it made, for the next time.
//
//   --link=RATE   how fast the way to the registry is, in MiB a second (default on a terminal: 12, so that there is something to
//                 see; elsewhere 0, no limit)

import { join } from "node:path";
import { parseArgs, styleText } from "node:util";
import { onSignals } from "../start/signals.ts";
import { eventsOf, postJob, type JobRequest } from "./client.ts";
import { demoImage, type DemoImage } from "./image.ts";
import { Progress } from "./progress.ts";
import { showProgress } from "./screen.ts";
import { startStack, WORKERS, type Stack } from "./stack.ts";
import { inDir, inLayout, inRegistry, verify, type Place } from "./verify.ts";
import { mib } from "./view.ts";

const CACHE = join(import.meta.dirname, "../../.local/demo");
const TERMINAL_LINK_RATE = "12";

const say = (text = "") => console.log(text);
const step = (text: string) => say(`${styleText("dim", "·")} ${text}`);
const good = (text: string) => say(`${styleText("green", "✔")} ${text}`);

/** A copy to make, and where to look for its result. */
interface Leg {
  readonly job: JobRequest;
  readonly place: Place;
}

async function main(signal: AbortSignal): Promise<void> {
  const { values } = parseArgs({
    options: { link: { type: "string", default: process.stdout.isTTY ? TERMINAL_LINK_RATE : "0" } },
  });
  const linkRate = Number(values.link) * 1024 ** 2;
  if (!(linkRate >= 0)) throw new Error("--link must be a number of MiB a second");
  say(
    `\n${styleText("bold", "transship")}: an image from an OCI layout to a registry, and from there to a folder\n`,
  );

  const image = await demoImage(CACHE, step, signal);
  const bytes = image.blobs.reduce((sum, { size }) => sum + size, 0);
  step(
    `the image: ${image.platforms.join(" and ")}, ${image.blobs.length} blobs, ${mib(bytes)} MiB`,
  );
  await using stack = await startStack(image, linkRate, signal);
  step(`the service: ${stack.api}, ${WORKERS} workers, a Redis of its own`);
  if (stack.registry === undefined)
    step("no docker-registry here: a second layout takes its place");
  else
    step(
      `the registry: ${stack.registry.host}${linkRate > 0 ? `, over a line of ${values.link} MiB/s (--link=0: no limit)` : ""}`,
    );

  const legs = legsOf(stack);
  for (const [i, { job, place }] of legs.entries()) {
    say(`\n${styleText("bold", `${i + 1}/${legs.length}  ${job.source} → ${job.destination}`)}\n`);
    await copy(stack, image, job, signal);
    const found = await verify(place);
    if (found.digest !== image.digest)
      throw new Error(`${place.name}: the copy is ${found.digest}, the image ${image.digest}`);
    good(
      `verified: ${found.manifests} manifests and ${found.blobs} blobs in ${place.name}, ${mib(found.bytes)} MiB hashed anew`,
    );
  }
  say(goOn(image));
}

function legsOf({ registry, dataDir }: Stack): readonly Leg[] {
  const options = { imageListSelection: "all", progressIntervalMs: 100 };
  const context = { tlsVerify: false };
  const source = "oci:image:1.0";
  const folder = { destination: "dir:copy", options };
  const last = inDir(join(dataDir, "copy"));
  if (registry === undefined) {
    return [
      {
        job: { source, destination: "oci:second:1.0", options },
        place: inLayout(join(dataDir, "second")),
      },
      { job: { source: "oci:second:1.0", ...folder }, place: last },
    ];
  }
  const middle = `docker://${registry.host}/demo/image:1.0`;
  return [
    {
      job: { source, destination: middle, options, destinationContext: context },
      place: inRegistry(registry.direct, "demo/image", "1.0"),
    },
    { job: { source: middle, ...folder, sourceContext: context }, place: last },
  ];
}

/** Orders one copy and watches it to its end. Throws what the job failed of. */
async function copy(
  stack: Stack,
  image: DemoImage,
  job: JobRequest,
  signal: AbortSignal,
): Promise<void> {
  const address = await postJob(stack.api, job, signal);
  const progress = new Progress(image.blobs);
  let last;
  {
    using show = showProgress(progress, process.stdout);
    for await (const event of eventsOf(address, signal)) {
      show.update(progress.add(event, performance.now()));
      last = event;
    }
  }
  const ended = last?.data.job;
  if (ended?.status !== "succeeded")
    throw new Error(
      `the job ${ended?.status}: ${ended?.error?.code}: ${ended?.error?.detail}\n${await stack.log()}`,
    );
  say();
  good(
    `succeeded in ${((ended.result?.durationMs ?? 0) / 1000).toFixed(1)} s: ${ended.result?.manifestDigest.slice(0, 19)}…`,
  );
}

function goOn(image: DemoImage): string {
  const address = "http://127.0.0.1:8080";
  const command = (text: string) => styleText("cyan", text);
  return `
${styleText("bold", "Go on:")}

  ${command("npm start")}

and in another terminal, with the image of this demo or any other:

  ${command(`mkdir -p data && cp -r ".local/demo/${image.folder.slice(CACHE.length + 1)}" data/image`)}
  ${command(`curl -s ${address}/v1/jobs -H 'content-type: application/json' \\`)}
  ${command(`  -d '{"source": "oci:image:1.0", "destination": "dir:copy",`)}
  ${command(`       "options": {"imageListSelection": "all"}}'`)}
  ${command(`curl -sN ${address}/v1/jobs/ID/events`)}
  ${command(`curl -s ${address}/v1/jobs/ID`)}

The whole contract is at ${address}/docs.
`;
}

const { stopped } = onSignals();
try {
  await main(stopped);
  process.exit(0);
} catch (error) {
  if (stopped.aborted) {
    say("\ninterrupted; nothing is left running");
    process.exit(130);
  }
  console.error(
    `\n${styleText("red", "✘")} ${error instanceof Error ? error.message : String(error)}`,
  );
  process.exit(1);
}
