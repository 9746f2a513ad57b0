// What refers to an image, and what refers to that: signatures, SBOMs, attestations. It is looked for before any of it is copied, so that
// a source that lists without end is refused, and copied from the image outwards.

import { CopyError } from "../errors.ts";
import type { Descriptor } from "../image/blob-info.ts";
import type { Digest } from "../image/digest.ts";
import { parseList } from "../image/manifest/list.ts";
import { manifestDigest, type RawManifest } from "../image/manifest/manifest.ts";
import { parseReferring, REFERRER_LIMITS } from "../image/manifest/referrer.ts";
import { isList } from "../image/media-types.ts";
import { group } from "./group.ts";
import type { Destination, Referrer, Source } from "./interfaces.ts";
import type { Report } from "./progress.ts";
import { LocalSemaphore } from "./semaphore.ts";

/** Referrers at once, as images of a list are. */
const AT_ONCE = 4;

/** Throws `referrers_not_supported` where they are wanted and the destination has no place for them. */
export function checkReferrers(
  wanted: boolean,
  { name, traits }: Pick<Destination, "name" | "traits">,
): void {
  if (!wanted || traits.referrers) return;
  throw new CopyError(
    "referrers_not_supported",
    `\`options.referrers\` is set, and \`${name}\` has no place for what refers to an image`,
    { side: "destination", phase: "manifest" },
  );
}

export interface ReferrerCopyParts {
  readonly source: Source;
  readonly destination: Destination;
  readonly report: Report;
  /** Copies an image as it is, under its digest: what it names, and its manifest. */
  readonly copyImage: (
    manifest: RawManifest,
    digest: Digest,
    signal: AbortSignal,
  ) => Promise<unknown>;
}

interface Found {
  readonly subject: Digest;
  readonly referrer: Referrer;
}

/** The referrers of one copy. */
export class ReferrerCopy {
  readonly #parts: ReferrerCopyParts;
  readonly #few = new LocalSemaphore(AT_ONCE);
  /** Whose referrers were looked for. */
  readonly #subjects = new Set<Digest>();
  /** What is at the destination: what refers to anything else is none of the image's. */
  readonly #placed = new Set<Digest>();
  #found = 0;
  #copied = 0;

  constructor(parts: ReferrerCopyParts) {
    this.#parts = parts;
  }

  /** How many were copied. */
  get copied(): number {
    return this.#copied;
  }

  /**
   * Before a reference names a manifest: puts it under its digest, and copies all that refers to it, and to the images of which it is a
   * list. Throws as copyOf.
   */
  async copyFirst(
    manifest: RawManifest,
    images: readonly Digest[],
    signal: AbortSignal,
  ): Promise<void> {
    const digest = manifestDigest(manifest);
    await this.#parts.destination.putManifest(manifest, digest, signal);
    for (const subject of [...images, digest]) await this.copyOf(subject, signal);
  }

  /**
   * Copies all that refers to a manifest of the source, which is at the destination already; nothing where that was done. Throws
   * `manifest_invalid` where it is too much, or too far from the image.
   */
  async copyOf(subject: Digest, signal: AbortSignal): Promise<void> {
    this.#placed.add(subject);
    for (const level of await this.#find(subject, signal)) {
      await this.#each(level, (one, own) => this.#copy(one, own), signal);
      await this.#parts.destination.listReferrers?.(signal);
    }
  }

  /** By their distance from the image. */
  async #find(top: Digest, signal: AbortSignal): Promise<readonly (readonly Found[])[]> {
    const levels: (readonly Found[])[] = [];
    for (let subjects = this.#fresh([top]); subjects.length > 0;) {
      const level: Found[] = [];
      await this.#each(
        subjects,
        async (subject, own) => {
          const referrers = await this.#parts.source.getReferrers(subject, own);
          this.#found += referrers.length;
          if (this.#found > REFERRER_LIMITS.count)
            throw tooMuch(`more than ${REFERRER_LIMITS.count} manifests refer to the image`);
          level.push(...referrers.map((referrer) => ({ subject, referrer })));
        },
        signal,
      );
      if (level.length > 0 && levels.length === REFERRER_LIMITS.depth)
        throw tooMuch(`manifests refer to one another over more than ${levels.length} steps`);
      levels.push(level);
      subjects = this.#fresh(level.map(({ referrer }) => referrer.digest));
    }
    return levels;
  }

  /** Those whose referrers nobody looked for; from now on somebody does. */
  #fresh(subjects: readonly Digest[]): readonly Digest[] {
    const fresh = [...new Set(subjects)].filter((subject) => !this.#subjects.has(subject));
    for (const subject of fresh) this.#subjects.add(subject);
    return fresh;
  }

  async #copy({ subject, referrer }: Found, signal: AbortSignal): Promise<void> {
    const { destination, report } = this.#parts;
    const { digest, tag, artifactType, mediaType } = referrer;
    const skip = (why: string) =>
      report({ type: "report", message: `Skipping referrer ${digest}: ${why}` });
    if (!this.#placed.has(subject)) return skip(`${subject} was skipped`);
    report({
      type: "report",
      message: `Copying referrer ${digest} (${artifactType ?? mediaType})`,
    });
    const manifest = await this.#get(referrer, signal);
    if (manifest === undefined) return skip("the source lists it, and does not have it");
    if (tag === undefined && parseReferring(manifest, digest).subject !== subject)
      return skip(`the source lists it for ${subject}, to which it does not refer`);
    await this.#copyContent(manifest, digest, signal);
    await destination.putReferrer(manifest, referrer, subject, signal);
    this.#placed.add(digest);
    this.#copied++;
  }

  async #copyContent(manifest: RawManifest, digest: Digest, signal: AbortSignal): Promise<void> {
    const { copyImage } = this.#parts;
    if (!isList(manifest.mediaType)) {
      await copyImage(manifest, digest, signal);
      return;
    }
    for (const instance of parseList(manifest).instances) {
      const image = await this.#get(instance, signal);
      if (image === undefined)
        throw new CopyError(
          "source_not_found",
          `the referrer ${digest} is a list, and names ${instance.digest}, which is not there`,
          { side: "source", phase: "manifest", digest: instance.digest },
        );
      await copyImage(image, instance.digest, signal);
    }
  }

  /** Undefined: it is not there. Whoever lists a manifest and whoever serves it must agree on what it is (reliability T19). */
  async #get({ digest, mediaType }: Descriptor, signal: AbortSignal) {
    const manifest = await this.#parts.source
      .getManifest(digest, signal)
      .catch((error: unknown) => {
        if (error instanceof CopyError && error.code === "source_not_found") return undefined;
        throw error;
      });
    if (manifest === undefined || manifest.mediaType === mediaType) return manifest;
    throw new CopyError(
      "manifest_invalid",
      `${digest} is listed as \`${mediaType}\`, and was served as \`${manifest.mediaType}\``,
      { side: "source", phase: "manifest", digest },
    );
  }

  #each<T>(
    things: readonly T[],
    task: (thing: T, signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    return group(
      signal,
      things.map((thing) => (either) => this.#few.run((own) => task(thing, own), either)),
    );
  }
}

const tooMuch = (what: string): CopyError =>
  new CopyError("manifest_invalid", `${what}, which is more than is copied`, {
    side: "source",
    phase: "manifest",
  });
