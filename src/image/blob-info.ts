import type { Digest } from "./digest.ts";

/** What is known of a blob. Digest and size are absent while its bytes are being changed. */
export interface BlobInfo {
  readonly mediaType: string;
  readonly digest?: Digest;
  /** Bytes. */
  readonly size?: number;
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/** A blob that is named; docker schema 1 tells no sizes. */
export interface NamedBlob extends BlobInfo {
  readonly digest: Digest;
}

/** A blob, or a manifest, as a manifest names it (OCI image-spec, descriptor.md). */
export interface Descriptor extends NamedBlob {
  readonly size: number;
}
