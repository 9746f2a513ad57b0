// What a receiver is to a wire.

import type { Head } from "./head.ts";
import type { Slabs } from "./slabs.ts";

/** What the wire does about what came. */
export interface Line {
  readonly slabs: Slabs;
  /** Bytes of one. */
  readonly slabSize: number;
  /** Reading goes on, if it rests. */
  readonly resume: () => void;
  readonly onHead: (head: Head) => void;
  /** An answer is over. `isClean`: the next one may follow. */
  readonly onOver: (isClean: boolean) => void;
  readonly onBroken: (reason: Error) => void;
}
