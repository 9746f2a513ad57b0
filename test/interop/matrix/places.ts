// Where a case's source is, and where its copies go: how each side names it, and how what was made is read.

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf, type Digest } from "../../../src/image/digest.ts";
import { OCI_INDEX } from "../../../src/image/media-types.ts";
import {
  digestOfManifest,
  dirFiles,
  layoutFiles,
  packFiles,
  putSample,
  savedBefore25,
  writeFiles,
  type Files,
} from "../../support/places.ts";
import {
  readDir,
  readLayout,
  readReferrers,
  readRegistry,
  readTree,
  treeOfTar,
  type Document,
  type Tree,
} from "../../support/readings.ts";
import { makeSample, toManifest, type Sample } from "../../support/samples.ts";
import { CORPUS, type InputName } from "./corpus.ts";
import { engineHost, loadImage, readImage } from "./engine.ts";
import {
  ARCHIVES,
  ENGINE_IMAGES,
  TARBALLS,
  type Archive,
  type ArchiveName,
  type TarballName,
} from "./files.ts";
import type { Case, DestinationName, Made, Option, Wish } from "./model.ts";
import { referrerOf } from "./own.ts";
import type { Side, World } from "./world.ts";

/** A case that is under way: its folder, below the world's, is also its repository. */
export interface Running {
  readonly wanted: Case;
  readonly id: string;
}

const TAG = "1";
const NAME = "copy";

export interface SourcePlace {
  /** Absent where it is files and no manifest. */
  readonly sample?: Sample;
  reference(side: Side): string;
}

/** Makes the input and puts it where the case has its source. */
export async function placeSource(world: World, { wanted, id }: Running): Promise<SourcePlace> {
  const folder = join(world.folder, id, "source");
  await mkdir(folder, { recursive: true });
  if (wanted.source === "docker-archive") {
    const { bytes, entry }: Archive = ARCHIVES[wanted.input as ArchiveName](wanted.name);
    await writeFile(join(folder, "saved.tar"), bytes);
    const suffix = entry === undefined ? "" : `:${entry}`;
    return {
      reference: (side) => `docker-archive:${side.path(`${id}/source/saved.tar`)}${suffix}`,
    };
  }
  if (wanted.source === "tarball") {
    const tars = TARBALLS[wanted.input as TarballName](wanted.name);
    for (const [i, bytes] of tars.entries()) await writeFile(join(folder, `${i}.tar`), bytes);
    return {
      reference: (side) =>
        `tarball:${tars.map((_, i) => side.path(`${id}/source/${i}.tar`)).join(":")}`,
    };
  }
  if (wanted.source === "docker-daemon") {
    const image = ENGINE_IMAGES[wanted.input as keyof typeof ENGINE_IMAGES];
    await loadImage(`${id}:1`, image(wanted.name));
    return { reference: () => `docker-daemon:${id}:1` };
  }
  const publish = world.publish.bind(world);
  const making = { seed: wanted.name, repository: id, tag: TAG, publish };
  const sample = CORPUS[wanted.input as InputName].make(making);
  return { sample, reference: await place(world, { wanted, id }, sample, folder) };
}

async function place(
  world: World,
  { wanted, id }: Running,
  sample: Sample,
  folder: string,
): Promise<(side: Side) => string> {
  const twist = wanted.option.twist;
  const suffix =
    twist === "source without a name" ? "" : twist === "source by place" ? ":@0" : `:${NAME}`;
  switch (wanted.source) {
    case "docker": {
      putSample(world.origin, id, TAG, sample);
      if (twist === "has referrers") {
        const referrer = referrerOf(sample);
        putSample(world.origin, id, digestOf(referrer.root.bytes), referrer);
      }
      const ref = twist === "source by digest" ? `@${digestOfManifest(sample.root)}` : `:${TAG}`;
      return () => `docker://${world.origin.host}/${id}${ref}`;
    }
    case "oci": {
      const blobs = twist === "shared blobs at the source" ? "../shared" : "blobs";
      await writeFiles(folder, layoutFiles(sample, NAME, blobs));
      if (twist === "has referrers")
        await writeFiles(folder, addToLayout(layoutFiles(sample, NAME), referrerOf(sample)));
      return (side) => `oci:${side.path(`${id}/source`)}${suffix}`;
    }
    case "oci-archive":
      await writeFile(join(folder, "layout.tar"), packFiles(layoutFiles(sample, NAME)));
      return (side) => `oci-archive:${side.path(`${id}/source/layout.tar`)}${suffix}`;
    default:
      await writeFiles(folder, dirFiles(sample));
      return (side) => `dir:${side.path(`${id}/source`)}`;
  }
}

