// Two registries, and between them and the copy somebody who does what a script says.

import { Registries } from "../../src/transport/docker/registries.ts";
import type { PaceStore } from "../../src/transport/docker/pace/pace.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { startFaultProxy, type FaultProxy } from "../support/fault-proxy.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { holdingsOf, type Holdings } from "./oracle.ts";
import { fill, forgetBlobs } from "./fill.ts";
import {
  IDENTITY_TOKEN,
  nameOf,
  SCENARIOS,
  TAG_NAMES,
  USER,
  type Ends,
  type Scenario,
} from "./scenarios.ts";

export type Side = "source" | "destination";

/** What is behind the proxies. */
export interface Upstream extends AsyncDisposable {
  readonly hosts: Readonly<Record<Side, string>>;
  /** What the destination has. */
  readonly holdings: (repository: string) => Holdings;
  /** Sees to it that the destination has nothing of a scenario; absent: each repository has its own blobs. */
  readonly forget?: (scenario: Scenario) => Promise<void>;
  /** Sessions there that were neither finished nor cancelled; undefined: it does not say. */
  readonly openUploads?: () => number;
  /** Tokens are asked for, at the address of the proxy; absent: nobody asks who one is. */
  readonly realms?: (proxies: Readonly<Record<Side, string>>) => void;
}

/** The registry that the tests' own process plays: it asks for tokens, and takes no manifest before its blobs. */
export async function inProcess(): Promise<Upstream> {
  const realm: Partial<Record<Side, string>> = {};
  const start = (side: Side) =>
    startRegistry({
      quirks: ["relative-location"],
      tagsPerPage: 1,
      auth: {
        kind: "bearer",
        ...USER,
        identityToken: IDENTITY_TOKEN,
        get realm() {
          return realm[side] ?? "";
        },
      },
    });
  const [source, destination] = await Promise.all([start("source"), start("destination")]);
  for (const scenario of Object.values<Scenario>(SCENARIOS)) place(source, scenario);
  place(destination, SCENARIOS.mounted);
  return {
    hosts: { source: source.host, destination: destination.host },
    holdings: (repository) => ({
      manifest: async (ref) => destination.manifest(repository, ref)?.bytes,
      blob: async (digest) => destination.content.blob(repository, digest),
    }),
    openUploads: () => destination.openUploads,
    realms: (hosts) => {
      realm.source = `http://${hosts.source}/token`;
      realm.destination = `http://${hosts.destination}/token`;
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([source[Symbol.asyncDispose](), destination[Symbol.asyncDispose]()]);
    },
  };
}

function place(registry: TestRegistry, { name, image, artifacts = [], lists }: Scenario): void {
  for (const tag of lists ? TAG_NAMES : ["v1"]) registry.put(`from/${name}`, tag, image);
  for (const artifact of artifacts) registry.put(`from/${name}`, artifact.digest, artifact);
}

/** A real one, which is both ends; it knows no users. */
export async function realOne({ host, stop }: RealRegistry): Promise<Upstream> {
  for (const scenario of Object.values<Scenario>(SCENARIOS)) await fill(host, scenario);
  return {
    hosts: { source: host, destination: host },
    holdings: (repository) => holdingsOf(host, repository),
    [Symbol.asyncDispose]: stop,
  };
}

/** Two real ones, each with one pool of blobs for all of its repositories. */
export async function pooledOnes(
  source: RealRegistry,
  destination: RealRegistry,
): Promise<Upstream> {
  for (const scenario of Object.values<Scenario>(SCENARIOS)) await fill(source.host, scenario);
  return {
    hosts: { source: source.host, destination: destination.host },
    holdings: (repository) => holdingsOf(destination.host, repository),
    forget: (scenario) => forgetBlobs(destination.host, scenario),
    [Symbol.asyncDispose]: async () =>
      void (await Promise.all([source.stop(), destination.stop()])),
  };
}

export interface RealRegistry {
  readonly host: string;
  readonly stop: () => Promise<void>;
}

/** ms: short, since a cell of the matrix may wait for each of them several times. */
const TIMING = { stallBytes: 1024, retryMs: 1, breakMs: 1 };
/** How long what stands still is waited for: where something does, not long; else for as long as a busy machine may take. */
const PATIENCE_MS = { stalls: 300, moves: 20_000 } as const;

/** Nothing is learnt here of how much a registry takes: that has its own proof, and would take seconds a cell. */
const UNPACED: PaceStore = { change: () => Promise.reject(new Error("away")) };

/** Connections that know nothing yet. */
export function fresh(expects: keyof typeof PATIENCE_MS): Registries {
  const stallMs = PATIENCE_MS[expects];
  return new Registries(LOOPBACK_TOO, { ...TIMING, stallMs, storeMs: stallMs }, {}, UNPACED);
}

export class Bench implements AsyncDisposable {
  readonly upstream: Upstream;
  readonly proxies: Readonly<Record<Side, FaultProxy>>;
  #copies = 0;

  private constructor(upstream: Upstream, source: FaultProxy, destination: FaultProxy) {
    this.upstream = upstream;
    this.proxies = { source, destination };
  }

  static async start(upstream: Upstream): Promise<Bench> {
    const [source, destination] = await Promise.all([
      startFaultProxy(upstream.hosts.source, nameOf),
      startFaultProxy(upstream.hosts.destination, nameOf),
    ]);
    upstream.realms?.({ source: source.host, destination: destination.host });
    return new Bench(upstream, source, destination);
  }

  /** Ends for one copy, with a destination of its own, and connections that know nothing yet. */
  ends({ name, mounts }: Scenario, expects: keyof typeof PATIENCE_MS): Ends {
    const { source, destination } = this.proxies;
    return {
      registries: fresh(expects),
      source: { host: mounts ? destination.host : source.host, repository: `from/${name}` },
      destination: { host: destination.host, repository: `to/${++this.#copies}` },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(Object.values(this.proxies).map((proxy) => proxy[Symbol.asyncDispose]()));
    await this.upstream[Symbol.asyncDispose]();
  }
}
