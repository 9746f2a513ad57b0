// The inputs: at least the corpus of semantics 11.4. Each is made from a seed; another seed gives other bytes everywhere, so that no cache
// of any program knows them from another case.

import type { Platform } from "../../../src/image/platform.ts";
import { digestOf } from "../../../src/image/digest.ts";
import { DOCKER_FOREIGN_LAYER, OCI_LAYER } from "../../../src/image/media-types.ts";
import { seededBytes } from "../../support/images.ts";
import type { Packing } from "../../support/layers.ts";
import {
  AMD64,
  makeArtifact,
  makeSample,
  makeSampleList,
  toManifest,
  withSignatures,
  type Family,
  type ListEntry,
  type Sample,
  type SampleOptions,
} from "../../support/samples.ts";
import { makeSchema1 } from "../../support/schema1.ts";

export interface Making {
  readonly seed: string;
  /** What the image is called at its registry. */
  readonly repository: string;
  readonly tag: string;
  /** Serves bytes, and says where. */
  readonly publish: (bytes: Buffer) => string;
}

/** What decides where an input fits. */
export type Kind = "image" | "list" | "schema1" | "signed" | "signed-list";

export interface Input {
  readonly kind: Kind;
  readonly make: (making: Making) => Sample;
}

const platform = (os: string, architecture: string, variant?: string): Platform => ({
  os,
  architecture,
  ...(variant !== undefined && { variant }),
});

/** An image like `makeSample`'s, of the seed of the case. */
const image = (options: Omit<SampleOptions, "seed"> = {}): Input => ({
  kind: "image",
  make: ({ seed }) => makeSample({ seed, ...options }),
});

const packed = (family: Family, ...packings: readonly Packing[]): Input =>
  image({ family, layers: packings.map((packing) => ({ packing })) });

const list = (
  entries: (making: Making) => readonly ListEntry[],
  family: Family = "oci",
  more: object = {},
): Input => ({
  kind: "list",
  make: (making) => makeSampleList(entries(making), family, more),
});

/** An image a platform. */
const platforms = (
  seed: string,
  family: Family,
  all: readonly Platform[],
  options: Omit<SampleOptions, "seed"> = {},
): readonly ListEntry[] =>
  all.map((of, i) => ({
    sample: makeSample({ seed: `${seed} ${i}`, family, platform: of, ...options }),
    platform: of,
  }));

const ARMS = [
  AMD64,
  platform("linux", "arm", "v5"),
  platform("linux", "arm", "v7"),
  platform("linux", "arm", "v6"),
  platform("linux", "arm64", "v8"),
  platform("linux", "s390x"),
];
const TWO = [AMD64, platform("linux", "arm64", "v8")];

/** A signature that nobody can check, but which begins as OpenPGP's do: it is copied as it is, or not at all. */
const signature = (seed: string): Buffer =>
  Buffer.concat([Buffer.from([0x90]), seededBytes(`signature ${seed}`, 300)]);

const UNKNOWN = platform("unknown", "unknown");
const DOCKER_ONLY = {
  container: "0".repeat(64),
  container_config: { Hostname: "build", Cmd: ["/bin/sh", "-c", "#(nop) <&>"], Image: "sha256:0" },
  docker_version: "20.10.0",
};

