import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyError } from "../../../src/errors.ts";
import type { Compression } from "../../../src/image/compression.ts";
import { digestOf } from "../../../src/image/digest.ts";
import {
  canChangeCompression,
  compressionOf,
  decryptedType,
  DOCKER_FAMILIES,
  encryptedType,
  IncompatibleCompression,
  isEncrypted,
  OCI_FAMILIES,
  typeAfter,
  type Operation,
} from "../../../src/image/manifest/layer-types.ts";
import {
  DOCKER_CONFIG,
  DOCKER_FOREIGN_LAYER,
  DOCKER_LAYER,
  OCI_CONFIG,
  OCI_LAYER,
  OCI_MANIFEST,
  OCI_NONDISTRIBUTABLE_LAYER,
  SCHEMA1,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../../../src/image/media-types.ts";

const FAMILIES = { OCI: OCI_FAMILIES, docker: DOCKER_FAMILIES };
const INCOMPATIBLE = Symbol("another manifest type can say it");
const REFUSED = Symbol("no type can say it");
const outcome = (value: string | symbol) => (typeof value === "symbol" ? value.description : value);

// semantics 3.8
const ROWS: [keyof typeof FAMILIES, string, Operation, Compression | undefined, string | symbol][] =
  [];
for (const [format, base, gzip] of [
  ["OCI", OCI_LAYER, "+gzip"],
  ["OCI", OCI_NONDISTRIBUTABLE_LAYER, "+gzip"],
  ["docker", DOCKER_LAYER, ".gzip"],
  ["docker", DOCKER_FOREIGN_LAYER, ".gzip"],
] as const) {
  const zstd = format === "OCI" ? `${base}+zstd` : INCOMPATIBLE;
  for (const from of format === "OCI" ? [base, base + gzip, `${base}+zstd`] : [base, base + gzip])
    ROWS.push(
      [format, from, "preserve", undefined, from],
      [format, from, "preserve", "gzip", base + gzip],
      [format, from, "preserve", "zstd", zstd],
      [format, from, "preserve", "zstd:chunked", zstd],
      [format, from, "preserve", "xz", INCOMPATIBLE],
      [format, from, "decompress", undefined, base],
      [format, from, "decompress", "gzip", base],
      [format, from, "compress", undefined, from],
      [format, from, "compress", "gzip", base + gzip],
      [format, from, "compress", "zstd:chunked", zstd],
      [format, from, "compress", "bzip2", INCOMPATIBLE],
    );
}
for (const [format, type] of [
  ["docker", `${DOCKER_LAYER}.zstd`],
  ["OCI", `${OCI_LAYER}+gzip+encrypted`],
  ["OCI", "text/plain"],
  ["OCI", ""],
] as const)
  ROWS.push(
    [format, type, "preserve", undefined, type],
    [format, type, "compress", "gzip", REFUSED],
    [format, type, "decompress", undefined, REFUSED],
  );

for (const [format, from, operation, compression, expected] of ROWS) {
  test(`in ${format}, ${from || "no type"} after ${operation} ${compression ?? ""}: ${outcome(expected)}`, () => {
    const after = () =>
      typeAfter(FAMILIES[format], from, { operation, ...(compression && { compression }) });
    if (typeof expected === "string") return assert.equal(after(), expected);
    assert.throws(
      after,
      (error) =>
        error instanceof CopyError &&
        error.code === "manifest_rejected" &&
        error instanceof IncompatibleCompression === (expected === INCOMPATIBLE),
    );
  });
}

// semantics 3.9
const blob = (mediaType: string) => ({ mediaType, digest: digestOf(Buffer.from("x")), size: 1 });
for (const [manifest, config, layer, expected] of [
  [OCI_MANIFEST, OCI_CONFIG, OCI_LAYER, true],
  [OCI_MANIFEST, OCI_CONFIG, `${OCI_LAYER}+zstd`, true],
  [OCI_MANIFEST, OCI_CONFIG, `${OCI_NONDISTRIBUTABLE_LAYER}+gzip`, true],
  [OCI_MANIFEST, OCI_CONFIG, `${OCI_LAYER}+gzip+encrypted`, false],
  [OCI_MANIFEST, OCI_CONFIG, `${DOCKER_LAYER}.gzip`, false],
  [OCI_MANIFEST, OCI_CONFIG, "application/octet-stream", false],
  [OCI_MANIFEST, "application/vnd.oci.empty.v1+json", OCI_LAYER, false],
  [OCI_MANIFEST, DOCKER_CONFIG, OCI_LAYER, false],
  [SCHEMA2, DOCKER_CONFIG, DOCKER_LAYER, true],
  [SCHEMA2, DOCKER_CONFIG, `${DOCKER_FOREIGN_LAYER}.gzip`, true],
  [SCHEMA2, DOCKER_CONFIG, `${DOCKER_LAYER}.zstd`, false],
  [SCHEMA2, "application/vnd.docker.plugin.v1+json", `${DOCKER_LAYER}.gzip`, true],
  [SCHEMA1, undefined, "", true],
  [SCHEMA1_SIGNED, undefined, "", true],
] as const) {
  test(`${layer || "a layer"} with ${config ?? "no config"} in ${manifest} ${expected ? "may" : "may not"} be compressed otherwise`, () => {
    const image = { mediaType: manifest, config: config && blob(config), layers: [] };
    assert.equal(canChangeCompression(image, layer), expected);
  });
}

// semantics 4.1
const chunked = {
  "io.github.containers.zstd-chunked.manifest-checksum": digestOf(Buffer.from("")),
};
const stargz = { "containerd.io/snapshot/stargz/toc.digest": digestOf(Buffer.from("")) };
for (const [type, annotations, expected] of [
  [`${DOCKER_LAYER}.gzip`, {}, "preserve gzip"],
  [`${OCI_LAYER}+gzip`, stargz, "preserve gzip"],
  [`${OCI_LAYER}+zstd`, {}, "preserve zstd"],
  [`${OCI_LAYER}+zstd`, chunked, "preserve zstd:chunked"],
  [`${OCI_LAYER}+zstd`, stargz, "preserve zstd:chunked"],
  [DOCKER_LAYER, {}, "decompress"],
  [OCI_LAYER, {}, "decompress"],
  [DOCKER_FOREIGN_LAYER, {}, "preserve"],
  [`${OCI_NONDISTRIBUTABLE_LAYER}+gzip`, {}, "preserve"],
  [`${OCI_LAYER}+gzip+encrypted`, {}, "preserve"],
  [`${DOCKER_LAYER}.zstd`, {}, "preserve"],
  ["text/plain", {}, "preserve"],
  ["", {}, "preserve"],
] as const) {
  test(`${type || "no type"} with ${Object.keys(annotations)[0] ?? "no annotation"} says: ${expected}`, () => {
    const { operation, compression } = compressionOf(type, annotations);
    assert.equal([operation, compression].filter(Boolean).join(" "), expected);
  });
}

test("a layer with two tables of contents is refused", () => {
  assert.throws(
    () => compressionOf(`${OCI_LAYER}+zstd`, { ...chunked, ...stargz }),
    (error) => error instanceof CopyError && error.code === "manifest_invalid",
  );
});

for (const type of [
  OCI_LAYER,
  `${OCI_LAYER}+zstd`,
  `${OCI_NONDISTRIBUTABLE_LAYER}+gzip`,
  `${DOCKER_LAYER}.gzip`,
]) {
  test(`${type} has an encrypted counterpart`, () => {
    assert.equal(isEncrypted(type), false);
    assert.equal(isEncrypted(encryptedType(type)), true);
    assert.equal(decryptedType(encryptedType(type)), type);
  });
}
for (const type of [
  DOCKER_LAYER,
  DOCKER_FOREIGN_LAYER,
  "text/plain",
  "",
  `${OCI_LAYER}+gzip+encrypted`,
]) {
  test(`${type || "no type"} has no encrypted counterpart`, () =>
    assert.throws(() => encryptedType(type), CopyError));
}
test("what is not encrypted cannot be decrypted", () =>
  assert.throws(() => decryptedType(`${OCI_LAYER}+gzip`), CopyError));
