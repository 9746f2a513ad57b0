// npm run ssrf: every spelling of a forbidden address, and names that lead to one, at every place where an address comes from the other
// side. It runs in a network of its own in which every address of the internet is this machine, so that a listener hears whoever dials
// any of them. Ends 0 only if nobody was heard, and if the same listener hears those who may come. Where no such network can be made,
// what the process dialled is its only witness, but for loopback.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  DISGUISES,
  NEVER_REACHED,
  PRIVATE_SPELLINGS,
  PUBLIC_SPELLINGS,
} from "../support/spellings.ts";
import { serveNames, type Zone } from "./names.ts";
import { PLACES } from "./places.ts";
import {
  describe,
  OPEN,
  reachAll,
  refuseAll,
  startBench,
  STRICT,
  visit,
  visitsTo,
  type Bench,
  type Report,
} from "./proof.ts";

const say = (line: string) => void process.stdout.write(`${line}\n`);
const faults: string[] = [];

const PUBLIC = "9.9.9.9";
const REQUESTS = 1_000;
let asked = 0;
/** What the names stand for; the first is the control. */
const ZONE: Zone = {
  "public.test": (type) => (type === "A" ? [PUBLIC] : []),
  "loopback.test": (type) => (type === "A" ? ["127.0.0.1"] : ["::1"]),
  "private.test": (type) => (type === "A" ? ["10.0.0.5"] : []),
  "mixed.test": (type) => (type === "A" ? [PUBLIC, "127.0.0.1"] : []),
  "mixed6.test": (type) => (type === "A" ? [PUBLIC] : ["2606:4700::1111", "fd00::1"]),
  "mapped.test": (type) => (type === "AAAA" ? ["64:ff9b::a9fe:a9fe"] : []),
  "unspecified.test": (type) => (type === "A" ? ["0.0.0.0"] : ["::"]),
  "metadata.test": (type) => (type === "A" ? ["169.254.169.254"] : []),
  "alias.test": () => ["private.test"],
  // Good when it is asked first, and every other time from then on.
  "rebind.test": (type) => (type === "AAAA" ? [] : asked++ % 2 === 0 ? [PUBLIC] : ["127.0.0.1"]),
};

/** A network without an outside, where each address is the machine's own. */
const OWN_NETWORK =
  'ip link set lo up && ip route add local 0.0.0.0/0 dev lo && ip -6 route add local ::/0 dev lo && exec "$@"';
const enter = (...command: readonly string[]) =>
  ["unshare", ["--net", "--map-root-user", "sh", "-c", OWN_NETWORK, "sh", ...command]] as const;

function check(what: string, report: Report): void {
  say(
    `${what}: ${describe(report)}${report.faults.length === 0 ? "" : ", AND NOT AS IT SHOULD BE"}`,
  );
  faults.push(...report.faults);
}

const at = (spellings: readonly string[], port: number): readonly string[] =>
  spellings.flatMap((spelling) => [`*://${spelling}:${port}/x`]);

async function refusals(bench: Bench): Promise<void> {
  const { port, heard } = bench.sentinel;
  const spellings = [...PRIVATE_SPELLINGS, ...NEVER_REACHED, "localhost", "LOCALHOST."];
  check(
    `${spellings.length} spellings of forbidden addresses at ${PLACES.length} places`,
    await refuseAll(visitsTo(at(spellings, port)), bench),
  );
  const plain = spellings.map((spelling) => `*://${spelling}/x`);
  check("the same at the usual ports", await refuseAll(visitsTo(plain, 5), bench));
  const named = PLACES.filter(({ name }) => !name.startsWith("reference"));
  const refused = new Set([
    "host_denied",
    "registry_unavailable",
    "source_not_found",
    "manifest_invalid",
  ]);
  const disguises = DISGUISES.map((disguise) => disguise(port));
  check("disguised", await refuseAll(visitsTo(disguises, 1, named), bench, refused));
  say(
    `heard: ${heard.length} connections, ${heard.reduce((sum, { bytes }) => sum + bytes, 0)} bytes`,
  );
  if (heard.length > 0) faults.push(`heard: ${heard.map((who) => who.at).join(", ")}`);
}

