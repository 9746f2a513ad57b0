// Inputs that are files and no manifests: what `docker save` writes, and plain tarballs.

import { makeLayerTar, pack, type Packing } from "../../support/layers.ts";
import { savedBefore25, savedSince25, type SavedImage } from "../../support/places.ts";
import { makeSample, type LayerOptions, type Sample } from "../../support/samples.ts";

export interface Archive {
  readonly bytes: Buffer;
  /** What follows the path in a reference. */
  readonly entry?: string;
}

const saved = (
  seed: string,
  names: readonly string[],
  layers?: readonly LayerOptions[],
): SavedImage => ({
  names,
  sample: makeSample({ seed, family: "docker", ...(layers !== undefined && { layers }) }),
});

/** What an engine is given, which names it itself. */
export const ENGINE_IMAGES = {
  "saved before 25": (seed) => saved(seed, []).sample,
  "saved with one layer twice": (seed) => saved(seed, [], [{ seed }, {}, { seed }]).sample,
} satisfies Partial<Record<string, (seed: string) => Sample>>;

const one = (seed: string): readonly SavedImage[] => [saved(seed, ["team/app:1"])];
const two = (seed: string): readonly SavedImage[] => [
  saved(`${seed} a`, ["team/app:1", "team/app:latest"]),
  saved(`${seed} b`, ["registry.example.com/team/tool:2"]),
];

const packed =
  (packing: Exclude<Packing, "zstd:chunked">) =>
  (seed: string): Archive => ({ bytes: pack(savedBefore25(one(seed)), packing) });

export const ARCHIVES = {
  "saved before 25": (seed) => ({ bytes: savedBefore25(one(seed)) }),
  "saved since 25": (seed) => ({ bytes: savedSince25(one(seed)) }),
  "two saved before 25": (seed) => ({
    bytes: savedBefore25(two(seed)),
    entry: "registry.example.com/team/tool:2",
  }),
  "two saved since 25": (seed) => ({ bytes: savedSince25(two(seed)), entry: "team/app:latest" }),
  "two saved, by place": (seed) => ({ bytes: savedBefore25(two(seed)), entry: "@1" }),
  "two saved, none named": (seed) => ({ bytes: savedBefore25(two(seed)) }),
  "two saved, another named": (seed) => ({ bytes: savedBefore25(two(seed)), entry: "no/such:1" }),
  "saved without a name": (seed) => ({ bytes: savedBefore25([saved(seed, [])]) }),
  "saved with one layer twice": (seed) => ({
    bytes: savedSince25([saved(seed, ["team/app:1"], [{ seed }, {}, { seed }])]),
  }),
  "saved without layers": (seed) => ({ bytes: savedBefore25([saved(seed, ["a/b:1"], [])]) }),
  "saved, gzip": packed("gzip"),
  "saved, zstd": packed("zstd"),
  "saved, bzip2": packed("bzip2"),
  "saved, xz": packed("xz"),
} satisfies Record<string, (seed: string) => Archive>;

export type ArchiveName = keyof typeof ARCHIVES;

const tarballs =
  (...packings: readonly Exclude<Packing, "zstd:chunked">[]) =>
  (seed: string): readonly Buffer[] =>
    packings.map((packing, i) => pack(makeLayerTar(`${seed} ${i}`), packing));

/** By the packings of the tars. */
export const TARBALLS = {
  "one tar": tarballs("none"),
  "two tars": tarballs("none", "gzip"),
  "gzip tar": tarballs("gzip"),
  "zstd tar": tarballs("zstd"),
  "bzip2 tar": tarballs("bzip2"),
  "xz tar": tarballs("xz"),
} satisfies Record<string, (seed: string) => readonly Buffer[]>;

export type TarballName = keyof typeof TARBALLS;
