// What the service writes for the readers: of each kind of change one, to each kind of place.

import { unpack } from "../../support/layers.ts";
import { blobsNamedBy, documentOf } from "../../support/readings.ts";
import type { Sample } from "../../support/samples.ts";
import { listTar, type TarMember } from "../../support/tar.ts";
import { CORPUS, type InputName } from "../matrix/corpus.ts";
import type { Request } from "../matrix/model.ts";

export type Kind = "docker" | "oci" | "oci-archive" | "dir" | "docker-archive";

export interface Exhibit {
  readonly name: string;
  readonly input: InputName;
  readonly to: Kind;
  readonly request?: Request;
  /** What the layers are then, where a reader cares. */
  readonly layers?: "zstd" | "zstd:chunked";
}

const compress = (compressionFormat: string): Request => ({
  destinationContext: { compressionFormat },
});
const format = (type: string): Request => ({
  options: { forceManifestMimeType: `application/vnd.${type}+json` },
});
const OCI = "oci.image.manifest.v1";
const SCHEMA2 = "docker.distribution.manifest.v2";
const ALL: Request = { options: { imageListSelection: "all" } };

export const EXHIBITS: readonly Exhibit[] = [
  { name: "schema 2, untouched", input: "s2", to: "docker" },
  { name: "schema 2 from OCI", input: "oci gzip", to: "docker", request: format(SCHEMA2) },
  { name: "OCI from schema 2", input: "s2 docker-only fields", to: "docker", request: format(OCI) },
  { name: "schema 2 from schema 1", input: "s1 signed", to: "docker", request: format(SCHEMA2) },
  { name: "gzip from uncompressed", input: "oci uncompressed", to: "docker" },
  {
    name: "zstd from gzip",
    input: "oci gzip",
    to: "docker",
    request: compress("zstd"),
    layers: "zstd",
  },
  { name: "gzip from zstd", input: "oci zstd", to: "docker", request: compress("gzip") },
  {
    name: "zstd:chunked from gzip",
    input: "oci gzip",
    to: "docker",
    request: compress("zstd:chunked"),
    layers: "zstd:chunked",
  },
  {
    name: "zstd:chunked from uncompressed",
    input: "oci uncompressed",
    to: "docker",
    request: compress("zstd:chunked"),
    layers: "zstd:chunked",
  },
  { name: "one layer twice", input: "duplicate layers", to: "docker" },
  { name: "no layers", input: "no layers", to: "docker" },
  { name: "an artifact", input: "artifact", to: "docker" },
  { name: "a list", input: "docker list", to: "docker", request: ALL },
  {
    name: "an index from a list",
    input: "docker list",
    to: "docker",
    request: { options: { ...ALL.options, ...format(OCI).options } },
  },
  { name: "an index with attestations", input: "oci index attested", to: "docker", request: ALL },
  {
    name: "an index with zstd besides",
    input: "oci index",
    to: "docker",
    request: {
      options: { ...ALL.options, ensureCompressionVariantsExist: [{ algorithm: "zstd" }] },
    },
  },
  { name: "a layout", input: "s2", to: "oci" },
  { name: "a layout, zstd", input: "oci uncompressed", to: "oci", request: compress("zstd") },
  { name: "a layout of an index", input: "oci index", to: "oci", request: ALL },
  { name: "a layout in an archive", input: "oci uncompressed", to: "oci-archive" },
  { name: "a folder", input: "oci zstd", to: "dir" },
  { name: "a docker archive", input: "s2", to: "docker-archive" },
  { name: "a docker archive from zstd", input: "oci zstd", to: "docker-archive" },
];

/** Whether it is an image with files in it. */
export const hasFiles = ({ input, request }: Exhibit): boolean =>
  CORPUS[input].kind !== "list" &&
  input !== "artifact" &&
  request?.options?.["imageListSelection"] === undefined;

/** Files as lines, each of which says all of one file, so that two readings can be compared. A hard link is the file that it leads to. */
export function fileLines(members: readonly TarMember[]): readonly string[] {
  const lines = new Map<string, string>();
  const plain = (name: string) => name.replace(/^\.?\//, "").replace(/\/$/, "");
  for (const { name, type, content, target, mode } of members) {
    const what = type === "file" ? content.toString("latin1") : target;
    const line =
      type === "link" ? lines.get(plain(target)) : `${type} ${(mode & 0o777).toString(8)} ${what}`;
    if (plain(name) !== "") lines.set(plain(name), line ?? "a link to nothing");
  }
  return [...lines].map(([name, line]) => `${name}: ${line}`).toSorted();
}

/** The files that are in a sample's layers, one upon the other. */
export function filesIn({ root, blobs }: Sample): readonly TarMember[] {
  const { config, ...layers } = documentOf(root);
  return [...blobsNamedBy(layers)].flatMap((digest) => {
    const bytes = blobs.get(digest) as Buffer;
    return listTar(unpack(bytes)?.bytes ?? bytes);
  });
}
