// What is measured: each line makes its image once, then it is copied as often as is wanted, by the service and by its peers.

import { convertedTo } from "./layouts.ts";
import type { Line } from "./line.ts";
import { betweenRegistries, toTheSamePlace, type Between } from "./registries.ts";

const MiB = 1024 * 1024;
const IN_FOUR = [256 * MiB, 256 * MiB, 256 * MiB, 256 * MiB];

const many = (count: number, size: number): readonly number[] =>
  Array.from({ length: count }, () => size);

const between = (what: Between): Pick<Line, "open"> => ({
  open: (home, service, peers) => betweenRegistries(home, service, peers, what),
});

export const LINES: Readonly<Record<string, Line>> = {
  big: {
    about: "1 GiB in 4 layers, registry to registry",
    goal: { wall: 0.85, cpu: 0.75 },
    ...between({ layers: IN_FOUR }),
  },
  tls: {
    about: "the same over TLS",
    goal: { wall: 0.97, cpu: 1.05 },
    ...between({ layers: IN_FOUR, isTls: true }),
  },
  sixty: {
    about: "60 layers of 64 KiB, registry to registry",
    goal: { wall: 0.35 },
    ...between({ layers: many(60, 64 * 1024), known: true }),
  },
  far: {
    about: "10 layers of 64 KiB, both registries 20 ms away, 16 blobs at once",
    blobs: 16,
    goal: { wall: 0.17 },
    ...between({
      layers: many(10, 64 * 1024),
      roundTripMs: 20,
      known: true,
      options: { maxParallelDownloads: 16 },
    }),
  },
  unchanged: {
    about: "10 layers of 1 MiB that are there already",
    goal: { wall: 0.03 },
    open: (home, service, peers) => toTheSamePlace(home, service, peers, many(10, MiB)),
  },
  gzip: {
    about: "1 GiB of files in 4 uncompressed layers to gzip, layout to layout",
    open: (home, service) => convertedTo(home, service, IN_FOUR, "gzip"),
  },
  rezstd: {
    about: "the same, gzipped, to zstd, layout to layout",
    open: (home, service) => convertedTo(home, service, IN_FOUR, "zstd"),
  },
};
