// Manifests that refer to an image: artifacts with a `subject`, as oras and cosign write them, and cosign's signatures under a tag.

import { digestOf, type Digest } from "../../src/image/digest.ts";
import { OCI_CONFIG, OCI_INDEX, OCI_MANIFEST } from "../../src/image/media-types.ts";
import type { TestImage, TestList } from "./images.ts";

export const EMPTY_CONFIG = "application/vnd.oci.empty.v1+json";
export const SBOM = "application/vnd.example.sbom";

export interface ArtifactOptions {
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Another seed, another artifact. */
  readonly seed?: string;
}

type Subject = Pick<TestImage | TestList, "manifest" | "digest">;

const descriptorOf = ({ manifest, digest }: Subject) => ({
  mediaType: manifest.mediaType,
  digest,
  size: manifest.bytes.length,
});

/** As `oras attach` makes it. */
export function makeArtifact(subject: Subject, options: ArtifactOptions = {}): TestImage {
  const { artifactType = SBOM, annotations, seed = "" } = options;
  return imageOf([{ bytes: Buffer.from(`artifact ${seed}`), mediaType: "text/plain" }], {
    config: { bytes: Buffer.from("{}"), mediaType: EMPTY_CONFIG },
    artifactType,
    subject: descriptorOf(subject),
    ...(annotations !== undefined && { annotations }),
  });
}

/** An index that refers to something, of artifacts that do not. */
export function makeArtifactList(subject: Subject, images: readonly TestImage[]): TestList {
  const document = {
    schemaVersion: 2,
    mediaType: OCI_INDEX,
    artifactType: SBOM,
    manifests: images.map(descriptorOf),
    subject: descriptorOf(subject),
  };
  const bytes = Buffer.from(JSON.stringify(document));
  return { manifest: { bytes, mediaType: OCI_INDEX }, digest: digestOf(bytes), images };
}

/** cosign's image of signatures (or attestations): a layer each, which `signature` tells apart even where the payload is the same. */
export function makeSignatures(
  signatures: readonly { readonly payload: string; readonly signature: string }[],
): TestImage {
  const layers = signatures.map(({ payload, signature }) => ({
    bytes: Buffer.from(payload),
    mediaType: "application/vnd.dev.cosign.simplesigning.v1+json",
    annotations: { "dev.cosignproject.cosign/signature": signature },
  }));
  const config = {
    architecture: "",
    created: "0001-01-01T00:00:00Z",
    history: layers.map(() => ({ created: "0001-01-01T00:00:00Z" })),
    os: "",
    rootfs: { type: "layers", diff_ids: layers.map(({ bytes }) => digestOf(bytes)) },
    config: {},
  };
  return imageOf(layers, {
    config: { bytes: Buffer.from(JSON.stringify(config)), mediaType: OCI_CONFIG },
  });
}

export const signatureTag = (digest: Digest, kind = "sig"): string =>
  `${digest.replace(":", "-")}.${kind}`;

interface Part {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

function imageOf(layers: readonly Part[], fields: { config: Part; [field: string]: unknown }) {
  const described = ({ bytes, ...rest }: Part) => ({
    ...rest,
    digest: digestOf(bytes),
    size: bytes.length,
  });
  const config = described(fields.config);
  const descriptors = layers.map(described);
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      ...fields,
      config,
      layers: descriptors,
    }),
  );
  return {
    manifest: { bytes, mediaType: OCI_MANIFEST },
    digest: digestOf(bytes),
    config,
    layers: descriptors,
    blobs: new Map([fields.config, ...layers].map((part) => [digestOf(part.bytes), part.bytes])),
    platform: { os: "", architecture: "" },
  };
}