/** The layout with one more entry, which has no name. */
function addToLayout(layout: Files, sample: Sample): Files {
  const entriesIn = (files: Files) =>
    (JSON.parse((files.get("index.json") as Buffer).toString()) as { manifests: object[] })
      .manifests;
  const added = layoutFiles(sample);
  const manifests = [...entriesIn(layout), ...entriesIn(added)];
  return new Map([...added, ...layout, ["index.json", toManifest(OCI_INDEX, { manifests }).bytes]]);
}

/** What the destination names as referring to a sample. */
export async function referrersAt(
  side: Side,
  { wanted, id }: Running,
  { root }: Sample,
  { tree }: Made,
): Promise<readonly Digest[]> {
  if (wanted.option.twist !== "has referrers") return [];
  if (wanted.destination === "docker")
    return readReferrers(side.registry.host, id, digestOf(root.bytes));
  const index = tree?.get("index.json")?.bytes.toString() ?? "{}";
  return ((JSON.parse(index) as Document).manifests ?? []).map(({ digest }) => digest);
}

export interface DestinationPlace {
  readonly reference: string;
  /** What is there now. */
  read(): Promise<Made>;
}

/** Where one side's copy goes; with what the case wants to be there before. */
export async function placeDestination(
  world: World,
  { wanted, id }: Running,
  side: Side,
  source: Sample | undefined,
): Promise<DestinationPlace> {
  const { twist } = wanted.option;
  const name = twist === "destination without a name" ? undefined : NAME;
  const relative = `${id}/${side.name}`;
  const path = join(world.folder, relative);
  const place = PLACES[wanted.destination]({ id, side, twist, source, name, path, relative });
  const before =
    twist === "again"
      ? source
      : twist === "replaces" || twist === "beside"
        ? makeSample({ seed: `before ${id}` })
        : undefined;
  if (before !== undefined) await place.put(before, twist === "beside" ? "other" : name);
  return place;
}

interface At {
  readonly id: string;
  readonly side: Side;
  readonly twist: Option["twist"];
  readonly source: Sample | undefined;
  /** What the image is to be called. */
  readonly name: string | undefined;
  /** The folder or, without its ending, the file. */
  readonly path: string;
  /** The same, below the folder of all cases. */
  readonly relative: string;
}

type Place = DestinationPlace & {
  /** Has an image be there already, under this name. */
  put(sample: Sample, name: string | undefined): Promise<void>;
};

const PLACES: Readonly<Record<DestinationName, (at: At) => Place>> = {
  docker: (at) => registryPlace(at, at.side.registry.host),
  distribution: (at) => registryPlace(at, at.side.distribution?.host ?? none()),
  oci: ({ side, twist, name, path, relative }) => ({
    reference: `oci:${side.path(relative)}${suffixOf(name)}`,
    put: (sample, as) => writeFiles(path, layoutFiles(sample, as)),
    read: () =>
      readOci(
        path,
        name,
        twist === "shared blobs at the destination" ? `${path}-shared` : undefined,
      ),
  }),
  "oci-archive": ({ side, name, path, relative }) => ({
    reference: `oci-archive:${side.path(relative)}.tar${suffixOf(name)}`,
    put: (sample, as) => writeFile(`${path}.tar`, packFiles(layoutFiles(sample, as))),
    read: async () => {
      const tree = await archiveAt(`${path}.tar`);
      return tree === undefined ? {} : { tree, ...optional(await readLayout(tree, name)) };
    },
  }),
  dir: ({ side, path, relative }) => ({
    reference: `dir:${side.path(relative)}`,
    put: (sample) => writeFiles(path, dirFiles(sample)),
    read: async () => {
      const tree = await readTree(path);
      return tree === undefined ? {} : { tree, ...optional(await readDir(tree)) };
    },
  }),
  "docker-archive": ({ side, name, path, relative }) => ({
    reference: `docker-archive:${side.path(relative)}.tar${suffixOf(name && dockerName(name))}`,
    put: (sample, as) =>
      writeFile(
        `${path}.tar`,
        savedBefore25([{ sample, names: as === undefined ? [] : [dockerName(as)] }]),
      ),
    read: async () => {
      const tree = await archiveAt(`${path}.tar`);
      return tree === undefined ? {} : { tree };
    },
  }),
  "docker-daemon": ({ id, side }) => {
    const name = `${id}-${side.name}:1`;
    return {
      reference: `docker-daemon:${name}`,
      put: (sample) => loadImage(name, sample),
      read: () => readImage(name),
    };
  },
};

