// Two registries, and between them and the copy somebody who does what a script says.

import { Registries } from "../../src/transport/docker/registries.ts";
import type { PaceStore } from "../../src/transport/docker/pace/pace.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { makeIdentities, resolverOf, startDialling, type Dialling } from "../support/dialling.ts";
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
  /** Tokens are asked for, at an address of the proxy; absent: nobody asks who one is. */
  readonly realms?: (urls: Readonly<Record<Side, string>>) => void;
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
    realms: (urls) => void Object.assign(realm, urls),
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

export class Bench implements AsyncDisposable {
  readonly upstream: Upstream;
  readonly proxies: Readonly<Record<Side, FaultProxy>>;
  /** How the proxies are dialled. */
  readonly dialling: Readonly<Record<Side, Dialling>>;
  readonly #ca: string | undefined;
  #copies = 0;

  private constructor(
    upstream: Upstream,
    proxies: Bench["proxies"],
    dialling: Bench["dialling"],
    ca: string | undefined,
  ) {
    this.upstream = upstream;
    this.proxies = proxies;
    this.dialling = dialling;
    this.#ca = ca;
  }

  static async start(upstream: Upstream, speaks: "http" | "https" = "http"): Promise<Bench> {
    const identities = speaks === "https" ? makeIdentities() : undefined;
    const start = async (side: Side) => {
      const proxy = await startFaultProxy(upstream.hosts[side], nameOf);
      const dialling = await startDialling(side, proxy.host, identities);
      proxy.isOpen = () => !dialling.isDown;
      return { proxy, dialling };
    };
    const [source, destination] = await Promise.all([start("source"), start("destination")]);
    upstream.realms?.({
      source: `${speaks}://${source.dialling.host}/token`,
      destination: `${speaks}://${destination.dialling.host}/token`,
    });
    return new Bench(
      upstream,
      { source: source.proxy, destination: destination.proxy },
      { source: source.dialling, destination: destination.dialling },
      identities?.ca,
    );
  }

  get hasTls(): boolean {
    return this.#ca !== undefined;
  }

  /** Nothing goes wrong any more, and nothing was seen. */
  heal(): void {
    for (const proxy of Object.values(this.proxies)) proxy.play();
    for (const dialling of Object.values(this.dialling)) dialling.heal();
  }

  /** Connections that know nothing yet. */
  fresh(expects: keyof typeof PATIENCE_MS): Registries {
    const stallMs = PATIENCE_MS[expects];
    const timing = { ...TIMING, stallMs, storeMs: stallMs };
    const resolve = resolverOf(Object.values(this.dialling));
    return new Registries(LOOPBACK_TOO, timing, {}, UNPACED, { resolve });
  }

  /** Ends for one copy, with a destination of its own, and connections that know nothing yet. */
  ends({ name, mounts }: Scenario, expects: keyof typeof PATIENCE_MS): Ends {
    const { source, destination } = this.dialling;
    return {
      registries: this.fresh(expects),
      ca: this.#ca,
      source: { host: mounts ? destination.host : source.host, repository: `from/${name}` },
      destination: { host: destination.host, repository: `to/${++this.#copies}` },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ends = [...Object.values(this.proxies), ...Object.values(this.dialling)];
    await Promise.all(ends.map((end) => end[Symbol.asyncDispose]()));
    await this.upstream[Symbol.asyncDispose]();
  }
}
