// What the engine works with. It knows no Redis, no environment and no logger: transports, semaphores and listeners come in as
// arguments that fit these shapes.

import type { Bytes, Span } from "../bytes.ts";
import type { BlobInfo, Descriptor, NamedBlob } from "../image/blob-info.ts";
import type { Digest } from "../image/digest.ts";
import type { RawManifest } from "../image/manifest/manifest.ts";
import type { Platform, PlatformChoice } from "../image/platform.ts";
import type { DockerReference } from "../image/reference/docker.ts";
import type { BlobInfoCache, Location } from "./blob-info-cache.ts";
import type { CompressionWish } from "./options.ts";
import type { Report } from "./progress.ts";

/** Bytes of a blob, with what is known of it at this point of the pipeline. */
export interface BlobStream {
  readonly content: Bytes;
  readonly info: BlobInfo;
  /**
   * The same bytes once more, for a destination that has lost some. They are not verified: whoever puts them between bytes of `content` has
   * the digest of the whole checked. Absent where they cannot be had without all that come before. Steps that change bytes drop it.
   */
  readonly again?: (span: Span) => Bytes;
}

/** One stage of a blob's way. */
export type Step = (blob: BlobStream) => BlobStream;

/** A manifest that a destination has. */
export interface FoundManifest {
  readonly digest: Digest;
  readonly mediaType: string;
}

export interface Signature {
  /** containers/image's signature blob, as it is stored (semantics 6.1). */
  readonly bytes: Buffer;
}

/** An end that may be far away. */
interface Remote {
  /** So many requests are about to come at once: the way there is made ready for them. Asks for nothing. Absent: it is near. */
  approach?(requests: number, signal: AbortSignal): void;
}

export interface Source extends AsyncDisposable, Remote {
  /** The reference, for messages. */
  readonly name: string;
  /** Set where a registry of the same name can mount blobs from here. */
  readonly location?: Location;
  /**
   * The manifest that the reference names, or one instance of it. Its bytes are those that `instance`, or the reference's own digest,
   * names: each source checks that. The reference's manifest is read once and stays the same for the life of the source.
   */
  getManifest(instance: Digest | undefined, signal: AbortSignal): Promise<RawManifest>;
  /**
   * The bytes are not checked yet: the pipeline does that for every source alike. Nothing is read before they are poured. A blob with
   * `urls` that is not here comes from there, under the egress rule, without credentials.
   */
  getBlob(blob: NamedBlob, signal: AbortSignal): Promise<BlobStream>;
  getSignatures(instance: Digest | undefined, signal: AbortSignal): Promise<readonly Signature[]>;
  /** What refers to a manifest here, by `subject` or by a tag that names it; empty where the transport knows no referrers. */
  getReferrers(digest: Digest, signal: AbortSignal): Promise<readonly Referrer[]>;
}

/** A manifest that refers to another one: a signature, an SBOM, an attestation (OCI distribution-spec, "Listing Referrers"). */
export interface Referrer extends Descriptor {
  readonly artifactType?: string;
  /** Found, and to be found, under this tag (cosign: `sha256-<hex>.sig`) rather than by its `subject`. */
  readonly tag?: string;
}

/** What a kind of destination wants and allows (semantics 7.0): data, so that decisions about it are pure functions. */
export interface DestinationTraits {
  /** In the order of preference; empty: anything. */
  readonly manifestTypes: readonly string[];
  /** What should become of layers that are not compressed as the destination has them. */
  readonly layers: "compress" | "decompress" | "preserve";
  /** Layers with URLs may stay where their URLs point. */
  readonly keepsForeignLayers: boolean;
  /** Several blobs may be put at once. */
  readonly concurrentBlobs: boolean;
  readonly signatures: boolean;
  /** Manifests that refer to others can be found here. */
  readonly referrers: boolean;
  /** An image's manifest is taken only when all blobs that it names are here: where it is, they are. */
  readonly checksManifests: boolean;
}

/** Of what is found: `likely` is good enough for whoever would only save work by it. */
export type Certainty = "likely" | "sure";