function registryPlace({ id, side, twist, source }: At, host: string): Place {
  const byDigest = twist === "destination by digest" && source !== undefined;
  const ref = byDigest ? digestOfManifest(source.root) : TAG;
  return {
    reference: `docker://${host}/${id}${byDigest ? "@" : ":"}${ref}`,
    put: async (sample) => putSample(side.registry, id, TAG, sample),
    read: async () => optional(await readRegistry(host, id, ref)),
  };
}

const suffixOf = (name: string | undefined): string => (name === undefined ? "" : `:${name}`);
const dockerName = (name: string): string => `example.com/team/${name}:1`;

const none = (): never => {
  throw new Error("Debian's registry is not installed");
};

const optional = (sample: Sample | undefined): Made => (sample === undefined ? {} : { sample });

async function readOci(
  path: string,
  name: string | undefined,
  sharedPath: string | undefined,
): Promise<Made> {
  const tree = await readTree(path);
  if (tree === undefined) return {};
  const shared = sharedPath === undefined ? undefined : await readTree(sharedPath);
  const sample = await readLayout(tree, name, shared);
  const files = [...(shared ?? [])].map(([file, content]) => [`shared/${file}`, content] as const);
  return { tree: new Map([...tree, ...files]), ...optional(sample) };
}

async function archiveAt(path: string): Promise<Tree | undefined> {
  const tar = await readFile(path).catch(() => undefined);
  return tar && treeOfTar(tar);
}

/** What is wanted of a side's copy: the option, and where blobs are that layouts share, which is below the case's folder. */
export function wishOf({ wanted, id }: Running, side: Side, source: Sample | undefined): Wish {
  const { global = [], twist, requestFor } = wanted.option;
  const flags = [
    ...(wanted.option.flags ?? []),
    ...(wanted.source === "docker-daemon" ? [`--src-daemon-host=${engineHost()}`] : []),
    ...(wanted.destination === "docker-daemon" ? [`--dest-daemon-host=${engineHost()}`] : []),
  ];
  const request =
    requestFor !== undefined && source !== undefined
      ? requestFor(source)
      : (wanted.option.request ?? {});
  if (twist === "shared blobs at the source") {
    const sharedBlobDir = side.path(`${id}/shared`);
    return {
      global,
      flags: [...flags, `--src-shared-blob-dir=${sharedBlobDir}`],
      request: { ...request, sourceContext: { ...request.sourceContext, sharedBlobDir } },
    };
  }
  if (twist === "shared blobs at the destination") {
    const sharedBlobDir = side.path(`${id}/${side.name}-shared`);
    return {
      global,
      flags: [...flags, `--dest-shared-blob-dir=${sharedBlobDir}`],
      request: { ...request, destinationContext: { ...request.destinationContext, sharedBlobDir } },
    };
  }
  return { request, flags, global };
}

/** A name for the case that is a path and a repository. */
export const idOf = (wanted: Case): string =>
  `case-${digestOf(Buffer.from(wanted.name)).slice("sha256:".length, "sha256:".length + 16)}`;
