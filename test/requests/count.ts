// How many requests a copy costs, counted at the registries themselves.

import { makeImage, makeList, type TestImage, type TestList } from "../support/images.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import type { Client, Credentials } from "./clients.ts";

/** Requests by method and kind, such as `POST uploads`. */
export type Tally = ReadonlyMap<string, number>;

export interface Scenario {
  readonly name: string;
  /** What the destination has before, then the copy that is counted. */
  readonly steps: readonly Step[];
  /** Both registries ask for them, and give tokens. */
  readonly credentials?: Credentials;
  readonly image: TestImage | TestList;
}

/** `source`: from the source registry; else the name of a repository at the destination. The last step of a scenario is counted. */
interface Step {
  readonly from: string;
  readonly to: string;
}

const ten = makeImage({ layers: Array.from({ length: 10 }, (_, i) => 20_000 + i), seed: "ten" });
const eight = makeList(
  ["amd64", "arm64", "arm", "386", "ppc64le", "s390x", "riscv64", "mips64le"].map((architecture) =>
    makeImage({
      layers: [30_000, 30_001],
      seed: architecture,
      platform: { os: "linux", architecture },
    }),
  ),
);

const first: Step = { from: "source", to: "app:1" };

export const SCENARIOS: readonly Scenario[] = [
  { name: "10 layers, to a new repository", image: ten, steps: [first] },
  {
    name: "the same, with tokens",
    image: ten,
    steps: [first],
    credentials: { username: "user", password: "secret" },
  },
  { name: "then to another tag", image: ten, steps: [first, { from: "source", to: "app:2" }] },
  {
    name: "then to another repository",
    image: ten,
    steps: [first, { from: "source", to: "other:1" }],
  },
  {
    name: "promoted within the registry",
    image: ten,
    steps: [first, { from: "app:1", to: "released:1" }],
  },
  { name: "unchanged", image: ten, steps: [first, first] },
  { name: "a list of 8 platforms", image: eight, steps: [first] },
  { name: "the list unchanged", image: eight, steps: [first, first] },
];

/** Runs a scenario between two registries of its own. */
export async function count(scenario: Scenario, client: Client): Promise<Tally> {
  const { image, steps, credentials } = scenario;
  const registry =
    credentials === undefined ? {} : { auth: { kind: "bearer", ...credentials } as const };
  await using source = await startRegistry(registry);
  await using destination = await startRegistry(registry);
  source.put("app", "1", image);
  const named = ({ from }: Step) =>
    from === "source" ? `${source.host}/app:1` : `${destination.host}/${from}`;
  for (const step of steps) {
    for (const each of [source, destination]) each.requests.length = 0;
    await client.copy(named(step), `${destination.host}/${step.to}`, credentials);
    check(destination, step.to, image);
  }
  return tally([...source.requests, ...destination.requests]);
}

/** A copy that is not there is no copy, however few requests it took. */
function check(registry: TestRegistry, to: string, { digest }: TestImage | TestList): void {
  const [repository = "", tag = ""] = to.split(":");
  const found = registry.manifest(repository, tag)?.digest;
  if (found !== digest) throw new Error(`${to} is ${found ?? "not there"}, not ${digest}`);
}

export function tally(
  requests: readonly { readonly method: string; readonly kind: string }[],
): Tally {
  const counts = new Map<string, number>();
  for (const { method, kind } of requests) {
    const what = `${method} ${kind}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return counts;
}

export const total = (counts: Tally): number =>
  [...counts.values()].reduce((sum, each) => sum + each, 0);
