// The exact strings (OCI image-spec, media-types.md; docker distribution, manifest-v2-2).

export const SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json";
export const SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws";
export const SCHEMA2 = "application/vnd.docker.distribution.manifest.v2+json";
export const DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

export const DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json";
export const OCI_CONFIG = "application/vnd.oci.image.config.v1+json";
export const OCI_LAYER = "application/vnd.oci.image.layer.v1.tar";
export const OCI_NONDISTRIBUTABLE_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar";
export const DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar";
export const DOCKER_FOREIGN_LAYER = "application/vnd.docker.image.rootfs.foreign.diff.tar";

/** What a manifest request accepts, in containers/image's order (semantics 7.2.6). */
export const MANIFEST_TYPES = [
  OCI_MANIFEST,
  SCHEMA2,
  SCHEMA1_SIGNED,
  SCHEMA1,
  DOCKER_LIST,
  OCI_INDEX,
] as const;

/** A list names manifests. Only the type tells, never the content: a lying type must not change what is copied. */
export const isList = (mediaType: string): boolean =>
  mediaType === DOCKER_LIST || mediaType === OCI_INDEX;
export const isSchema1 = (mediaType: string): boolean =>
  mediaType === SCHEMA1 || mediaType === SCHEMA1_SIGNED;
