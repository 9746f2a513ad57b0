// Documents that are refused as manifests (reliability T17, T19, T20). No part of them lies about a digest.

import {
  DOCKER_LIST,
  OCI_INDEX,
  OCI_MANIFEST,
  SCHEMA1,
  SCHEMA2,
} from "../../src/image/media-types.ts";
import { makeImage, makeList } from "../support/images.ts";
import { documentOf } from "../support/manifests.ts";
import type { SourceKind } from "./sources.ts";

export const image = makeImage();
export const list = makeList([image]);
const docker = makeImage({ mediaTypes: "docker" });
export const text = image.manifest.bytes.toString();
export const document = documentOf(image.manifest);
const index = documentOf(list.manifest);
const without = (of: object, ...fields: string[]) =>
  Object.fromEntries(Object.entries(of).filter(([key]) => !fields.includes(key)));
const invalidUtf8 = Buffer.from(text.replace('"mediaType"', '"\xff":1,"mediaType"'), "latin1");

/** `from`: the sources in which it can be said at all; others have no type beside the document. */
export type Row = readonly [
  name: string,
  mediaType: string,
  document: string | Buffer | object,
  from?: readonly SourceKind[],
];

// A folder has no word on what its manifest is; a layout's entry does not name what is of schema 1, or no manifest at all.
const TYPED: readonly SourceKind[] = ["docker", "oci"];

// T19: what it is
export const CONFUSED: readonly Row[] = [
  ["an image that is an index too", OCI_MANIFEST, { ...document, manifests: index.manifests }],
  ["an image with an empty list of images", OCI_MANIFEST, { ...document, manifests: [] }],
  ["an index that has a config", OCI_INDEX, { ...index, config: document.config }],
  ["an index that has layers", OCI_INDEX, { ...index, layers: document.layers }],
  ["an image of schema 1 and 2", OCI_MANIFEST, { ...document, fsLayers: [] }],
  ["an image with a history of schema 1", OCI_MANIFEST, { ...document, history: [] }],
  ["schema 2 that is a list too", SCHEMA2, { ...documentOf(docker.manifest), manifests: [] }],
  ["a docker list that has layers", DOCKER_LIST, { ...index, mediaType: DOCKER_LIST, layers: [] }],
  [
    "schema 1 with layers of schema 2",
    SCHEMA1,
    { schemaVersion: 1, layers: [], fsLayers: [] },
    ["docker", "dir"],
  ],
  ["layers in another spelling", OCI_MANIFEST, { ...without(document, "layers"), Layers: [] }],
  ["manifests in another spelling", OCI_MANIFEST, { ...document, mAnifests: [] }],
  ["an index served as an image", OCI_MANIFEST, index, TYPED],
  ["an image served as an index", OCI_INDEX, document, TYPED],
  ["schema 2 served as OCI", OCI_MANIFEST, documentOf(docker.manifest), TYPED],
  ["OCI served as schema 2", SCHEMA2, document, TYPED],
  ["an index without a type, served as an image", OCI_MANIFEST, without(index, "mediaType"), TYPED],
  ["an image without a type, served as an index", OCI_INDEX, without(document, "mediaType"), TYPED],
  ["an image without a type, served as schema 2", SCHEMA2, without(document, "mediaType"), TYPED],
  [
    "an image without a type, served as a web page",
    "text/html",
    without(document, "mediaType"),
    ["docker"],
  ],
  ["a type that is no text", OCI_MANIFEST, { ...document, mediaType: [OCI_MANIFEST] }],
];

// T20: how it is written
export const ODD: readonly Row[] = [
  ["layers twice", OCI_MANIFEST, text.replace('"layers"', '"layers":[],"layers"')],
  ["layers in two spellings", OCI_MANIFEST, text.replace('"layers"', '"LAYERS":[],"layers"')],
  [
    "layers twice, once escaped",
    OCI_MANIFEST,
    text.replace('"layers"', '"\\u006cayers":[],"layers"'),
  ],
  ["layers with a long s", OCI_MANIFEST, text.replace('"layers"', '"layer\u017f":[],"layers"')],
  ["a layer's digest twice", OCI_MANIFEST, text.replaceAll('"digest"', '"digest":"x","digest"')],
  ["a layer's size in two spellings", OCI_MANIFEST, text.replaceAll('"size"', '"Size":1,"size"')],
  [
    "the config's type twice",
    OCI_MANIFEST,
    text.replaceAll('"mediaType"', '"mediatype":"x","mediaType"'),
  ],
  ["a byte order mark", OCI_MANIFEST, `\ufeff${text}`],
  ["bytes that are not UTF-8", OCI_MANIFEST, invalidUtf8],
  ["UTF-16", OCI_MANIFEST, Buffer.from(text, "utf16le")],
  ["something behind it", OCI_MANIFEST, `${text} {}`],
  ["a NUL behind it", OCI_MANIFEST, `${text}\0`],
  ["two documents", OCI_MANIFEST, text + text],
  ["a comment", OCI_MANIFEST, text.replace("{", "{/* hello */")],
  ["a comma too many", OCI_MANIFEST, text.replace(/}$/, ",}")],
  ["quotes of another kind", OCI_MANIFEST, text.replaceAll('"', "'")],
  ["half of it", OCI_MANIFEST, text.slice(0, text.length >> 1)],
  ["nothing", OCI_MANIFEST, ""],
  ["null", OCI_MANIFEST, "null"],
  ["a list", OCI_MANIFEST, `[${text}]`],
  ["a string", OCI_MANIFEST, JSON.stringify(text)],
  ["a number", OCI_MANIFEST, "2"],
  [
    "layers that are an object",
    OCI_MANIFEST,
    { ...document, layers: { 0: document.layers[0], length: 1 } },
  ],
  ["layers of null", OCI_MANIFEST, { ...document, layers: [null] }],
  ["no config", OCI_MANIFEST, without(document, "config")],
  ["an index of text", OCI_INDEX, { ...index, manifests: ["x"] }],
  ["annotations that are numbers", OCI_MANIFEST, { ...document, annotations: { a: 1 } }],
  [
    "urls that are objects",
    OCI_MANIFEST,
    { ...document, layers: [{ ...document.layers[0], urls: [{}] }] },
  ],
];

// T17: what a size may not be
const sized = (size: string): string => text.replace(/"size":\d+/, `"size":${size}`);
export const SIZES: readonly Row[] = [
  "-1",
  "-0.5",
  "1.5",
  "1.0",
  "1e3",
  '"5"',
  "null",
  "[5]",
  "{}",
  "true",
  "9007199254740993",
  "9223372036854775807",
  "1e400",
  "18446744073709551616",
].map((size) => [`a size that is ${size}`, OCI_MANIFEST, sized(size)] as const);
