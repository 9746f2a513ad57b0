// What the tests of the file transports share: a data folder, a lock, and the least copy that drives both ends.

import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromBuffer } from "../../src/bytes.ts";
import type { Destination, Semaphore, Source } from "../../src/copy/interfaces.ts";
import type { Code } from "../../src/codes.ts";
import { CopyError, type Side } from "../../src/errors.ts";
import type { Digest } from "../../src/image/digest.ts";
import { parseList } from "../../src/image/manifest/list.ts";
import { parseImage } from "../../src/image/manifest/parse.ts";
import { isList } from "../../src/image/media-types.ts";
import { parseReference } from "../../src/image/reference.ts";
import type { AccessContext } from "../../src/transport/access.ts";
import * as open from "../../src/transport/open.ts";
import type { TestImage, TestList } from "./images.ts";

export const never = new AbortController().signal;

/** For `assert.rejects`: a CopyError with this code, whose message has these words. */
export const failure =
  (code: Code, words = /./) =>
  (error: unknown): boolean =>
    error instanceof CopyError && error.code === code && words.test(error.message);

/** A data folder with a neighbour that nobody may touch. */
export async function makeDataDir(): Promise<
  { readonly base: string; readonly path: string } & AsyncDisposable
> {
  const base = await mkdtemp(join(tmpdir(), "transship-test-"));
  await mkdir(join(base, "data"));
  return {
    base,
    path: join(base, "data"),
    [Symbol.asyncDispose]: () => rm(base, { recursive: true, force: true }),
  };
}

/** One holder at a time of each name, in this process. */
export function makeExclusive(): (name: string) => Semaphore {
  const last = new Map<string, Promise<unknown>>();
  return (name) => ({
    run: (task, signal) => {
      const mine = (last.get(name) ?? Promise.resolve()).then(() => task(signal));
      last.set(
        name,
        mine.catch(() => {}),
      );
      return mine;
    },
  });
}

/** `registries` is for registries; a file transport that asked for it would fail here. */
export const accessTo = (
  dataDir: string,
  side: Side,
  more: Partial<AccessContext> = {},
): AccessContext =>
  ({
    side,
    dataDir,
    tlsVerify: true,
    exclusive: makeExclusive(),
    host: { os: "linux", architecture: "amd64" },
    ...more,
  }) as AccessContext;

export const openSource = (reference: string, access: AccessContext): Promise<Source> =>
  open.openSource(parseReference(reference), access, never);

export const openDestination = (reference: string, access: AccessContext): Promise<Destination> =>
  open.openDestination(parseReference(reference), access, never);

/** Puts an image's blobs and manifest; no commit. */
export async function putImage(
  destination: Destination,
  image: TestImage,
  instance?: Digest,
): Promise<void> {
  for (const descriptor of [image.config, ...image.layers]) {
    await destination.putBlob(
      { content: fromBuffer(image.blobs.get(descriptor.digest) as Buffer), info: descriptor },
      never,
    );
  }
  await destination.putManifest(image.manifest, instance, never);
}

export async function putList(destination: Destination, list: TestList): Promise<void> {
  for (const image of list.images) await putImage(destination, image, image.digest);
  await destination.putManifest(list.manifest, undefined, never);
}

/** Puts an image where the reference says, and commits. */
export async function write(
  reference: string,
  image: TestImage,
  access: AccessContext,
): Promise<void> {
  await using destination = await openDestination(reference, access);
  await putImage(destination, image);
  await destination.commit(never);
}

/** Copies all that the source names, and commits. */
export async function copyAll(source: Source, destination: Destination): Promise<void> {
  const copyOne = async (instance: Digest | undefined): Promise<void> => {
    const manifest = await source.getManifest(instance, never);
    if (isList(manifest.mediaType))
      for (const { digest } of parseList(manifest).instances) await copyOne(digest);
    else {
      const { config, layers } = parseImage(manifest);
      for (const blob of [...(config === undefined ? [] : [config]), ...layers])
        await destination.putBlob(await source.getBlob(blob, never), never);
    }
    await destination.putManifest(manifest, instance, never);
    await destination.putSignatures(await source.getSignatures(instance, never), instance, never);
  };
  await copyOne(undefined);
  await destination.commit(never);
}

/** All files below a folder, sorted. */
export async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((e) => !e.isDirectory())
    .map((e) => join(e.parentPath, e.name).slice(folder.length + 1))
    .toSorted();
}
