// What the engine tells while it works.

import type { Digest } from "../image/digest.ts";

export interface Artifact {
  readonly digest: Digest;
  /** Bytes, as the manifest has it; null where it does not tell (docker schema 1). */
  readonly size: number | null;
  readonly mediaType: string;
  readonly kind: "config" | "layer";
  /** Of the layer in its manifest, from 0 = base; 0 for a config. */
  readonly index: number;
}

/** The library's progress events and report lines (semantics 2.3, 2.4). Offsets count the source's bytes, also where they are converted. */
export type ProgressEvent =
  | { readonly type: "blob-new"; readonly artifact: Artifact }
  | {
      readonly type: "blob-read";
      readonly artifact: Artifact;
      readonly offset: number;
      readonly offsetUpdate: number;
    }
  | {
      readonly type: "blob-done";
      readonly artifact: Artifact;
      readonly offset: number;
      /** Bytes that the destination stored: others than were read where the blob was converted. */
      readonly bytesStored: number;
    }
  | {
      readonly type: "blob-skipped";
      readonly artifact: Artifact;
      readonly reason: "exists" | "mounted" | "foreign";
    }
  | { readonly type: "report"; readonly message: string };

/** What the engine tells while it works: the contract's events, and which blobs it has learnt of, for totals. */
export type Report = (
  event: ProgressEvent | { readonly type: "planned"; readonly artifacts: readonly Artifact[] },
) => void;
