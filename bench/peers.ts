// The programs that are measured beside the service: those of these names on the PATH.

import { spawnSync } from "node:child_process";
import { timed, type Cost } from "./measure.ts";

export interface Peer {
  readonly name: string;
  /** Between registries, by `host:port/repository:tag`; certificates are not checked. */
  copy(from: string, to: string, isTls: boolean): Promise<Cost>;
  /** Ends with what it is called by itself. */
  version(): string;
}

const words = (command: string, ...args: readonly string[]): string =>
  spawnSync(command, args, { encoding: "utf8" }).stdout?.trim() ?? "";

/** `skopeo copy` with these arguments. */
export const skopeoCopy = (...args: readonly string[]): Promise<Cost> =>
  timed("skopeo", [
    "--insecure-policy",
    "copy",
    "--src-tls-verify=false",
    "--dest-tls-verify=false",
    ...args,
  ]);

const PEERS: readonly Peer[] = [
  {
    name: "skopeo",
    copy: (from, to) => skopeoCopy(`docker://${from}`, `docker://${to}`),
    version: () => words("skopeo", "--version").replace("skopeo version ", ""),
  },
  {
    name: "crane",
    // It speaks plain HTTP to loopback addresses by itself.
    copy: (from, to, isTls) => timed("crane", ["copy", ...(isTls ? ["--insecure"] : []), from, to]),
    version: () => /\d[\w.-]*/.exec(words("crane", "version"))?.[0] ?? "of unknown version",
  },
  {
    name: "oras",
    copy: (from, to, isTls) => {
      const how = isTls ? "insecure" : "plain-http";
      return timed("oras", ["cp", "--no-tty", `--from-${how}`, `--to-${how}`, from, to]);
    },
    version: () => /Version:\s*(\S+)/.exec(words("oras", "version"))?.[1] ?? "of unknown version",
  },
];

const isThere = (program: string): boolean =>
  spawnSync("sh", ["-c", 'command -v "$0"', program]).status === 0;

/** Skopeo is always among them. */
export const peersHere = (): {
  readonly here: readonly Peer[];
  readonly missing: readonly string[];
} => ({
  here: PEERS.filter(({ name }) => isThere(name)),
  missing: PEERS.filter(({ name }) => !isThere(name)).map(({ name }) => name),
});
