// A list after its images were copied: entries that say what was written, more or fewer of them, in the other list format (semantics
// 1.5.2, 1.5.3).

import type { Digest } from "../digest.ts";
import { DOCKER_LIST, isList, OCI_INDEX } from "../media-types.ts";
import type { Platform } from "../platform.ts";
import { isZstd, NO_PLATFORM, parseList, writeList, ZSTD_ANNOTATION } from "./list.ts";
import type { ImageList, Instance, RawManifest } from "./manifest.ts";
import { rejected } from "./refused.ts";

/** A manifest as it was written. */
interface WrittenManifest {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly mediaType: string;
  /** Some of its layers are zstd. */
  readonly zstd: boolean;
}

/** Indexes are those of the list as it was read. */
export type ListOperation =
  | ({ readonly type: "update"; readonly index: number } & WrittenManifest)
  /** One more, for the same platform, and otherwise described like entry `like`. */
  | ({ readonly type: "add"; readonly like: number } & WrittenManifest)
  | { readonly type: "remove"; readonly index: number };

export interface ListEdit {
  /** The list type to write; absent: its own. */
  readonly mediaType?: string;
  readonly operations: readonly ListOperation[];
}

/**
 * The list after an edit; the very bytes that were read, extension fields and all, where nothing of it changed. `host`: what an entry
 * without a platform is taken to be for where the format must have one. Throws `manifest_rejected` where the type is no list's.
 */
export function editList(manifest: RawManifest, edit: ListEdit, host: Platform): RawManifest {
  const list = parseList(manifest);
  const mediaType = edit.mediaType ?? manifest.mediaType;
  if (!isList(mediaType)) throw rejected(`a list cannot be written as \`${mediaType}\``);
  const written = writeList(converted(edited(list, edit.operations), mediaType, host));
  return written.bytes.equals(writeList(list).bytes) ? manifest : written;
}

function edited(list: ImageList, operations: readonly ListOperation[]): ImageList {
  const entries: (Instance | undefined)[] = [...list.instances];
  const added: Instance[] = [];
  const oci = list.mediaType === OCI_INDEX;
  for (const operation of operations) {
    const at = operation.type === "add" ? operation.like : operation.index;
    const old = list.instances[at];
    if (old === undefined) throw new Error(`the list has no entry ${at}`);
    if (operation.type === "remove") entries[at] = undefined;
    else if (operation.type === "update") entries[at] = described({ ...old }, operation, oci);
    else added.push(described(likeness(old), operation, oci));
  }
  const instances = [...entries.filter((entry) => entry !== undefined), ...added];
  return { ...list, instances: oci && added.length > 0 ? zstdLast(instances) : instances };
}

/** What another manifest has in common with this one. */
const likeness = ({ platform, annotations, artifactType }: Instance) => ({
  ...(platform && { platform }),
  ...(annotations && { annotations }),
  ...(artifactType !== undefined && { artifactType }),
});

/** Docker's lists have no place for annotations. The mark is set, never taken away: the entry may have been marked for what we do not see. */
function described(
  old: Partial<Instance>,
  { digest, size, mediaType, zstd }: WrittenManifest,
  oci: boolean,
): Instance {
  const marked = zstd && oci && { annotations: { ...old.annotations, [ZSTD_ANNOTATION]: "true" } };
  return { ...old, digest, size, mediaType, ...marked };
}

/** So that readers that know only gzip and take the first that fits find it. */
const zstdLast = (instances: readonly Instance[]): readonly Instance[] =>
  instances.toSorted((a, b) => Number(isZstd(a)) - Number(isZstd(b)));

function converted(list: ImageList, mediaType: string, host: Platform): ImageList {
  if (list.mediaType === mediaType) return list;
  const missing = mediaType === DOCKER_LIST ? hostOnly(host) : NO_PLATFORM;
  return {
    mediaType,
    instances: list.instances.map(({ digest, size, mediaType: type, urls, platform = missing }) => {
      const { features: _, ...shared } = platform;
      return { mediaType: type, digest, size, ...(urls && { urls }), platform: shared };
    }),
  };
}

const hostOnly = ({ os, architecture }: Platform): Platform => ({ os, architecture });
