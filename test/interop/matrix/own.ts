// Options that skopeo has no flag for. What they promise is checked here, by what is at the destination afterwards.

import { isDeepStrictEqual } from "node:util";
import { digestOf } from "../../../src/image/digest.ts";
import { unpack } from "../../support/layers.ts";
import { blobsNamedBy, documentOf, type Named } from "../../support/readings.ts";
import { makeArtifact, type Sample } from "../../support/samples.ts";
import type { Check, Facts, Made, Option, Request } from "./model.ts";

const LISTS = ["docker", "oci", "oci-archive", "dir"] as const;
const ZSTD = "io.github.containers.compression.zstd";
const TIMESTAMP = "2001-02-03T04:05:06Z";

const rootOf = ({ sample }: Made): string | undefined => sample?.root.bytes.toString();
const entriesOf = (sample: Sample | undefined): readonly Entry[] =>
  sample === undefined ? [] : ((documentOf(sample.root).manifests ?? []) as readonly Entry[]);

interface Entry extends Named {
  readonly platform?: { readonly os: string; readonly architecture: string };
}

const isArm64 = ({ platform }: Entry): boolean => platform?.architecture === "arm64";

/** The check of a copy that is expected to succeed. */
const succeeds =
  (
    check: (facts: Facts & { readonly made: { readonly sample: Sample } }) => string | undefined,
  ): Check =>
  (facts) => {
    if (facts.answer.kind !== "done")
      return `refused: ${facts.answer.kind === "refused" ? facts.answer.code : ""} ${facts.answer.text}`;
    if (facts.made.sample === undefined) return "nothing is there";
    return check(facts as Facts & { made: { sample: Sample } });
  };

const refuses =
  (code: string): Check =>
  ({ answer, before, made }) => {
    if (answer.kind !== "refused") return "copied";
    if (answer.code !== code) return `refused as ${answer.code}: ${answer.text}`;
    return rootOf(before) === rootOf(made) ? undefined : "refused, and something was written";
  };

/** Only the images for arm64 are there, of those that `entries` name. */
function onlyArm64(made: Sample, entries: readonly Entry[]): string | undefined {
  const wrong = entries.filter((entry) => made.manifests.has(entry.digest) !== isArm64(entry));
  return wrong.length === 0
    ? undefined
    : `there, or not, against what was asked for: ${wrong.map(({ digest }) => digest).join(", ")}`;
}

const specific = (more: Request["options"] = {}): Request => ({
  options: { imageListSelection: "specific", ...more },
});

const sparse: Check = succeeds(({ source, made }) =>
  rootOf(made) === source.root.bytes.toString()
    ? onlyArm64(made.sample, entriesOf(source))
    : "the list has other bytes",
);

const stripped: Check = succeeds(({ source, made }) => {
  const wanted = entriesOf(source).filter(isArm64);
  const found = entriesOf(made.sample);
  if (!isDeepStrictEqual(wanted, found))
    return `the list names ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`;
  return onlyArm64(made.sample, entriesOf(source));
});

const arm64Of = (sample: Sample): Request =>
  specific({
    instances: entriesOf(sample)
      .filter(isArm64)
      .map(({ digest }) => digest),
  });

/** Each platform of the list has an image in zstd besides the one it had, and they hold the same. */
const hasVariants = (chunked: boolean): Check =>
  succeeds(({ source, made: { sample } }) => {
    const entries = entriesOf(sample);
    const old = entriesOf(source);
    const isZstd = (entry: Entry) => entry.annotations?.[ZSTD] === "true";
    if (old.some(isZstd) && !chunked)
      return rootOf({ sample }) === source.root.bytes.toString()
        ? undefined
        : "nothing was missing, and the list has changed";
    const firstZstd = entries.findIndex(isZstd);
    if (entries.slice(firstZstd).some((entry) => !isZstd(entry))) return "zstd does not come last";
    for (const gzip of old.filter((entry) => !isZstd(entry))) {
      if (!entries.some(({ digest }) => digest === gzip.digest)) return `${gzip.digest} is gone`;
      const twins = entries.filter(
        (entry) => isZstd(entry) && isDeepStrictEqual(entry.platform, gzip.platform),
      );
      if (!twins.some((twin) => isTwin(sample, gzip, twin, chunked)))
        return `no zstd image is the same as ${gzip.digest}`;
    }
    return undefined;
  });

function isTwin(sample: Sample, gzip: Entry, twin: Entry, chunked: boolean): boolean {
  const [a, b] = [gzip, twin].map(({ digest }) => {
    const manifest = sample.manifests.get(digest);
    return manifest === undefined ? undefined : documentOf(manifest);
  });
  if (a === undefined || b === undefined) return false;
  const plain = (layer: Named) => {
    const bytes = sample.blobs.get(layer.digest) as Buffer;
    return digestOf(unpack(bytes)?.bytes ?? bytes);
  };
  const isChunked = (layer: Named) =>
    Object.keys(layer.annotations ?? {}).some((key) => key.includes("zstd-chunked"));
  const layers = b.layers ?? [];
  return (
    a.config?.digest === b.config?.digest &&
    layers.every((layer) => layer.mediaType.endsWith("+zstd") && isChunked(layer) === chunked) &&
    JSON.stringify((a.layers ?? []).map(plain)) === JSON.stringify(layers.map(plain))
  );
}

const variants = (algorithm: string, level?: number): Option => ({
  group: "variants",
  request: {
    options: {
      imageListSelection: "all",
      ensureCompressionVariantsExist: [{ algorithm, ...(level !== undefined && { level }) }],
    },
  },
  inputs: ["oci index", "oci index zstd and gzip"],
  from: LISTS,
  to: ["docker", "oci", "oci-archive"],
  check: hasVariants(algorithm === "zstd:chunked"),
});

