// Lists of images: OCI indexes and docker manifest lists.

import { goArray, goString, goStringMap, goStrings, goStruct, unlessEmpty } from "../go-json.ts";
import { DOCKER_LIST, isList } from "../media-types.ts";
import type { Platform } from "../platform.ts";
import {
  annotationsOf,
  arrayOf,
  checkAnnotations,
  objectOf,
  parseDescriptor,
  readDocument,
  stringOf,
} from "./document.ts";
import { LIMITS, type ImageList, type Instance, type RawManifest } from "./manifest.ts";
import { ociDescriptor, parseOciDescriptor, parsePlatform, platformFields } from "./oci.ts";
import { dockerDescriptorFields } from "./schema2.ts";
import { invalid } from "./refused.ts";

/** Marks an instance that has layers in zstd: readers that know the mark prefer it, others take the first that fits. */
export const ZSTD_ANNOTATION = "io.github.containers.compression.zstd";

export const isZstd = ({ annotations }: Instance): boolean =>
  annotations?.[ZSTD_ANNOTATION] === "true";

/** Parses a list. Throws `manifest_invalid` (source). */
export function parseList(manifest: RawManifest): ImageList {
  if (!isList(manifest.mediaType))
    throw invalid(`its type \`${manifest.mediaType}\` is not a list's`);
  return manifest.mediaType === DOCKER_LIST ? parseDockerList(manifest) : parseIndex(manifest);
}

function parseIndex({ bytes, mediaType }: RawManifest): ImageList {
  const document = readDocument(bytes, mediaType, ["manifests"]);
  const annotations = annotationsOf(document);
  const artifactType = stringOf(document, "artifactType");
  const subject = document["subject"] ?? undefined;
  const list: ImageList = {
    mediaType,
    instances: arrayOf(document, "manifests", LIMITS.instances).map((entry, i) =>
      parseOciDescriptor(entry, `manifests[${i}]`),
    ),
    ...(artifactType !== "" && { artifactType }),
    ...(subject !== undefined && { subject: parseOciDescriptor(subject, "subject") }),
    ...(annotations && { annotations }),
  };
  checkAnnotations([
    list,
    ...list.instances,
    ...(list.subject === undefined ? [] : [list.subject]),
  ]);
  return list;
}

function parseDockerList({ bytes, mediaType }: RawManifest): ImageList {
  const document = readDocument(bytes, mediaType, ["manifests"]);
  const instances = arrayOf(document, "manifests", LIMITS.instances).map((entry, i): Instance => {
    const where = `manifests[${i}]`;
    const platform = objectOf(entry, where)["platform"] ?? undefined;
    return {
      ...parseDescriptor(entry, where),
      ...(platform !== undefined && { platform: parsePlatform(platform, `${where}.platform`) }),
    };
  });
  return { mediaType, instances };
}

export function writeList(list: ImageList): RawManifest {
  const { mediaType, instances, artifactType, subject, annotations } = list;
  const docker = mediaType === DOCKER_LIST;
  const document = goStruct({
    schemaVersion: "2",
    mediaType: goString(mediaType),
    artifactType: unlessEmpty(artifactType, goString),
    manifests: goArray(instances.map(docker ? dockerInstance : ociDescriptor)),
    subject: subject && ociDescriptor(subject),
    annotations: unlessEmpty(annotations, goStringMap),
  });
  return { mediaType, bytes: Buffer.from(document) };
}

/** Docker's entries always have a platform, be it an empty one. */
function dockerInstance(instance: Instance): string {
  const { platform = NO_PLATFORM } = instance;
  return goStruct({
    ...dockerDescriptorFields(instance),
    platform: goStruct({
      ...platformFields(platform),
      features: unlessEmpty(platform.features, goStrings),
    }),
  });
}

/** What docker's lists say where nothing is said. */
export const NO_PLATFORM: Platform = { os: "", architecture: "" };
