// What the engine works with. It knows no Redis, no environment and no logger: transports, semaphores and listeners come in as
// arguments that fit these shapes.

import type { Bytes } from "../bytes.ts";
import type { BlobInfo, Descriptor } from "../image/blob-info.ts";
import type { Digest } from "../image/digest.ts";
import type { RawManifest } from "../image/manifest/manifest.ts";
import type { Platform, PlatformChoice } from "../image/platform.ts";

/** Bytes of a blob, with what is known of it at this point of the pipeline. */
export interface BlobStream {
  readonly content: Bytes;
  readonly info: BlobInfo;
}

/** One stage of a blob's way. */
export type Step = (blob: BlobStream) => BlobStream;

/** A repository of a registry: where blobs can be mounted from. */
export interface Location {
  readonly registry: string;
  readonly repository: string;
}

/** A blob that need not be moved: it is in the destination already, or in another repository of the same registry. */
export interface FoundBlob extends Descriptor {
  /** Where it can be mounted from; absent if the destination has it. */
  readonly from?: Location;
}

/** A manifest that a destination has. */
export interface FoundManifest {
  readonly digest: Digest;
  readonly mediaType: string;
}

export interface Signature {
  /** containers/image's signature blob, as it is stored (semantics 6.1). */
  readonly bytes: Buffer;
}

export interface Source extends AsyncDisposable {
  /** The reference, for messages. */
  readonly name: string;
  /** Set where a registry of the same name can mount blobs from here. */
  readonly location?: Location;
  /**
   * The manifest that the reference names, or one instance of it. Its bytes are those that `instance`, or the reference's own digest,
   * names: each source checks that. The reference's manifest is read once and stays the same for the life of the source.
   */
  getManifest(instance: Digest | undefined, signal: AbortSignal): Promise<RawManifest>;
  /** The bytes are not checked yet: the pipeline does that for every source alike. */
  getBlob(blob: Descriptor, signal: AbortSignal): Promise<BlobStream>;
  getSignatures(instance: Digest | undefined, signal: AbortSignal): Promise<readonly Signature[]>;
}

/** What a kind of destination wants and allows (semantics 7.0): data, so that decisions about it are pure functions. */
export interface DestinationTraits {
  /** In the order of preference; empty: anything. */
  readonly manifestTypes: readonly string[];
  /** What should become of layers that are not compressed as the destination has them. */
  readonly layers: "compress" | "decompress" | "preserve";
  /** Layers with URLs may stay where their URLs point. */
  readonly keepsForeignLayers: boolean;
  readonly signatures: boolean;
}

/** Opening one writes nothing; the first put does. What was put is an image only after `commit`. */
export interface Destination extends AsyncDisposable {
  /** The reference, for messages. */
  readonly name: string;
  readonly traits: DestinationTraits;
  /** The digest that the reference itself demands of the manifest. */
  readonly digest?: Digest;
  /** What the reference names now, or whether an instance is here; undefined where there is nothing. Writes nothing. */
  findManifest(
    instance: Digest | undefined,
    signal: AbortSignal,
  ): Promise<FoundManifest | undefined>;
  /** Where the blob is to be had without moving bytes: here, or at one of `candidates`. Writes nothing. */
  findBlob(
    blob: Descriptor,
    candidates: readonly FoundBlob[],
    signal: AbortSignal,
  ): Promise<FoundBlob | undefined>;
  /** Takes over a blob that was found elsewhere. False where the registry would rather have the bytes. */
  mountBlob(found: FoundBlob, signal: AbortSignal): Promise<boolean>;
  /** Stores the blob; visible only if `blob.content` ended without an error. Returns what was stored. */
  putBlob(blob: BlobStream, signal: AbortSignal): Promise<Descriptor>;
  /** Stores an instance under its digest, or (undefined) the manifest that the reference is to name. */
  putManifest(
    manifest: RawManifest,
    instance: Digest | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  putSignatures(
    signatures: readonly Signature[],
    instance: Digest | undefined,
    signal: AbortSignal,
  ): Promise<void>;
  /** Makes what was put an image: the last write. */
  commit(signal: AbortSignal): Promise<void>;
}

/** Limits how many tasks run at once. */
export interface Semaphore {
  /**
   * Waits its turn (first come, first served), then runs the task. The task's signal aborts with `signal`, and if the permit is
   * lost. Waiting ends when `signal` aborts. `weight` (default 1) is how much of the limit the task takes.
   */
  run<T>(
    task: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal,
    weight?: number,
  ): Promise<T>;
}

export interface Artifact {
  readonly digest: Digest;
  /** Bytes, as the manifest has it. */
  readonly size: number;
  readonly mediaType: string;
  readonly kind: "config" | "layer";
  /** Of the layer in its manifest, from 0 = base; 0 for a config. */
  readonly index: number;
}

/** The library's progress events and report lines (semantics 2.3, 2.4); offsets in bytes. */
export type ProgressEvent =
  | { readonly type: "blob-new"; readonly artifact: Artifact }
  | {
      readonly type: "blob-read";
      readonly artifact: Artifact;
      readonly offset: number;
      readonly offsetUpdate: number;
    }
  | { readonly type: "blob-done"; readonly artifact: Artifact; readonly offset: number }
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

/** The contract's `options`, as far as they steer the engine, with its defaults applied. */
export interface CopyOptions {
  readonly imageListSelection: "system" | "all" | "specific";
  readonly instances: readonly Digest[];
  readonly platforms: readonly Platform[];
  readonly preserveDigests: boolean;
  readonly removeSignatures: boolean;
  /** Blobs of this copy at once. */
  readonly maxParallelDownloads: number;
  readonly optimizeDestinationImageAlreadyExists: boolean;
  readonly downloadForeignLayers: boolean;
  readonly ifTagExists: "overwrite" | "fail" | "skip";
  /** At most one `blob-read` a blob in so many ms. */
  readonly progressIntervalMs: number;
}

export interface CopyEnds {
  readonly source: Source;
  readonly destination: Destination;
  /** For `imageListSelection: system`. */
  readonly platform: PlatformChoice;
  /** The machine's own platform: what an absent part of `platform` means. */
  readonly host: Platform;
}

export interface CopyControl {
  /** Shared by all copies: one permit a blob that is looked for or moved. */
  readonly blobs: Semaphore;
  readonly report: Report;
  readonly signal: AbortSignal;
}

export interface CopyResult extends FoundManifest {
  /** The bytes that the destination reference names now; absent where its tag was left alone. */
  readonly manifest?: RawManifest;
  readonly sourceDigest: Digest;
  /** How many were written. */
  readonly signatures: number;
  /** True if nothing was written: the image was there, or its tag was to be left alone. */
  readonly skipped: boolean;
}
