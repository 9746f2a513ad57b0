// containers/image's `dir:` folders as source (semantics 7.5).

import { join } from "node:path";
import type { Span } from "../bytes.ts";
import type { Signature, Source } from "../copy/interfaces.ts";
import { CopyError } from "../errors.ts";
import { algorithmOf, type Digest } from "../image/digest.ts";
import {
  guessMediaType,
  MANIFEST_LIMIT,
  manifestDigest,
  type RawManifest,
} from "../image/manifest/manifest.ts";
import { formatReference } from "../image/reference.ts";
import type { DirReference } from "../image/reference/files.ts";
import type { AccessContext } from "./access.ts";
import { fileOf, manifestFile, parseVersion, signatureFile } from "./dir-names.ts";
import { fromFile, readManifest, readSmall } from "./files.ts";

/** Signatures of one manifest, and bytes of one (containers/image's limits for other stores; dir: has none there). */
const SIGNATURES = { count: 128, bytes: 4 * 1024 * 1024 } as const;

/** `folder` is a real path. Throws `source_not_found`, `manifest_invalid`, `path_denied`. */
export async function openDirSource(
  reference: DirReference,
  folder: string,
  access: AccessContext,
  signal: AbortSignal,
): Promise<Source> {
  const name = formatReference(reference);
  const read = async () => {
    await checkVersion(folder);
    return readSmall(join(folder, manifestFile(undefined)), MANIFEST_LIMIT, MANIFEST);
  };
  // A writer that is just swapping folders leaves nothing here for a moment: it holds the lock.
  const bytes = (await read()) ?? (await access.exclusive(`dir:${folder}`).run(read, signal));
  if (bytes === undefined) throw notFound(name, "there is no image: `manifest.json` is missing");
  const top: RawManifest = { bytes, mediaType: guessMediaType(bytes) };
  const { pinned } = access;
  if (pinned !== undefined && manifestDigest(top, algorithmOf(pinned)) !== pinned)
    throw notFound(name, `it holds another image than ${pinned}, which this job began to copy`);
  return {
    name,
    getManifest: async (instance) => {
      if (instance === undefined) return top;
      const found = await readManifest(join(folder, manifestFile(instance)), instance, MANIFEST);
      if (found === undefined) throw notFound(name, `the manifest ${instance} is not there`);
      return { bytes: found, mediaType: guessMediaType(found) };
    },
    getBlob: async (blob) => {
      const read = (span?: Span) => fromFile(join(folder, fileOf(blob.digest)), blob, span);
      return { content: read(), info: blob, again: read };
    },
    getSignatures: (instance, stop) => readSignatures(folder, instance, stop),
    getReferrers: async () => [],
    [Symbol.asyncDispose]: async () => {},
  };
}

async function readSignatures(
  folder: string,
  instance: Digest | undefined,
  signal: AbortSignal,
): Promise<readonly Signature[]> {
  const signatures: Signature[] = [];
  for (;;) {
    signal.throwIfAborted();
    const bytes = await readSmall(
      join(folder, signatureFile(instance, signatures.length + 1)),
      SIGNATURES.bytes,
      { side: "source", phase: "signatures" },
    );
    if (bytes === undefined) return signatures;
    if (signatures.push({ bytes }) > SIGNATURES.count)
      throw new CopyError(
        "manifest_invalid",
        `the image has more than ${SIGNATURES.count} signatures`,
        { side: "source", phase: "signatures" },
      );
  }
}

async function checkVersion(folder: string): Promise<void> {
  const bytes = await readSmall(join(folder, "version"), 1024, MANIFEST);
  if (bytes === undefined) return;
  const version = parseVersion(bytes);
  if (version === undefined)
    throw new CopyError(
      "manifest_invalid",
      "the `version` file is not that of a `dir:` image",
      MANIFEST,
    );
  const [major, minor] = version;
  if (major > 1 || (major === 1 && minor > 2))
    throw new CopyError(
      "manifest_invalid",
      `version ${major}.${minor} of \`dir:\` is not known here, 1.2 is`,
      MANIFEST,
    );
}

const MANIFEST = { side: "source", phase: "manifest" } as const;

const notFound = (name: string, why: string): CopyError =>
  new CopyError("source_not_found", `\`${name}\`: ${why}`, MANIFEST);