/** Opening one writes nothing; the first put does. What was put is an image only after `commit`. */
export interface Destination extends AsyncDisposable, Remote {
  /** The reference, for messages. */
  readonly name: string;
  readonly traits: DestinationTraits;
  /** The digest that the reference itself demands of the manifest. */
  readonly digest?: Digest;
  /** What the image is called there, where the transport has docker's names: schema 1 manifests and signatures repeat it. */
  readonly dockerReference?: DockerReference;
  /** Set where blobs can be mounted from other repositories of the same registry. */
  readonly location?: Location;
  /**
   * What the reference names now, or whether an instance is here; undefined where there is nothing. Writes nothing. What may not be looked
   * at most likely is not there; who must be `sure` is thrown `destination_unauthorized` where nobody says.
   */
  findManifest(
    instance: Digest | undefined,
    signal: AbortSignal,
    certainty?: Certainty,
  ): Promise<FoundManifest | undefined>;
  /**
   * True: nothing was there when it was first asked, so that blobs need not be looked for one by one. False where that is not sure. Throws what keeps the whole copy out, such as no token.
   * Absent: looking costs nothing. Writes nothing.
   */
  isEmpty?(signal: AbortSignal): Promise<boolean>;
  /** The blob, if the destination itself has it, with its size. Writes nothing. */
  findBlob(blob: NamedBlob, signal: AbortSignal): Promise<Descriptor | undefined>;
  /** Takes over a blob of another repository of the same registry. False where the registry would rather have the bytes. */
  mountBlob(blob: Descriptor, from: Location, signal: AbortSignal): Promise<boolean>;
  /** The blob will be put as soon as its first bytes are there: what can be begun before that is begun. What fails of it `putBlob` tells. */
  expectBlob?(blob: NamedBlob, signal: AbortSignal): void;
  /**
   * Stores the blob; visible only if `blob.content` ended without an error. Returns what was stored: under `blob.info.digest` if it
   * has one, else under the SHA-256 of what came.
   */
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
  /** Stores a manifest that refers to another one, so that whoever looks for referrers of `subject` finds it. */
  putReferrer(
    manifest: RawManifest,
    referrer: Referrer,
    subject: Digest,
    signal: AbortSignal,
  ): Promise<void>;
  /**
   * After some were put, and before anything refers to them: makes them discoverable where that takes a list, which is written once for
   * all of them. Absent: each is as soon as it is put.
   */
  listReferrers?(signal: AbortSignal): Promise<void>;
  /** Makes what was put an image: the last write. */
  commit(signal: AbortSignal): Promise<void>;
}

/** Whether images may be copied at all (semantics 1.3, step 2). */
export interface Policy {
  /** Throws `policy_rejected` with the reasons, and what reading the signatures throws. */
  check(image: UncheckedImage, signal: AbortSignal): Promise<void>;
}

/** An image of which nothing was looked at yet. */
export interface UncheckedImage {
  readonly manifest: RawManifest;
  readonly signatures: () => Promise<readonly Signature[]>;
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

/** Of several copies in the cluster that want one blob in one repository, one moves it. */
export interface Flight {
  /** Runs the task if none runs now, else answers undefined at once. */
  lead<T>(task: () => Promise<T>, signal: AbortSignal): Promise<T | undefined>;
  /** Resolves when the one that runs has ended, well or not. Whoever waits holds no permit. */
  ended(signal: AbortSignal): Promise<void>;
}

export interface CopyEnds {
  readonly source: Source;
  readonly destination: Destination;
  /** For `imageListSelection: system`. */
  readonly platform: PlatformChoice;
  /** The machine's own platform: what an absent part of `platform` means. */
  readonly host: Platform;
  /** How the destination's layers are to be compressed. */
  readonly compression: CompressionWish;
  readonly cache: BlobInfoCache;
  /** Absent: every image may be copied. */
  readonly policy?: Policy;
}

export interface CopyControl {
  /** Shared by all copies: one permit a blob that is looked for or moved. */
  readonly blobs: Semaphore;
  /** By the blob's place and name; absent: each copy moves what it needs. */
  readonly flight?: (blob: string) => Flight;
  readonly report: Report;
  readonly signal: AbortSignal;
}

export interface CopyResult extends FoundManifest {
  /** The bytes that the destination reference names now; absent where its tag was left alone. */
  readonly manifest?: RawManifest;
  readonly sourceDigest: Digest;
  /** How many were written. */
  readonly signatures: number;
  readonly referrers: number;
  /** True if nothing was written: the image was there, or its tag was to be left alone. */
  readonly skipped: boolean;
}
