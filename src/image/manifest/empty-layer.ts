import type { Digest } from "../digest.ts";

/** The layer that changes nothing, as docker has always written it: an empty tar (1,024 zero bytes), gzipped (semantics 3.7.2). */
export const EMPTY_LAYER: { readonly bytes: Buffer; readonly digest: Digest } = {
  bytes: Buffer.from("1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000", "hex"),
  digest: "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4",
};
