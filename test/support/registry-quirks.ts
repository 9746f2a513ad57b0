// What the test registry can be told to do otherwise than the distribution spec says, each as some registry of the world does it. Which one
// does what is in registry-profiles.ts; which client's carelessness each of them shows, in test/transport/registry-quirks.test.ts.

export const ALL_QUIRKS = [
  // Tokens and rights.
  /** Tokens are for the last scope of those that are asked for (GitLab). */
  "one-scope",
  /** Who asks for a token to delete gets none at all (Quay). */
  "no-delete-scope",
  /** A request's headers must not have more than 2 KiB, and tokens grow with their scopes (ACR). */
  "small-headers",
  /** Who may push may not look: 403, whether it is there or not. */
  "push-only",
  // What is not there.
  /** 403 for what is not there (GitLab, Artifactory). */
  "hides-missing",
  /** What is not there is `UNKNOWN`, with the reason in words (Harbor). */
  "unknown-for-missing",
  /** Repositories are made by other means, and before (ECR). */
  "no-new-repositories",
  // Manifests.
  /** An OCI manifest must say its own type (ECR). */
  "wants-media-type",
  /** OCI's types are not known. */
  "no-oci",
  /** No Location when a manifest was stored (ECR). */
  "no-manifest-location",
  /** What a tag names once, it names for ever (ECR, Harbor, Artifactory, Nexus, where they are set so). */
  "immutable-tags",
  /** Who does not say that lists are welcome is given an image of them instead, by HEAD too (Docker Hub). */
  "image-for-list",
  /** HEAD says another length of a manifest than GET (Harbor). */
  "other-length",
  "no-docker-content-digest",
  /** Content types have parameters. */
  "content-type-parameters",
  // Where things are.
  /** Uploads go on outside of /v2/ (GAR). */
  "odd-upload-location",
  /** Upload locations are paths, not URLs. */
  "relative-location",
  /** Upload locations are relative to the address that was asked. */
  "bare-location",
  /** Upload locations are of the scheme by which they were asked for. */
  "schemeless-location",
  /** Upload locations have 3 KiB of state (ACR, GAR). */
  "long-location",
  /** Uploads go to the other origin. */
  "uploads-elsewhere",
  /** Blobs are served by the other origin. */
  "redirect-blobs",
  /** Blobs are at another path, which only a relative redirect tells (GAR). */
  "redirect-paths",
  // Mounts.
  /** A mount is answered with an upload session. */
  "no-mount",
  /** A mount that does not say from where is refused (Quay). */
  "wants-from",
  /** A mount from a repository that is not there is refused as a bad name (Docker Hub), or as none of the client's business (Harbor). */
  "refuses-foreign",
  "denies-foreign",
  // Blobs on their way out of it.
  /** Blobs come without Content-Length. */
  "no-content-length",
  /** Blobs come whole, whatever part was asked for. */
  "ignores-range",
  /** A part must be asked for up to its last byte (go-containerregistry's registry). */
  "closed-ranges",
  /** A part begins a byte early, or belongs to a blob of another size, and says so. */
  "wrong-part",
  "wrong-total",
  /** Parts come as multipart/byteranges. */
  "multipart",
  /** A part is of other content, and has another ETag or none. */
  "other-content",
  "other-etag",
  // Blobs on their way into it.
  /** An upload whose request broke off is unknown from then on (distribution: its state's offset does not fit any more). */
  "loses-uploads",
  /** Nobody can ask how far an upload is (go-containerregistry's registry). */
  "no-upload-status",
  /** An upload is said to have a byte less than it has, and nobody checks where a chunk belongs. */
  "miscounts-uploads",
  /** An upload is said to have what it had after its first request, for ever; but chunks must fit (ECR). */
  "stale-range",
  /** What broke off is still being taken in when it is asked for first: its last MiB is not told of yet. */
  "late-range",
  /** An upload is said to be empty, whatever it has. */
  "hides-progress",
  /** PATCH is answered with 201 (ECR). */
  "patch-created",
  /** No chunk may have more than 4 MiB, though all of a blob may (GHCR). */
  "small-chunks",
  /** No request may bring more than 4 MiB of a blob. */
  "small-bodies",
  /** No request may bring more than 8 MiB of a blob (Quay: 20 GB). */
  "no-large-bodies",
  /** Chunks must have 5 MiB, but for the last. */
  "large-chunks",
  /** There are no chunks: one request brings all (GAR). */
  "no-chunks",
  /** The last PUT must not bring bytes: no such upload (Artifactory). */
  "wants-patch",
  /** Of several chunks the last is the blob, whatever its digest (Artifactory). */
  "keeps-last-chunk",
  /** Giving an upload back takes the right to delete, which tokens never have (distribution). */
  "no-cancel",
  // Lists.
  /** There is no referrers API. */
  "no-referrers",
  /** There is none, but the registry says that it has taken note of a subject (ECR). */
  "subject-without-referrers",
  /** The other origin is asked for referrers, and is busy (GHCR). */
  "referrers-elsewhere",
  /** The list of referrers is the one that was asked for first (Quay keeps it for a while). */
  "old-referrers",
  /** Referrers are listed with the size of all that they name (Harbor). */
  "wrong-referrer-sizes",
  /** The tag `sha256-<hex>` is taken for the digest (GitLab). */
  "dash-is-digest",
  /** Nobody may ask for more than 1,000 tags at once (ECR). */
  "small-pages",
] as const;

export type Quirk = (typeof ALL_QUIRKS)[number];

/** Counts how often each was acted by: a test that claims a quirk must have met it. */
export class QuirkSet extends Set<Quirk> {
  readonly met = new Map<Quirk, number>();

  /** Whether it is to be done otherwise now. To be asked only where that makes a difference. */
  override has(quirk: Quirk): boolean {
    const is = super.has(quirk);
    if (is) this.met.set(quirk, (this.met.get(quirk) ?? 0) + 1);
    return is;
  }
}
