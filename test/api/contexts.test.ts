// Which fields of a context go with which transports, without a server: what a job would be refused for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOrder } from "../../src/api/request.ts";
import { CopyError } from "../../src/errors.ts";
import { CERTIFICATE } from "../support/certificate.ts";

const REFERENCES = { docker: "docker://a.example/app:1", oci: "oci:layout:1", dir: "dir:image" };
type Transport = keyof typeof REFERENCES;

/** The faults of an order with this context on one side; none: it is accepted. */
function faultsOf(
  side: "source" | "destination",
  transport: Transport,
  context: object,
  mustVerify = false,
) {
  const order = {
    source: REFERENCES.docker,
    destination: REFERENCES.docker,
    [side]: REFERENCES[transport],
    [`${side}Context`]: context,
  };
  try {
    parseOrder(order, [], { dataDir: "/data", registries: { mustVerify } });
    return { code: undefined, faults: [] };
  } catch (error) {
    assert.ok(error instanceof CopyError);
    return { code: error.code, faults: error.context.errors ?? [] };
  }
}

const MEANING: readonly (readonly [
  side: "source" | "destination",
  field: string,
  value: unknown,
  transports: readonly Transport[],
])[] = [
  ["source", "auth", { username: "u", password: "p" }, ["docker"]],
  ["source", "caCertificates", CERTIFICATE, ["docker", "oci"]],
  ["source", "sharedBlobDir", "blobs", ["oci"]],
  ["source", "tlsVerify", false, ["docker", "oci", "dir"]],
  ["source", "os", "linux", ["docker", "oci", "dir"]],
  ["destination", "auth", { registryToken: "t" }, ["docker"]],
  ["destination", "caCertificates", CERTIFICATE, ["docker"]],
  ["destination", "sharedBlobDir", "blobs", ["oci"]],
  ["destination", "acceptUncompressedLayers", true, ["oci"]],
  ["destination", "dirForceCompress", true, ["dir"]],
  ["destination", "dirForceDecompress", true, ["dir"]],
  ["destination", "compressionFormat", "zstd", ["docker", "oci", "dir"]],
  ["destination", "compressionLevel", 9, ["docker", "oci", "dir"]],
  ["destination", "acceptUncompressedLayers", false, ["docker", "oci", "dir"]],
];
for (const [side, field, value, transports] of MEANING)
  test(`${side}Context.${field} ${JSON.stringify(value).slice(0, 20)} is for ${transports.join(", ")}`, () => {
    for (const transport of Object.keys(REFERENCES) as Transport[]) {
      const { code, faults } = faultsOf(side, transport, { [field]: value });
      if (transports.includes(transport)) assert.deepEqual(faults, [], transport);
      else {
        assert.equal(code, "invalid_request");
        assert.deepEqual(
          faults.map(({ pointer }) => pointer),
          [`/${side}Context/${field}`],
        );
        assert.match(faults[0]?.detail ?? "", /has no meaning for .* only for .* leave it out/);
      }
    }
  });

const CONTRADICTIONS: readonly (readonly [transport: Transport, context: object, at: string])[] = [
  ["dir", { dirForceCompress: true, dirForceDecompress: true }, "dirForceDecompress"],
  ["oci", { compressionLevel: 10 }, "compressionLevel"],
  ["docker", { compressionFormat: "gzip", compressionLevel: 10 }, "compressionLevel"],
];
for (const [transport, context, at] of CONTRADICTIONS)
  test(`refused: ${JSON.stringify(context)}`, () => {
    const { code, faults } = faultsOf("destination", transport, context);
    assert.deepEqual(
      [code, faults.map(({ pointer }) => pointer)],
      ["invalid_request", [`/destinationContext/${at}`]],
    );
  });

test("a level above 9 is zstd's", () => {
  for (const compressionFormat of ["zstd", "zstd:chunked"])
    assert.deepEqual(
      faultsOf("destination", "oci", { compressionFormat, compressionLevel: 19 }).faults,
      [],
    );
});

test("a shared folder must stay below the data folder", () => {
  for (const side of ["source", "destination"] as const) {
    for (const sharedBlobDir of ["../blobs", "/etc", "a/%2e%2e/b", "a\\b", "."])
      assert.deepEqual(
        [faultsOf(side, "oci", { sharedBlobDir })].map(({ code, faults }) => [
          code,
          faults.map(({ pointer }) => pointer),
        ]),
        [["path_denied", [`/${side}Context/sharedBlobDir`]]],
        sharedBlobDir,
      );
    assert.deepEqual(faultsOf(side, "oci", { sharedBlobDir: "a/b" }).faults, []);
    assert.deepEqual(faultsOf(side, "oci", { sharedBlobDir: "/data/a" }).faults, []);
  }
});

test("empty credentials ask to be nobody; absent ones do not, and nothing of either is secret", () => {
  const of = (sourceContext: object) =>
    parseOrder({ source: REFERENCES.docker, destination: REFERENCES.docker, sourceContext }, [], {
      dataDir: "/",
      registries: { mustVerify: false },
    });
  const { spec, secrets } = of({ auth: {} });
  assert.equal(spec.sourceContext.anonymous, true);
  assert.deepEqual(secrets, {});
  for (const context of [{}, { auth: { username: "u", password: "p" } }])
    assert.equal("anonymous" in of(context).spec.sourceContext, false);
});

test("where the operator requires certificates to be checked, a request cannot have them unchecked", () => {
  for (const side of ["source", "destination"] as const) {
    const { code, faults } = faultsOf(side, "docker", { tlsVerify: false }, true);
    assert.equal(code, "invalid_request");
    assert.deepEqual(
      faults.map(({ pointer }) => pointer),
      [`/${side}Context/tlsVerify`],
    );
    assert.match(faults[0]?.detail ?? "", /TLS_VERIFY.*caCertificates/);
    for (const tlsVerify of [true, undefined])
      assert.equal(
        faultsOf(side, "docker", { ...(tlsVerify && { tlsVerify }) }, true).code,
        undefined,
      );
  }
});
