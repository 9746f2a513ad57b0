import type { CopyOptions } from "../../src/copy/options.ts";

/** What an order without options means. */
export const DEFAULTS: CopyOptions = {
  imageListSelection: "system",
  instances: [],
  platforms: [],
  sparseManifestListAction: "keep",
  preferGzipInstances: false,
  removeListSignatures: false,
  forceCompressionFormat: false,
  ensureCompressionVariantsExist: [],
  additionalTags: [],
  referrers: false,
  preserveDigests: false,
  removeSignatures: false,
  maxParallelDownloads: 6,
  optimizeDestinationImageAlreadyExists: false,
  downloadForeignLayers: false,
  ifTagExists: "overwrite",
  progressIntervalMs: 1000,
};