/** The same places reach what they may reach, and what they must not where the rule is open. */
async function controls(bench: Bench, isWhole: boolean): Promise<void> {
  const { port } = bench.sentinel;
  const allowed = [`http://127.77.0.2:${port}/x`];
  check("control, an allowed address", await reachAll(visitsTo(allowed), STRICT, bench));
  const loopback = at(["127.0.0.1", "2130706433"], port).map((url) => url.replace("*", "http"));
  check("control, loopback with the rule open", await reachAll(visitsTo(loopback), OPEN, bench));
  if (!isWhole) return;
  const known = PUBLIC_SPELLINGS.filter((spelling) => /^[\d[]/.test(spelling));
  const urls = known.map((spelling) => `http://${spelling}:${port}/x`);
  const followed = PLACES.filter(({ name }) => !name.startsWith("reference"));
  check("control, public addresses", await reachAll(visitsTo(urls, 7, followed), STRICT, bench));
}

async function names(bench: Bench): Promise<void> {
  const { port, heard } = bench.sentinel;
  await using _server = await serveNames(ZONE);
  const url = (name: string) => `http://${name}:${port}/x`;
  const [good = "", ...others] = Object.keys(ZONE);
  const bad = others.filter((name) => name !== "rebind.test");
  check(
    "control, a name with a public address",
    await reachAll(visitsTo([url(good)]), STRICT, bench),
  );
  const before = heard.length;
  check(
    `${bad.length} names with a forbidden address, alone or among others`,
    await refuseAll(visitsTo(bad.map(url)), bench),
  );
  if (heard.length > before) faults.push("a name led to a forbidden address");
  await rebinding(bench, url("rebind.test"));
}

/** Requests to a name whose address is another one each time: what was judged is what is dialled. */
async function rebinding(bench: Bench, url: string): Promise<void> {
  const { heard } = bench.sentinel;
  const before = heard.length;
  const followed = PLACES.filter(({ guard }) => guard === "rule");
  const seen = new Map<string, number>();
  const count = (what: string) => seen.set(what, (seen.get(what) ?? 0) + 1);
  for (let i = 0; i < REQUESTS; i++) {
    const place = followed[i % followed.length];
    if (place === undefined) break;
    const { dialled } = await visit({ place, url }, STRICT, bench);
    for (const address of dialled) count(address);
  }
  const wrong = heard.slice(before).filter((who) => who.at !== PUBLIC);
  say(
    `a name that is rebound, ${REQUESTS} visits, ${asked} questions: dialled ${JSON.stringify(Object.fromEntries(seen))}`,
  );
  if (wrong.length > 0 || [...seen.keys()].some((address) => address !== PUBLIC))
    faults.push(`a rebound name was dialled at ${[...seen.keys()].join(", ")}`);
  if ((seen.get(PUBLIC) ?? 0) < REQUESTS / 4)
    faults.push("the rebound name was hardly ever dialled");
}

async function prove(isWhole: boolean): Promise<void> {
  await using bench = await (isWhole ? startBench(80, 443) : startBench());
  await refusals(bench);
  await controls(bench, isWhole);
  if (isWhole) await names(bench);
  for (const fault of faults.slice(0, 50)) say(fault);
  say(faults.length === 0 ? "nothing forbidden was reached" : `${faults.length} faults`);
  process.exitCode = faults.length === 0 ? 0 : 1;
}

if (process.argv.includes("--inside")) await prove(true);
else if (spawnSync(...enter("true")).status === 0) {
  const [program, args] = enter(process.execPath, import.meta.filename, "--inside");
  const [code] = (await once(spawn(program, args, { stdio: "inherit" }), "exit")) as [
    number | null,
  ];
  process.exitCode = code ?? 1;
} else {
  say("no network of its own can be made here: beyond loopback, only what is dialled is seen");
  await prove(false);
}
