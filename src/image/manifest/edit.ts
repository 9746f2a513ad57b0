// A manifest that is written other than it was read: with other layers, in another format, under another name (semantics 3.7, 3.8). What
// the format has no words for is lost: extension fields always, annotations and more with a change of format.

import type { Descriptor } from "../blob-info.ts";
import type { Digest } from "../digest.ts";
import { isSchema1, OCI_MANIFEST, SCHEMA2 } from "../media-types.ts";
import { ociToSchema2, schema2ToOci } from "./convert-oci.ts";
import { schema1ToSchema2, schema2ToSchema1 } from "./convert-schema1.ts";
import type { Draft, Format } from "./draft.ts";
import { EMPTY_LAYER } from "./empty-layer.ts";
import { normalizedMediaType, type RawManifest } from "./manifest.ts";
import { parseOci, writeOci } from "./oci.ts";
import { rejected } from "./refused.ts";
import { parseSchema1, writeSchema1, type Schema1Manifest } from "./schema1.ts";
import { parseSchema2, writeSchema2 } from "./schema2.ts";
import { updateOci, updateSchema1, updateSchema2, type LayerUpdate } from "./updates.ts";

export interface ManifestEdit {
  /** The type to write; absent: its own. */
  readonly mediaType?: string;
  /** One for each layer of `parseImage`; absent: they are what they were. Schema 1 tells no sizes: from it to others they must be given. */
  readonly layers?: readonly LayerUpdate[];
  /** From schema 1 to others: the digests of the layers uncompressed, one a layer, root first, of empty ones too. */
  readonly diffIds?: readonly Digest[];
  /** To schema 1: what the image is called there; absent: what it was called, or nothing. */
  readonly embeddedReference?: { readonly repository: string; readonly tag: string };
}

export interface EditedManifest {
  readonly manifest: RawManifest;
  /** A config that was made for it, to be stored; absent: it is the source's own, or there is none. */
  readonly config?: { readonly descriptor: Descriptor; readonly bytes: Buffer };
  /** `EMPTY_LAYER` must be stored, too. */
  readonly needsEmptyLayer: boolean;
}

/**
 * The manifest after an edit, byte for byte what containers/image would write (but for the signature of schema 1, which is by nobody).
 * A manifest of which nothing changes is not to be passed here: its bytes are what they were. `config`: the bytes of the source's, if
 * it has one. Throws `IncompatibleCompression` where another type can say it, `manifest_rejected` where none can, `manifest_invalid`.
 */
export function editManifest(
  manifest: RawManifest,
  edit: ManifestEdit,
  config: Buffer | undefined,
): EditedManifest {
  const source = draftOf(manifest, edit, config);
  const target = edit.mediaType === undefined ? source.format : formatOf(edit.mediaType);
  return written(convert(source, target, edit.diffIds), edit, source.format);
}

function formatOf(mediaType: string): Format {
  if (isSchema1(mediaType)) return "schema1";
  if (mediaType === SCHEMA2) return "schema2";
  if (mediaType === OCI_MANIFEST) return "oci";
  throw rejected(`an image cannot be written as \`${mediaType}\``);
}

function draftOf(manifest: RawManifest, edit: ManifestEdit, config: Buffer | undefined): Draft {
  const common = { updates: edit.layers, config, newConfig: false };
  const format = formatOf(normalizedMediaType(manifest.mediaType));
  if (format === "schema1") return { format, manifest: parseSchema1(manifest), ...common };
  if (format === "schema2") return { format, manifest: parseSchema2(manifest), ...common };
  return { format, manifest: parseOci(manifest), ...common };
}

/** Schema 2 is in the middle: schema 1 and OCI reach each other through it. */
function convert(draft: Draft, to: Format, diffIds: readonly Digest[] | undefined): Draft {
  if (draft.format === to) return draft;
  if (draft.format === "schema1") return convert(schema1ToSchema2(draft, diffIds), to, diffIds);
  if (draft.format === "oci") return convert(ociToSchema2(draft), to, diffIds);
  return to === "oci" ? schema2ToOci(draft) : schema2ToSchema1(draft);
}

function written(draft: Draft, edit: ManifestEdit, source: Format): EditedManifest {
  const { updates, config, newConfig } = draft;
  if (draft.format === "schema1") {
    const manifest = updates ? updateSchema1(draft.manifest, updates) : draft.manifest;
    return {
      manifest: writeSchema1(named(manifest, edit)),
      needsEmptyLayer:
        source !== "schema1" &&
        manifest.entries.some(({ blobSum }) => blobSum === EMPTY_LAYER.digest),
    };
  }
  const made = newConfig &&
    config !== undefined && { config: { descriptor: draft.manifest.config, bytes: config } };
  if (draft.format === "schema2") {
    const manifest = updates ? updateSchema2(draft.manifest, updates) : draft.manifest;
    return { manifest: writeSchema2(manifest), ...made, needsEmptyLayer: false };
  }
  const manifest = updates ? updateOci(draft.manifest, updates) : draft.manifest;
  return { manifest: writeOci(manifest), ...made, needsEmptyLayer: false };
}

function named(manifest: Schema1Manifest, { embeddedReference }: ManifestEdit): Schema1Manifest {
  if (embeddedReference === undefined) return manifest;
  return { ...manifest, name: embeddedReference.repository, tag: embeddedReference.tag };
}
