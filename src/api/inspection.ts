// What an answer of /v1/inspect says, from what was read. No I/O.

import type { Signature } from "../copy/interfaces.ts";
import { readConfig } from "../image/manifest/config.ts";
import type { GoStruct } from "../image/go-struct.ts";
import type { Digest } from "../image/digest.ts";
import type { Image, ImageList, Instance, Layer, RawManifest } from "../image/manifest/manifest.ts";
import type { Inspection } from "./lookup-schemas.ts";

/** What a reference names, as far as it was read. */
export interface Inspected {
  readonly digest: Digest;
  readonly top: RawManifest;
  /** Set where the reference names one. */
  readonly list?: ImageList;
  /** The image that it names, or the one of the list that is meant; absent where the list has none for the platform. */
  readonly found?: FoundImage;
  /** Of the list, then of the image. */
  readonly signatures: readonly Signature[];
}

export interface FoundImage {
  readonly digest: Digest;
  readonly image: Image;
  /** The JSON that says what the image is; absent for an artifact. */
  readonly config?: Buffer;
}

/** Throws `manifest_invalid` where the config's fields are not what they should be. */
export const inspectionOf = ({ digest, top, list, found, signatures }: Inspected): Inspection => ({
  digest,
  mediaType: top.mediaType,
  size: top.bytes.length,
  platforms: (list?.instances ?? []).map(platformOf),
  image: found?.digest ?? null,
  layers: (found?.image.layers ?? []).map(layerOf),
  config: found?.config === undefined ? null : readConfig(found.config, configOf),
  signatures: signatures.map(signatureOf),
});

const platformOf = ({ digest, platform }: Instance): Inspection["platforms"][number] => ({
  os: platform?.os ?? null,
  architecture: platform?.architecture ?? null,
  variant: platform?.variant ?? null,
  osVersion: platform?.["os.version"] ?? null,
  digest,
});

const layerOf = ({ digest, size, mediaType, annotations }: Layer) => ({
  digest,
  size: size ?? null,
  mediaType: textOf(mediaType),
  annotations: annotations ?? {},
});

/** The fields have one name in the configs of docker and OCI, and in the text of schema 1's top layer. */
function configOf(image: GoStruct): Inspection["config"] {
  const run = image.struct("config");
  return {
    os: textOf(image.string("os")),
    architecture: textOf(image.string("architecture")),
    variant: textOf(image.string("variant")),
    created: image.time("created") ?? null,
    author: textOf(image.string("author")),
    dockerVersion: textOf(image.string("docker_version")),
    labels: run.stringMap("Labels") ?? {},
    env: [...(run.strings("Env") ?? [])],
    entrypoint: [...(run.command("Entrypoint") ?? [])],
    cmd: [...(run.command("Cmd") ?? [])],
  };
}

/** Its key and whom it is for are told only by who has checked it. */
const signatureOf = ({ bytes }: Signature): Inspection["signatures"][number] => ({
  kind: kindOf(bytes),
  identity: null,
  key: null,
  accepted: null,
  reason: null,
});

/** By how it is stored: simple signing is OpenPGP's bytes as they are, others begin with a NUL and a name (semantics 6.1). */
function kindOf(bytes: Buffer): "simple" | "sigstore" | "unknown" {
  if (bytes[0] !== 0) return "simple";
  const name = bytes.toString("latin1", 1, bytes.indexOf("\n"));
  return name === "sigstore-json" ? "sigstore" : name === "simple-signing" ? "simple" : "unknown";
}

const textOf = (text: string): string | null => (text === "" ? null : text);
