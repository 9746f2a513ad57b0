// What became of an image's layers, put into its manifest (semantics 3.8). The new type of a layer follows from its old one and what
// was done to it.

import type { Compression } from "../compression.ts";
import type { Digest } from "../digest.ts";
import { DOCKER_LAYER } from "../media-types.ts";
import {
  decryptedType,
  DOCKER_FAMILIES,
  encryptedType,
  OCI_FAMILIES,
  typeAfter,
  type Operation,
} from "./layer-types.ts";
import type { OciManifest } from "./oci.ts";
import { rejected } from "./refused.ts";
import type { Schema1Manifest } from "./schema1.ts";
import type { Schema2Manifest } from "./schema2.ts";

/** One layer as it is stored now. */
export interface LayerUpdate {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly operation: Operation;
  /** How it is compressed now; absent: as it was, or nobody knows. */
  readonly compression?: Compression;
  readonly crypto?: "encrypt" | "decrypt";
  readonly urls?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
}

export function updateOci(manifest: OciManifest, updates: readonly LayerUpdate[]): OciManifest {
  checkCount(manifest.layers.length, updates.length);
  const layers = updates.map((update, i) => {
    const { digest, size, crypto, urls, annotations } = update;
    const old = manifest.layers[i]?.mediaType ?? "";
    const plain = typeAfter(OCI_FAMILIES, crypto === "decrypt" ? decryptedType(old) : old, update);
    const mediaType = crypto === "encrypt" ? encryptedType(plain) : plain;
    return { mediaType, digest, size, ...(urls && { urls }), ...(annotations && { annotations }) };
  });
  return { ...manifest, layers };
}

export function updateSchema2(
  manifest: Schema2Manifest,
  updates: readonly LayerUpdate[],
): Schema2Manifest {
  checkCount(manifest.layers.length, updates.length);
  const layers = updates.map((update, i) => {
    const { digest, size, urls } = update;
    const mediaType = typeAfter(DOCKER_FAMILIES, manifest.layers[i]?.mediaType ?? "", update);
    checkCrypto(update);
    return { mediaType, digest, size, ...(urls && { urls }) };
  });
  return { ...manifest, layers };
}

export function updateSchema1(
  manifest: Schema1Manifest,
  updates: readonly LayerUpdate[],
): Schema1Manifest {
  const { entries } = manifest;
  checkCount(entries.length, updates.length);
  const [top, ...below] = entries;
  const topFirst = updates.toReversed();
  for (const update of updates) {
    // It keeps no type: this only refuses what it cannot say.
    typeAfter(DOCKER_FAMILIES, DOCKER_LAYER, update);
    checkCrypto(update);
  }
  const updated = <T extends object>(entry: T, i: number) => ({
    ...entry,
    ...(topFirst[i] && { blobSum: topFirst[i].digest }),
  });
  return {
    ...manifest,
    entries: [updated(top, 0), ...below.map((entry, i) => updated(entry, i + 1))],
  };
}

function checkCrypto({ crypto, digest }: LayerUpdate): void {
  if (crypto !== undefined)
    throw rejected(`the layer ${digest} is ${crypto}ed, which docker's manifests cannot say`);
}

/** An update that is not one a layer is our mistake. */
export function checkCount(layers: number, updates: number): void {
  if (layers !== updates) throw new Error(`${updates} updates for ${layers} layers`);
}
