// Whether two copies are the same. Where layers were compressed anew, their bytes need not be (two compressors, two results): then what is
// in them counts, how they are compressed, and all that the manifests say of them.

import { digestOf, type Digest } from "../../../src/image/digest.ts";
import type { RawManifest } from "../../../src/image/manifest/manifest.ts";
import { isSchema1 } from "../../../src/image/media-types.ts";
import { unpack } from "../../support/layers.ts";
import { digestOfManifest } from "../../support/places.ts";
import { schema1Payload } from "../../support/schema1.ts";
import { documentOf, blobsNamedBy, type Tree } from "../../support/readings.ts";
import type { Sample } from "../../support/samples.ts";
import type { Made } from "./model.ts";

export type Likeness =
  /** To the last byte: the manifests' digests, and the files. */
  | { readonly verdict: "same" }
  /** But for the bytes of compressed layers, and what follows from them. */
  | { readonly verdict: "recompressed" }
  | { readonly verdict: "different"; readonly why: string };

export function compare(theirs: Made, ours: Made): Likeness {
  const shared = new Set(theirs.sample?.blobs.keys()).intersection(
    new Set(ours.sample?.blobs.keys()),
  );
  const [their, our] = [theirs, ours].map((made) => new Labels(made.sample, shared)) as [
    Labels,
    Labels,
  ];
  const why =
    difference(their.describe(), our.describe()) ??
    difference(filesOf(theirs.tree, their), filesOf(ours.tree, our));
  if (why !== undefined) return { verdict: "different", why };
  if (their.rootDigest === our.rootDigest) return { verdict: "same" };
  return our.relabeled
    ? { verdict: "recompressed" }
    : { verdict: "different", why: "the manifests mean the same and have other bytes" };
}

/** Names for digests that are the same for contents that are the same. */
class Labels {
  readonly #sample: Sample | undefined;
  readonly #labels = new Map<string, string>();
  /** Whether anything was compressed otherwise than by the other side. */
  readonly relabeled: boolean = false;

  constructor(sample: Sample | undefined, shared: ReadonlySet<Digest>) {
    this.#sample = sample;
    for (const digest of layersOf(sample)) {
      const bytes = sample?.blobs.get(digest);
      if (bytes === undefined || shared.has(digest)) continue;
      const { packing, bytes: plain } = unpack(bytes) ?? { packing: "plain", bytes };
      this.#labels.set(digest, `${packing} of ${digestOf(plain)}`);
      this.relabeled = true;
    }
    for (const [digest, manifest] of sample?.manifests ?? [])
      if (this.#isRelabeled(manifest)) this.#labels.set(digest, this.#labelOf(manifest));
    if (sample !== undefined && this.#isRelabeled(sample.root))
      this.#labels.set(this.rootDigest as string, this.#labelOf(sample.root));
  }

  get rootDigest(): Digest | undefined {
    return this.#sample && digestOfManifest(this.#sample.root);
  }

  /** The label in the place of a digest, in whatever spelling. */
  in(text: string): string {
    for (const [digest, label] of this.#labels) {
      const hex = digest.slice(digest.indexOf(":") + 1);
      if (text.includes(hex)) return text.replace(hex, label);
    }
    return text;
  }

  /** Everything that hangs on the root, with labels for digests. */
  describe(): unknown {
    return this.#sample && this.#describe(this.#sample.root, "");
  }

  #describe(manifest: RawManifest, digest: Digest | ""): unknown {
    const { blobs, manifests, signatures } = this.#sample as Sample;
    const document = documentOf(manifest);
    return {
      mediaType: manifest.mediaType,
      // First: a difference is best shown where it is, not by the digests that follow from it.
      images: (document.manifests ?? []).map((child) => {
        const found = manifests.get(child.digest);
        return found === undefined ? "absent" : this.#describe(found, child.digest);
      }),
      document: this.canonical(document),
      absent: blobsNamedBy(document)
        .filter((named) => !blobs.has(named))
        .map((named) => this.in(named)),
      signatures: (signatures.get(digest) ?? []).map((bytes) => digestOf(bytes)),
    };
  }

  /** A document with labels for digests, and without what only tells how well a layer was compressed. */
  canonical(value: unknown): unknown {
    if (Array.isArray(value)) return value.map((item) => this.canonical(item));
    if (typeof value !== "object" || value === null)
      return typeof value === "string" ? this.in(value) : value;
    const fields = Object.entries(value);
    const relabeled = fields.some(
      ([key, field]) => key === "digest" && this.in(String(field)) !== field,
    );
    return Object.fromEntries(
      fields
        .filter(([key]) => !(relabeled && key === "size") && key !== "signatures")
        .map(([key, field]) => {
          if (key === "v1Compatibility") return [key, this.#history(String(field))];
          if (relabeled && key === "annotations") return [key, withoutPositions(field as object)];
          return [key, this.canonical(field)];
        }),
    );
  }

  /** A line of a schema 1 history: its ids are made of layers' digests. */
  #history(line: string): unknown {
    const fields = JSON.parse(line) as Record<string, unknown>;
    if (!this.relabeled) return fields;
    return { ...fields, id: "", ...(fields["parent"] !== undefined && { parent: "" }) };
  }

  #isRelabeled(manifest: RawManifest): boolean {
    const { manifests } = documentOf(manifest);
    const named = [
      ...blobsNamedBy(documentOf(manifest)),
      ...(manifests ?? []).map(({ digest }) => digest),
    ];
    return named.some((digest) => this.#labels.has(digest));
  }

  #labelOf(manifest: RawManifest): string {
    const text = JSON.stringify(this.canonical(documentOf(manifest)));
    const type = isSchema1(manifest.mediaType) ? "schema 1" : "";
    return `manifest ${digestOf(Buffer.from(type + text))}`;
  }
}