export const CORPUS = {
  s2: packed("docker", "gzip", "gzip"),
  "s2 uncompressed": packed("docker", "none", "gzip"),
  "s2 docker-only fields": image({
    family: "docker",
    config: DOCKER_ONLY,
    settings: {
      Hostname: "build",
      Healthcheck: { Test: ["CMD", "true"] },
      OnBuild: ["RUN true"],
      ExposedPorts: { "80/tcp": {} },
      Entrypoint: ["/entry <&>"],
    },
  }),
  "oci gzip": packed("oci", "gzip", "gzip"),
  "oci zstd": packed("oci", "zstd", "zstd"),
  "oci zstd:chunked": packed("oci", "zstd:chunked", "zstd:chunked"),
  "oci uncompressed": packed("oci", "none", "none"),
  "oci mixed": packed("oci", "gzip", "none", "zstd"),
  "oci bzip2": packed("oci", "bzip2"),
  "oci xz": packed("oci", "xz"),
  "oci without its type": image({ manifest: { mediaType: undefined } }),
  "oci annotated": image({
    layers: [{ annotations: { "org.example.layer": "one <&>" } }, { packing: "none" }],
    manifest: { annotations: { "org.example.image": "yes" }, "org.example.unknown": { a: [1] } },
  }),
  "oci uncompressed annotated": image({
    layers: [{ packing: "none", annotations: { "org.example.layer": "one" } }],
  }),
  "oci with subject": image({
    manifest: {
      subject: {
        mediaType: "application/vnd.oci.image.manifest.v1+json",
        digest: digestOf(Buffer.from("nowhere")),
        size: 7,
      },
    },
  }),
  "oci sha512": image({ algorithm: "sha512" }),
  "duplicate layers": {
    kind: "image",
    make: ({ seed }) =>
      makeSample({ seed, layers: [{ seed }, { seed: `${seed} between` }, { seed }] }),
  },
  "no layers": image({ layers: [] }),
  artifact: { kind: "image", make: ({ seed }) => makeArtifact(seed, "application/vnd.example.x") },
  "foreign s2": {
    kind: "image",
    make: ({ seed, publish }) =>
      makeSample({
        seed,
        family: "docker",
        platform: { os: "linux", architecture: "amd64", "os.version": "10.0.17763.1" },
        layers: [{ mediaType: `${DOCKER_FOREIGN_LAYER}.gzip`, publish }, {}],
      }),
  },
  "foreign oci": {
    kind: "image",
    make: ({ seed, publish }) => {
      const mediaType = OCI_LAYER.replace("layer", "layer.nondistributable");
      return makeSample({ seed, layers: [{ mediaType: `${mediaType}+gzip`, publish }, {}] });
    },
  },
  encrypted: {
    kind: "image",
    make: ({ seed }) => {
      const annotations = {
        "org.opencontainers.image.enc.keys.jwe": "e30=",
        "org.opencontainers.image.enc.pubopts": "e30=",
      };
      const bytes = seededBytes(seed, 700);
      const mediaType = `${OCI_LAYER}+gzip+encrypted`;
      return makeSample({ seed, layers: [{ bytes, mediaType, annotations }] });
    },
  },
  "s1 signed": { kind: "schema1", make: (making) => schema1(making, true) },
  "s1 unsigned": { kind: "schema1", make: (making) => schema1(making, false) },
  "signed s2": {
    kind: "signed",
    make: ({ seed }) =>
      withSignatures(makeSample({ seed, family: "docker" }), [signature(seed), signature("two")]),
  },
  "signed oci uncompressed": {
    kind: "signed",
    make: ({ seed }) =>
      withSignatures(makeSample({ seed, layers: [{ packing: "none" }] }), [signature(seed)]),
  },
  "docker list": list(({ seed }) => platforms(seed, "docker", ARMS), "docker"),
  "oci index": list(({ seed }) => platforms(seed, "oci", ARMS)),
  "oci index uncompressed": list(({ seed }) =>
    platforms(seed, "oci", TWO, { layers: [{ packing: "none" }, {}] }),
  ),
  "oci index annotated": list(({ seed }) => platforms(seed, "oci", TWO), "oci", {
    annotations: { "org.example.index": "<&>" },
    "org.example.unknown": 1,
  }),
  "oci index attested": list(({ seed }) => [
    ...platforms(seed, "oci", TWO),
    ...TWO.map((_, i) => attestationOf(seed, i)),
  ]),
  "oci index with artifacts": list(({ seed }) => [
    ...platforms(seed, "oci", TWO),
    {
      sample: makeArtifact(seed, "application/vnd.example.sbom"),
      entry: { artifactType: "application/vnd.example.sbom" },
    },
  ]),
  "oci index zstd and gzip": list(({ seed }) => [
    ...platforms(`${seed} gzip`, "oci", TWO),
    ...platforms(`${seed} zstd`, "oci", TWO, {
      layers: [{ packing: "zstd" }, { packing: "zstd" }],
    }).map((entry) => ({
      ...entry,
      entry: { annotations: { "io.github.containers.compression.zstd": "true" } },
    })),
  ]),
  "oci index of both families": list(({ seed }) => [
    ...platforms(`${seed} docker`, "docker", [AMD64]),
    ...platforms(`${seed} oci`, "oci", [platform("linux", "arm64", "v8")]),
  ]),
  "docker list of both families": list(
    ({ seed }) => [
      ...platforms(`${seed} docker`, "docker", [AMD64]),
      ...platforms(`${seed} oci`, "oci", [platform("linux", "arm64", "v8")]),
    ],
    "docker",
  ),
  "docker list uncompressed": list(
    ({ seed }) => platforms(seed, "docker", TWO, { layers: [{ packing: "none" }] }),
    "docker",
  ),
  "oci index sparse": list(({ seed }) => {
    const [first, second] = platforms(seed, "oci", TWO) as [ListEntry, ListEntry];
    return [first, { ...second, absent: true }];
  }),
  "oci index without platforms": list(({ seed }) =>
    platforms(seed, "oci", TWO).map(({ sample }) => ({ sample })),
  ),
  "oci index of an index": list(({ seed }) => [
    { sample: makeSampleList(platforms(seed, "oci", TWO)) },
  ]),
  "oci index of nothing": list(() => []),
  "windows list": list(
    ({ seed }) =>
      ["10.0.14393.1", "10.0.17763.1"].map((version, i) => {
        const of = { os: "windows", architecture: "amd64", "os.version": version };
        return {
          sample: makeSample({ seed: `${seed} ${i}`, family: "docker", platform: of }),
          platform: { ...of, "os.features": ["win32k"] },
        };
      }),
    "docker",
  ),
  "signed list": {
    kind: "signed-list",
    make: ({ seed }) =>
      withSignatures(makeSampleList(platforms(seed, "oci", TWO)), [signature(seed)]),
  },
  "list of signed images": {
    kind: "signed-list",
    make: ({ seed }) =>
      makeSampleList(
        platforms(seed, "docker", TWO).map((entry, i) => ({
          ...entry,
          sample: i === 0 ? withSignatures(entry.sample, [signature(seed)]) : entry.sample,
        })),
        "docker",
      ),
  },
  "layer missing": damaged((sample) => ({
    ...sample,
    blobs: new Map([...sample.blobs].slice(0, -1)),
  })),
  "layer corrupt": damaged((sample) => ({
    ...sample,
    blobs: new Map(
      [...sample.blobs].map(([digest, bytes], i) => [digest, i === 1 ? flipped(bytes) : bytes]),
    ),
  })),
  "layer of another size": damaged((sample) => ({
    ...sample,
    root: edited(sample.root, (text) => text.replace(/"size":(\d+)\}\]/, '"size":1$1}]')),
  })),
  "manifest with a key twice": damaged((sample) => ({
    ...sample,
    root: edited(sample.root, (text) => text.replace(/\}$/, ',"Layers":[]}')),
  })),
  "manifest of nobody": damaged((sample) => ({
    ...sample,
    root: toManifest("application/vnd.example.manifest+json", { layers: [] }),
  })),
  "manifest ambiguous": damaged((sample) => ({
    ...sample,
    root: toManifest(sample.root.mediaType, {
      ...(JSON.parse(sample.root.bytes.toString()) as object),
      manifests: [],
    }),
  })),
} satisfies Record<string, Input>;

