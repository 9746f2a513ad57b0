import type { CopyOptions } from "../../src/copy/interfaces.ts";

/** What an order without options means. */
export const DEFAULTS: CopyOptions = {
  imageListSelection: "system",
  instances: [],
  platforms: [],
  preserveDigests: false,
  removeSignatures: false,
  maxParallelDownloads: 6,
  optimizeDestinationImageAlreadyExists: false,
  downloadForeignLayers: false,
  ifTagExists: "overwrite",
  progressIntervalMs: 1000,
};
