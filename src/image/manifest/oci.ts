// OCI image manifests, of images and of artifacts (OCI image-spec, manifest.md), and OCI's descriptors.

import {
  goArray,
  goString,
  goStringMap,
  goStrings,
  goStruct,
  unlessEmpty,
  type Json,
} from "../go-json.ts";
import { OCI_MANIFEST } from "../media-types.ts";
import type { Platform } from "../platform.ts";
import {
  annotationsOf,
  arrayOf,
  checkAnnotations,
  objectOf,
  parseDescriptor,
  readDocument,
  stringOf,
  stringsOf,
} from "./document.ts";
import { LIMITS, type OciDescriptor, type RawManifest } from "./manifest.ts";
import { invalid } from "./refused.ts";

export interface OciManifest {
  /** Whether it says what it is: OCI 1.0 did not ask for that, and an edit must not change it. */
  readonly saysType: boolean;
  readonly artifactType?: string;
  readonly config: OciDescriptor;
  readonly layers: readonly OciDescriptor[];
  readonly subject?: OciDescriptor;
  readonly annotations?: Readonly<Record<string, string>>;
}

export function parseOci({ bytes, mediaType }: RawManifest): OciManifest {
  const document = readDocument(bytes, mediaType, ["config", "layers"]);
  const annotations = annotationsOf(document);
  const artifactType = stringOf(document, "artifactType");
  const subject = document["subject"] ?? undefined;
  const manifest: OciManifest = {
    saysType: document["mediaType"] !== undefined,
    ...(artifactType !== "" && { artifactType }),
    config: parseOciDescriptor(document["config"], "config"),
    layers: arrayOf(document, "layers", LIMITS.layers).map((layer, i) =>
      parseOciDescriptor(layer, `layers[${i}]`),
    ),
    ...(subject !== undefined && { subject: parseOciDescriptor(subject, "subject") }),
    ...(annotations && { annotations }),
  };
  checkAnnotations([
    manifest,
    manifest.config,
    ...manifest.layers,
    ...(manifest.subject === undefined ? [] : [manifest.subject]),
  ]);
  return manifest;
}

export function parseOciDescriptor(value: unknown, where: string): OciDescriptor {
  const descriptor = objectOf(value, where);
  const annotations = annotationsOf(descriptor, `${where}.`);
  const platform = descriptor["platform"] ?? undefined;
  const artifactType = stringOf(descriptor, "artifactType", `${where}.`);
  const data = stringOf(descriptor, "data", `${where}.`);
  if (Buffer.from(data, "base64").toString("base64") !== data)
    throw invalid(`\`${where}.data\` is not base64`);
  return {
    ...parseDescriptor(descriptor, where),
    ...(annotations && { annotations }),
    ...(platform !== undefined && { platform: parsePlatform(platform, `${where}.platform`) }),
    ...(artifactType !== "" && { artifactType }),
    ...(data !== "" && { data }),
  };
}

/** OCI's and docker's, which has `features` besides. */
export function parsePlatform(value: unknown, where: string): Platform {
  const platform = objectOf(value, where);
  const variant = stringOf(platform, "variant", `${where}.`);
  const version = stringOf(platform, "os.version", `${where}.`);
  const osFeatures = stringsOf(platform, "os.features", `${where}.`);
  const features = stringsOf(platform, "features", `${where}.`);
  return {
    os: stringOf(platform, "os", `${where}.`),
    architecture: stringOf(platform, "architecture", `${where}.`),
    ...(variant !== "" && { variant }),
    ...(version !== "" && { "os.version": version }),
    ...(osFeatures && { "os.features": osFeatures }),
    ...(features && { features }),
  };
}

export function writeOci(manifest: OciManifest): RawManifest {
  const { saysType, artifactType, config, layers, subject, annotations } = manifest;
  const document = goStruct({
    schemaVersion: "2",
    mediaType: saysType ? goString(OCI_MANIFEST) : undefined,
    artifactType: unlessEmpty(artifactType, goString),
    config: ociDescriptor(config),
    layers: goArray(layers.map(ociDescriptor)),
    subject: subject && ociDescriptor(subject),
    annotations: unlessEmpty(annotations, goStringMap),
  });
  return { mediaType: OCI_MANIFEST, bytes: Buffer.from(document) };
}

export const ociDescriptor = (descriptor: OciDescriptor): Json =>
  goStruct({
    mediaType: goString(descriptor.mediaType),
    digest: goString(descriptor.digest),
    size: String(descriptor.size),
    urls: unlessEmpty(descriptor.urls, goStrings),
    annotations: unlessEmpty(descriptor.annotations, goStringMap),
    data: unlessEmpty(descriptor.data, goString),
    platform: descriptor.platform && goStruct(platformFields(descriptor.platform)),
    artifactType: unlessEmpty(descriptor.artifactType, goString),
  });

export const platformFields = (platform: Platform) => ({
  architecture: goString(platform.architecture),
  os: goString(platform.os),
  "os.version": unlessEmpty(platform["os.version"], goString),
  "os.features": unlessEmpty(platform["os.features"], goStrings),
  variant: unlessEmpty(platform.variant, goString),
});