export type InputName = keyof typeof CORPUS;

/** A docker image with something wrong. */
function damaged(damage: (sample: Sample) => Sample): Input {
  return { kind: "image", make: ({ seed }) => damage(makeSample({ seed })) };
}

const edited = (
  { bytes, mediaType }: Sample["root"],
  edit: (text: string) => string,
): Sample["root"] => ({ mediaType, bytes: Buffer.from(edit(bytes.toString())) });

function flipped(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length >> 1] = (copy[copy.length >> 1] as number) ^ 1;
  return copy;
}

const schema1 = ({ seed, repository, tag }: Making, signed: boolean): Sample =>
  makeSchema1({ seed, signed, name: repository, tag });

/** As buildkit attests an image. */
function attestationOf(seed: string, i: number): ListEntry {
  const bytes = Buffer.from(
    JSON.stringify({ _type: "https://in-toto.io/Statement/v0.1", seed, i }),
  );
  const sample = makeSample({
    seed: `${seed} attestation ${i}`,
    platform: UNKNOWN,
    layers: [
      {
        bytes,
        mediaType: "application/vnd.in-toto+json",
        annotations: { "in-toto.io/predicate-type": "https://slsa.dev/provenance/v0.2" },
      },
    ],
  });
  const annotations = {
    "vnd.docker.reference.digest": digestOf(Buffer.from(`${seed} ${i}`)),
    "vnd.docker.reference.type": "attestation-manifest",
  };
  return { sample, platform: UNKNOWN, entry: { annotations } };
}
