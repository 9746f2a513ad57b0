import type { Service } from "../test/support/service.ts";
import type { Cost } from "./measure.ts";
import type { Peer } from "./peers.ts";

/** What one copy cost each of those that made it. */
export interface Round {
  readonly ours: Cost;
  readonly [peer: string]: Cost;
}

export interface Copies extends AsyncDisposable {
  /** The same copy by everybody, one after the other. The 0th is the warm-up. */
  round(i: number): Promise<Round>;
}

/** Ratios to skopeo that are to be reached, at most. */
export interface Goal {
  readonly wall: number;
  readonly cpu?: number;
}

export interface Line {
  readonly about: string;
  readonly goal?: Goal;
  /** BLOB_CONCURRENCY, if not the default. */
  readonly blobs?: number;
  /** `home`: a folder of the line's own, removed afterwards. `peers`: who is there; a line may ask fewer of them. */
  open(home: string, service: Service, peers: readonly Peer[]): Promise<Copies>;
}
