// Judges a copy without the service's code: walks from the index to every byte it names, and computes each digest anew.

import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/** Where an image was copied to, as its format or protocol shows it. */
export interface Place {
  readonly name: string;
  /** The top manifest, or the one that is named. */
  manifest(digest: string | undefined): Promise<Buffer>;
  blob(digest: string): AsyncIterable<Uint8Array>;
}

export interface Verified {
  readonly digest: string;
  readonly manifests: number;
  readonly blobs: number;
  /** Of blobs and manifests, each counted once. */
  readonly bytes: number;
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

interface Manifest {
  readonly manifests?: readonly Descriptor[];
  readonly config?: Descriptor;
  readonly layers?: readonly Descriptor[];
}

/** Throws a sentence that names the first thing that is missing, or is not what its digest says. */
export async function verify(place: Place): Promise<Verified> {
  const top = await place.manifest(undefined);
  const digest = sha256(top);
  const blobs = new Map<string, number>();
  let manifests = 0;
  let bytes = 0;
  const walk = async (content: Buffer): Promise<void> => {
    manifests += 1;
    bytes += content.length;
    const manifest = JSON.parse(content.toString()) as Manifest;
    for (const child of manifest.manifests ?? []) {
      const found = await place.manifest(child.digest);
      demand(
        sha256(found) === child.digest && found.length === child.size,
        `${place.name}: manifest ${child.digest} has other bytes`,
      );
      await walk(found);
    }
    for (const blob of [manifest.config ?? [], ...(manifest.layers ?? [])].flat()) {
      if (!blobs.has(blob.digest)) blobs.set(blob.digest, await verifyBlob(place, blob));
    }
  };
  await walk(top);
  for (const size of blobs.values()) bytes += size;
  demand(blobs.size > 0, `${place.name}: the image names no blobs`);
  return { digest, manifests, blobs: blobs.size, bytes };
}

async function verifyBlob(place: Place, { digest, size }: Descriptor): Promise<number> {
  const hash = createHash("sha256");
  let length = 0;
  for await (const chunk of place.blob(digest)) {
    hash.update(chunk);
    length += chunk.length;
  }
  demand(
    `sha256:${hash.digest("hex")}` === digest && length === size,
    `${place.name}: blob ${digest} has other bytes`,
  );
  return length;
}

/** An image in a registry that is reached over plain HTTP. */
export function inRegistry(host: string, repository: string, tag: string): Place {
  const get = async (path: string): Promise<Response> => {
    const accept = ["vnd.oci.image.index.v1", "vnd.oci.image.manifest.v1"]
      .map((type) => `application/${type}+json`)
      .join(", ");
    const response = await fetch(`http://${host}/v2/${repository}/${path}`, {
      headers: { accept },
    });
    demand(response.ok, `the registry answers ${response.status} for ${path}`);
    return response;
  };
  return {
    name: "registry",
    manifest: async (digest) =>
      Buffer.from(await (await get(`manifests/${digest ?? tag}`)).arrayBuffer()),
    blob: async function* (digest) {
      yield* (await get(`blobs/${digest}`)).body ?? [];
    },
  };
}

/** A folder of `dir:`. */
export function inDir(folder: string): Place {
  return {
    name: "dir:",
    manifest: (digest) =>
      readFile(
        join(folder, digest === undefined ? "manifest.json" : `${hexOf(digest)}.manifest.json`),
      ),
    blob: (digest) => createReadStream(join(folder, hexOf(digest))),
  };
}

/** The one image of an OCI layout. */
export function inLayout(folder: string): Place {
  const path = (digest: string) => join(folder, "blobs/sha256", hexOf(digest));
  return {
    name: "oci:",
    manifest: async (digest) => {
      if (digest !== undefined) return readFile(path(digest));
      const index = JSON.parse(await readFile(join(folder, "index.json"), "utf8")) as Manifest;
      const [only] = index.manifests ?? [];
      if (only === undefined) throw new Error("oci: the layout names no image");
      return readFile(path(only.digest));
    },
    blob: (digest) => createReadStream(path(digest)),
  };
}

const sha256 = (bytes: Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const hexOf = (digest: string): string => digest.slice(digest.indexOf(":") + 1);

function demand(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(otherwise);
}