function layersOf(sample: Sample | undefined): ReadonlySet<Digest> {
  const manifests = sample === undefined ? [] : [sample.root, ...sample.manifests.values()];
  return new Set(
    manifests.map(documentOf).flatMap(({ config, ...others }) => blobsNamedBy(others)),
  );
}

/** Where the table of contents of a zstd:chunked layer is, and its digest, follow from the compressed bytes. */
const withoutPositions = (annotations: object): object =>
  Object.fromEntries(
    Object.entries(annotations).map(([key, value]) => [
      key,
      key.startsWith("io.github.containers.zstd-chunked.") ? "" : value,
    ]),
  );

function filesOf(tree: Tree | undefined, labels: Labels): unknown {
  if (tree === undefined) return undefined;
  const files = [...tree].map(([path, { bytes, mode, target }]) => {
    const name = labels.in(path);
    const content = name === path ? contentOf(bytes, labels) : "as its name says";
    const file = { content, mode: mode.toString(8), ...(target !== undefined && { target }) };
    return [name, file] as const;
  });
  return Object.fromEntries(files.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function contentOf(bytes: Buffer, labels: Labels): unknown {
  if (bytes[0] !== "{".charCodeAt(0)) return digestOf(bytes);
  try {
    const document = JSON.parse(bytes.toString()) as object;
    if (labels.relabeled) return labels.canonical(document);
    // Whoever writes schema 1 signs it with a key that nobody knows.
    return ("fsLayers" in document ? schema1Payload(bytes) : bytes).toString();
  } catch {
    return digestOf(bytes);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;

/** The first place where two values differ; undefined: none. That fields are in another order only counts where nothing else differs. */
function difference(theirs: unknown, ours: unknown): string | undefined {
  return contentDifference("", theirs, ours) ?? orderDifference("", theirs, ours);
}

function contentDifference(at: string, theirs: unknown, ours: unknown): string | undefined {
  const where = at === "" ? "the copy" : at;
  if (!isObject(theirs) || !isObject(ours))
    return theirs === ours ? undefined : `${where}: skopeo ${shown(theirs)}, we ${shown(ours)}`;
  const sides = [
    ...Object.keys(theirs)
      .filter((key) => !(key in ours))
      .map((key) => `only skopeo has ${key}`),
    ...Object.keys(ours)
      .filter((key) => !(key in theirs))
      .map((key) => `only we have ${key}`),
  ];
  if (sides.length > 0) return `${where}: ${sides.join(", ")}`;
  for (const key of Object.keys(theirs)) {
    const found = contentDifference(`${at}/${key}`, theirs[key], ours[key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Of values that are the same but for that. */
function orderDifference(at: string, theirs: unknown, ours: unknown): string | undefined {
  if (!isObject(theirs) || !isObject(ours)) return undefined;
  const [their, our] = [Object.keys(theirs).join(), Object.keys(ours).join()];
  if (their !== our) return `${at}: the fields are in another order: skopeo ${their}, we ${our}`;
  for (const key of Object.keys(theirs)) {
    const found = orderDifference(`${at}/${key}`, theirs[key], ours[key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
};
