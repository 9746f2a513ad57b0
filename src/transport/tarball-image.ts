// The image that containers/image makes of layers in files, byte for byte (tarball/tarball_src.go).

import { digestOf, hexOf, type Digest } from "../image/digest.ts";
import type { RawManifest } from "../image/manifest/manifest.ts";
import { OCI_CONFIG, OCI_MANIFEST } from "../image/media-types.ts";
import type { Platform } from "../image/platform.ts";

export interface TarballLayer {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly diffId: Digest;
  /** Of the file, in nanoseconds since 1970. */
  readonly modified: bigint;
}

/** At least one layer, root first. */
export function configOf(
  layers: readonly TarballLayer[],
  { os, architecture, variant }: Platform,
): Buffer {
  const newest = layers.map(({ modified }) => modified).reduce((a, b) => (b > a ? b : a));
  return Buffer.from(
    JSON.stringify({
      created: timeOf(newest),
      architecture,
      os,
      ...(variant !== undefined && { variant }),
      config: {},
      rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
      history: layers.map(({ diffId, modified }) => ({
        created: timeOf(modified),
        created_by: `/bin/sh -c #(nop) ADD file:${hexOf(diffId)} in /`,
        comment: "imported from tarball",
      })),
    }),
  );
}

export function manifestOf(config: Buffer, layers: readonly TarballLayer[]): RawManifest {
  const document = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { mediaType: OCI_CONFIG, digest: digestOf(config), size: config.length },
    layers: layers.map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
  };
  return { bytes: Buffer.from(JSON.stringify(document)), mediaType: OCI_MANIFEST };
}

/** RFC 3339 to the nanosecond, without zeros at its end, as Go writes times of UTC. */
function timeOf(nanoseconds: bigint): string {
  const beyond = ((nanoseconds % SECOND) + SECOND) % SECOND;
  const seconds = new Date(Number((nanoseconds - beyond) / 1_000_000n)).toISOString().slice(0, 19);
  const fraction = beyond.toString().padStart(9, "0").replace(/0+$/, "");
  return `${seconds}${fraction === "" ? "" : `.${fraction}`}Z`;
}

const SECOND = 1_000_000_000n;
