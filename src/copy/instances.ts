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
import type { CopyOptions } from "./options.ts";

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
