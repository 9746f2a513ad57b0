// The judge of a destination: is all that a tag leads to there, and is each of it what its digest says? It shares no code with the engine.

import { createHash } from "node:crypto";

/** What a registry has, asked beside the copy's own ways. */
export interface Holdings {
  readonly manifest: (ref: string) => Promise<Buffer | undefined>;
  readonly blob: (digest: string) => Promise<Buffer | undefined>;
}

interface Entry {
  readonly digest: string;
  readonly size: number;
}
interface Document {
  readonly manifests?: readonly Entry[];
  readonly config?: Entry;
  readonly layers?: readonly Entry[];
}

/** What is wrong, as sentences; none: what the tag names is whole. `digest`: of what it names, undefined: nothing. */
export async function judge(
  holdings: Holdings,
  tag: string,
): Promise<{ readonly digest: string | undefined; readonly faults: readonly string[] }> {
  const top = await holdings.manifest(tag);
  if (top === undefined) return { digest: undefined, faults: [] };
  return { digest: digestOf(top), faults: await faultsIn(top, holdings) };
}

async function faultsIn(manifest: Buffer, holdings: Holdings): Promise<readonly string[]> {
  const document = JSON.parse(manifest.toString()) as Document;
  const faults: string[] = [];
  for (const entry of document.manifests ?? []) {
    const child = await holdings.manifest(entry.digest);
    faults.push(...faultOf(entry, child));
    if (child !== undefined) faults.push(...(await faultsIn(child, holdings)));
  }
  for (const entry of [...(document.layers ?? []), ...(document.config ? [document.config] : [])])
    faults.push(...faultOf(entry, await holdings.blob(entry.digest)));
  return faults;
}

function faultOf({ digest, size }: Entry, bytes: Buffer | undefined): readonly string[] {
  if (bytes === undefined) return [`${digest} is missing`];
  return bytes.length === size && digestOf(bytes) === digest ? [] : [`${digest} is something else`];
}

export const digestOf = (bytes: Buffer): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/** By plain requests, past any proxy. */
export function holdingsOf(host: string, repository: string): Holdings {
  const get = async (path: string, accept: string) => {
    const response = await fetch(`http://${host}/v2/${repository}/${path}`, {
      headers: { accept },
    });
    const body = Buffer.from(await response.arrayBuffer());
    return response.status === 200 ? body : undefined;
  };
  return {
    manifest: (ref) =>
      get(
        `manifests/${ref}`,
        "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json",
      ),
    blob: (digest) => get(`blobs/${digest}`, "*/*"),
  };
}