export const OWN = {
  "foreign layers downloaded": {
    group: "foreign layers",
    request: { options: { downloadForeignLayers: true } },
    inputs: ["foreign s2", "foreign oci"],
    // A `dir:` has all its layers.
    from: ["docker", "oci", "oci-archive"],
    to: ["docker", "oci", "oci-archive", "dir"],
    check: succeeds(({ made: { sample } }) => {
      const absent = blobsNamedBy(documentOf(sample.root)).filter((d) => !sample.blobs.has(d));
      return absent.length === 0 ? undefined : `${absent.join(", ")} was not downloaded`;
    }),
  },
  "some platforms": {
    group: "platforms",
    request: specific({ platforms: ["linux/arm64"] }),
    inputs: ["oci index", "oci index annotated"],
    from: LISTS,
    to: ["oci", "oci-archive", "dir"],
    check: sparse,
  },
  "some digests": {
    group: "platforms",
    requestFor: arm64Of,
    inputs: ["oci index", "oci index attested"],
    from: LISTS,
    to: ["oci", "oci-archive", "dir"],
    check: sparse,
  },
  "some platforms, stripped": {
    group: "strip",
    request: specific({ platforms: ["linux/arm64"], sparseManifestListAction: "strip" }),
    inputs: ["oci index", "docker list", "oci index sparse"],
    from: LISTS,
    to: ["docker", "dir"],
    check: (facts) =>
      // The image for arm64 is the one that is missing there.
      facts.source.manifests.size < entriesOf(facts.source).length
        ? refuses("source_not_found")(facts)
        : stripped(facts),
  },
  "platforms that nobody has": {
    group: "platforms",
    request: specific({ platforms: ["plan9/mips"] }),
    inputs: ["oci index", "docker list"],
    from: LISTS,
    to: ["docker", "dir"],
    check: refuses("platform_not_found"),
  },
  "gzip preferred": {
    group: "gzip preferred",
    request: { options: { preferGzipInstances: true } },
    inputs: ["oci index zstd and gzip"],
    from: LISTS,
    to: ["docker", "oci", "oci-archive", "dir"],
    check: succeeds(({ source, made }) => {
      const [gzip] = entriesOf(source);
      return gzip !== undefined && digestOf(made.sample.root.bytes) === gzip.digest
        ? undefined
        : "another image was chosen";
    }),
  },
  "list signatures removed": {
    group: "list signatures",
    request: { options: { imageListSelection: "all", removeListSignatures: true } },
    inputs: ["signed list"],
    from: ["dir"],
    to: ["docker", "oci", "oci-archive", "dir"],
    check: succeeds(({ source, made }) => {
      if (rootOf(made) !== source.root.bytes.toString()) return "the list has other bytes";
      return made.sample.signatures.has("") ? "the list is still signed" : undefined;
    }),
  },
  "zstd besides": variants("zstd"),
  "zstd 19 besides": variants("zstd", 19),
  "zstd:chunked besides": variants("zstd:chunked"),
  "forced into no format": {
    group: "compression",
    request: { options: { forceCompressionFormat: true } },
    inputs: ["oci gzip"],
    from: LISTS,
    to: ["docker", "oci"],
    check: refuses("invalid_request"),
  },
  timestamp: {
    group: "timestamp",
    request: { options: { destinationTimestamp: TIMESTAMP } },
    inputs: ["oci gzip", "oci index"],
    from: LISTS,
    to: ["oci-archive"],
    check: succeeds(({ made: { tree } }) => {
      const other = [...(tree ?? [])].find(
        ([, { mtime }]) => mtime !== Date.parse(TIMESTAMP) / 1000,
      );
      return other === undefined ? undefined : `${other[0]} is of ${other[1].mtime}`;
    }),
  },
  "a tag that exists fails": {
    group: "tag exists",
    request: { options: { ifTagExists: "fail" } },
    twist: "replaces",
    inputs: ["oci gzip"],
    from: LISTS,
    to: ["docker", "oci"],
    check: refuses("tag_exists"),
  },
  "a tag that exists is left": {
    group: "tag exists",
    request: { options: { ifTagExists: "skip" } },
    twist: "replaces",
    inputs: ["oci gzip"],
    from: LISTS,
    to: ["docker", "oci"],
    check: succeeds(({ before, made }) =>
      rootOf(before) === rootOf(made) ? undefined : "the tag was moved",
    ),
  },
  "nothing for what is there": {
    group: "optimize",
    request: { options: { optimizeDestinationImageAlreadyExists: true } },
    twist: "again",
    inputs: ["oci gzip", "s2"],
    from: LISTS,
    to: ["docker"],
    check: succeeds(({ before, made, writes }) => {
      if (rootOf(before) !== rootOf(made)) return "the image has changed";
      return writes === 0 ? undefined : `${writes} requests wrote something`;
    }),
  },
  "with referrers": {
    group: "referrers",
    request: { options: { referrers: true } },
    twist: "has referrers",
    inputs: ["oci gzip", "s2"],
    from: ["docker", "oci"],
    to: ["docker", "oci"],
    check: succeeds(({ source, made, referrers }) => {
      if (rootOf(made) !== source.root.bytes.toString()) return "the image has other bytes";
      const wanted = digestOf(referrerOf(source).root.bytes);
      return referrers.includes(wanted) ? undefined : `${wanted} is not named as a referrer`;
    }),
  },
} satisfies Record<string, Option>;

/** Something that refers to a sample, such as an SBOM. */
export function referrerOf({ root }: Sample): Sample {
  const digest = digestOf(root.bytes);
  return makeArtifact(`referrer of ${digest}`, "application/vnd.example.sbom", {
    subject: { mediaType: root.mediaType, digest, size: root.bytes.length },
  });
}
