// Which images of a list are copied (semantics 1.5.1, 8.6).

import { CopyError } from "../errors.ts";
import type { ImageList, Instance } from "../image/manifest/manifest.ts";
import { isZstd } from "../image/manifest/list.ts";
import { DOCKER_LIST } from "../image/media-types.ts";
import {
  formatPlatform,
  samePlatform,
  wantedPlatforms,
  type Platform,
  type PlatformChoice,
} from "../image/platform.ts";
import type { CompressionVariant, CopyOptions } from "./options.ts";

/**
 * The one image for a platform. `preferGzip`: of an index's images for one platform, those that are not zstd. Throws
 * `platform_not_found`, naming what there is.
 */
export function chooseInstance(
  list: ImageList,
  choice: PlatformChoice,
  host: Platform,
  preferGzip = false,
): Instance {
  const wanted = wantedPlatforms(choice, host);
  const chosen =
    list.mediaType === DOCKER_LIST
      ? firstWanted(list.instances, wanted)
      : bestRanked(list.instances, wanted, preferGzip);
  if (chosen === undefined) throw notFound(wanted[0] ?? choice, list);
  return chosen;
}

/** Docker lists: the platforms in the order they are wanted, then the list's own order. */
function firstWanted(
  instances: readonly Instance[],
  wanted: readonly Platform[],
): Instance | undefined {
  for (const platform of wanted) {
    const match = instances.find(
      (instance) => instance.platform !== undefined && samePlatform(instance.platform, platform),
    );
    if (match !== undefined) return match;
  }
  return undefined;
}

/** OCI indexes: the best platform, an instance without one last; among equals by compression, then the list's own order. */
function bestRanked(
  instances: readonly Instance[],
  wanted: readonly Platform[],
  preferGzip: boolean,
): Instance | undefined {
  const ranked = instances.flatMap((instance) => {
    const { platform } = instance;
    const rank =
      platform === undefined ? wanted.length : wanted.findIndex((p) => samePlatform(p, platform));
    return rank < 0 ? [] : [{ instance, rank, second: isZstd(instance) === preferGzip }];
  });
  return ranked.sort((a, b) => a.rank - b.rank || Number(a.second) - Number(b.second))[0]?.instance;
}

/** The images of a list that `all` and `specific` copy, in the list's order. Throws where something asked for is not in the list. */
export function chooseInstances(
  list: ImageList,
  options: Pick<CopyOptions, "imageListSelection" | "instances" | "platforms">,
): readonly Instance[] {
  if (options.imageListSelection !== "specific") return list.instances;
  for (const digest of options.instances) {
    if (list.instances.some((instance) => instance.digest === digest)) continue;
    throw new CopyError("source_not_found", `the list has no instance ${digest}`, {
      side: "source",
      phase: "manifest",
      digest,
    });
  }
  for (const platform of options.platforms) {
    if (!list.instances.some((instance) => matches(instance, platform)))
      throw notFound(platform, list);
  }
  return list.instances.filter(
    (instance) =>
      options.instances.includes(instance.digest) ||
      options.platforms.some((platform) => matches(instance, platform)),
  );
}

/** What is done with an entry of a list: copied, copied once more in another compression, or left out of the list. */
export type InstanceOrder =
  | { readonly type: "copy"; readonly index: number; readonly instance: Instance }
  | {
      readonly type: "clone";
      readonly index: number;
      readonly instance: Instance;
      readonly variant: CompressionVariant;
    }
  | { readonly type: "remove"; readonly index: number };

/**
 * What is to be done with a list, in its order (semantics 1.5.1). A platform gets a clone for each wanted compression that none of its
 * images has. Throws where something asked for is not in the list, or where nothing would be left of it.
 */
export function planInstances(list: ImageList, options: InstanceOptions): readonly InstanceOrder[] {
  const chosen = new Set(chooseInstances(list, options));
  const there = compressionsByPlatform(list);
  const orders = list.instances.flatMap((instance, index): InstanceOrder[] => {
    if (!chosen.has(instance))
      return options.sparseManifestListAction === "strip" ? [{ type: "remove", index }] : [];
    const known = there.get(platformKey(instance)) ?? new Set<string>();
    const missing = options.ensureCompressionVariantsExist.filter(
      ({ algorithm }) => !known.has(algorithm),
    );
    missing.forEach(({ algorithm }) => known.add(algorithm));
    return [
      { type: "copy", index, instance },
      ...missing.map((variant): InstanceOrder => ({ type: "clone", index, instance, variant })),
    ];
  });
  if (
    list.instances.length === 0 ||
    orders.some(({ type }) => type !== "remove") ||
    orders.length < list.instances.length
  )
    return orders;
  throw new CopyError(
    "platform_not_found",
    "nothing of the list was chosen, and `sparseManifestListAction: strip` would leave an empty one",
    { side: "source", phase: "manifest" },
  );
}

type InstanceOptions = Pick<
  CopyOptions,
  | "imageListSelection"
  | "instances"
  | "platforms"
  | "sparseManifestListAction"
  | "ensureCompressionVariantsExist"
>;

/** By platform, what its images are compressed with as far as the list tells: zstd where it says so, gzip else. */
function compressionsByPlatform(list: ImageList): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const instance of list.instances) {
    const key = platformKey(instance);
    const zstd = list.mediaType !== DOCKER_LIST && isZstd(instance);
    found.set(key, (found.get(key) ?? new Set()).add(zstd ? "zstd" : "gzip"));
  }
  return found;
}

const platformKey = ({ platform }: Instance): string =>
  JSON.stringify([
    platform?.architecture ?? "",
    platform?.os ?? "",
    platform?.["os.version"] ?? "",
    (platform?.["os.features"] ?? []).toSorted(),
    platform?.variant ?? "",
  ]);

/** A platform without a variant means all its variants. */
const matches = ({ platform }: Instance, wanted: Platform): boolean =>
  platform !== undefined &&
  (wanted.variant === undefined
    ? platform.os === wanted.os && platform.architecture === wanted.architecture
    : samePlatform(platform, wanted));

function notFound(wanted: PlatformChoice, list: ImageList): CopyError {
  const has = list.instances.map(({ platform }) =>
    platform === undefined ? "unnamed" : formatPlatform(platform),
  );
  return new CopyError(
    "platform_not_found",
    `the list has no image for ${formatPlatform(wanted)}; it has ${[...new Set(has)].slice(0, 20).join(", ") || "none at all"}`,
    { side: "source", phase: "manifest" },
  );
}
