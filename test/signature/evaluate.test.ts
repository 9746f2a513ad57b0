// Semantics 11.3, table E, and how requirements are put together (6.6).

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { PrivateKey } from "openpgp";
import { digestOf } from "../../src/image/digest.ts";
import { OCI_MANIFEST } from "../../src/image/media-types.ts";
import { parseDockerReference } from "../../src/image/reference/docker.ts";
import { policyFor } from "../../src/signature/evaluate.ts";
import { parsePolicy } from "../../src/signature/policy.ts";
import type { PolicySubject } from "../../src/signature/scopes.ts";
import { never } from "../support/bytes.ts";
import { failure } from "../support/folders.ts";
import { makeKey, publicBytes, signMessage } from "../support/openpgp.ts";

const [key, other, withSubkey] = await Promise.all([
  makeKey(),
  makeKey(),
  makeKey({ subkeys: [{ sign: true }] }),
]);
const manifest = { bytes: Buffer.from('{"schemaVersion":2}'), mediaType: OCI_MANIFEST };
const LATEST = "testing/manifest:latest";
const NOT_LATEST = "testing/manifest:notlatest";

const payload = (reference: string, digest: string) =>
  JSON.stringify({
    critical: {
      identity: { "docker-reference": reference },
      image: { "docker-manifest-digest": digest },
      type: "atomic container signature",
    },
    optional: {},
  });
const signed = (by = key, reference = LATEST, digest: string = digestOf(manifest.bytes)) =>
  signMessage(payload(reference, digest), by);
const signedBy = (...keys: readonly PrivateKey[]) => ({
  type: "signedBy",
  keyType: "GPGKeys",
  keyData: publicBytes(...keys).toString("base64"),
  signedIdentity: { type: "matchExact" },
});
const subjectOf = (name: string): PolicySubject => ({
  transport: "docker",
  reference: `docker://${name}`,
  name: parseDockerReference(name, name),
});
const sigstore = (mimeType: string): Buffer =>
  Buffer.from(`\0sigstore-json\n${JSON.stringify({ mimeType, payload: "" })}`);

interface Row {
  readonly what: string;
  readonly signatures?: readonly (Buffer | Promise<Buffer>)[];
  readonly reference?: string;
  readonly requirements?: readonly unknown[];
  /** Undefined: the image is allowed. */
  readonly why?: RegExp;
}

const BAD = signed(other);
const TABLE_E: readonly Row[] = [
  { what: "a valid signature", signatures: [signed()] },
  {
    what: "a signature for another name",
    signatures: [signed()],
    reference: NOT_LATEST,
    why: /Signature for identity "testing\/manifest:latest" is not accepted/,
  },
  { what: "two valid signatures", signatures: [signed(), signed()] },
  {
    what: "two signatures for another name",
    signatures: [signed(), signed()],
    reference: NOT_LATEST,
    why: /None of the signatures were accepted, reasons: Signature for identity .*; Signature for identity /,
  },
  { what: "a bad and a good signature", signatures: [BAD, signed()] },
  { what: "no signature", why: /A signature was required, but no signature exists$/ },
  {
    what: "a signature for another manifest",
    signatures: [signed(key, LATEST, `sha256:${"0".repeat(64)}`)],
    why: /Signature for digest sha256:0+ does not match/,
  },
  {
    what: "a signature by a subkey",
    signatures: [signed(withSubkey)],
    requirements: [signedBy(withSubkey)],
  },
  {
    what: "a policy without a key",
    signatures: [signed()],
    requirements: [{ ...signedBy(), keyData: "" }],
    why: /No public keys imported/,
  },
  {
    what: "a signature by one of two keys",
    signatures: [signed()],
    requirements: [signedBy(other, key)],
  },
];

const MORE: readonly Row[] = [
  {
    what: "a bad signature",
    signatures: [BAD],
    why: /Invalid GPG signature: signature by key [0-9A-F]{16} is not accepted/,
  },
  {
    what: "a sha512 digest of the same manifest",
    signatures: [signed(key, LATEST, digestOf(manifest.bytes, "sha512"))],
  },
  {
    what: "a signed payload that is none",
    signatures: [signMessage("{}", key)],
    why: /\/critical is missing/,
  },
  {
    what: "a signature for a reference that is none",
    signatures: [signed(key, "UPPERCASEISINVALID")],
    why: /"UPPERCASEISINVALID" is not accepted/,
  },
  {
    what: "a blob that is no signature beside a good one",
    signatures: [signed(), Buffer.from("text")],
    why: /unrecognized signature format/,
  },
  {
    what: "a sigstore signature where a simple one is asked for",
    signatures: [sigstore("a/b")],
    why: /no signature exists$/,
  },
  {
    what: "a type of key that nobody implements",
    signatures: [signed()],
    requirements: [{ ...signedBy(key), keyType: "X509Certificates" }],
    why: /Unimplemented "keyType" value "X509Certificates"/,
  },
  {
    what: "the requirement to accept anything",
    requirements: [{ type: "insecureAcceptAnything" }],
    signatures: [Buffer.from("text")],
  },
  {
    what: "the requirement to reject",
    requirements: [{ type: "reject" }],
    why: /Running image docker:\/\/testing\/manifest:latest is rejected by policy\./,
  },
  {
    what: "a signed base layer",
    requirements: [{ type: "signedBaseLayer", baseLayerIdentity: { type: "matchExact" } }],
    why: /signedBaseLayer not implemented yet!/,
  },
  {
    what: "two requirements that hold",
    signatures: [signed(), BAD],
    requirements: [signedBy(key), signedBy(other)],
  },
  {
    what: "two requirements of which the second does not hold",
    signatures: [signed()],
    requirements: [signedBy(key), signedBy(other)],
    why: /is not accepted/,
  },
  {
    what: "sigstore where only other kinds are there",
    signatures: [signed(), sigstore("application/vnd.dsse.envelope.v1+json")],
    requirements: [{ type: "sigstoreSigned", keyData: "" }],
    why: /no signature exists \(1 non-sigstore signatures, 1 sigstore non-signature attachments\)/,
  },
];

async function check(
  row: Row,
  requirements: readonly unknown[] = row.requirements ?? [signedBy(key)],
): Promise<void> {
  const signatures = await Promise.all(
    (row.signatures ?? []).map(async (s) => ({ bytes: await s })),
  );
  const policy = policyFor(
    [parsePolicy({ default: requirements }, "files")],
    subjectOf(row.reference ?? LATEST),
  );
  await policy.check({ manifest, signatures: async () => signatures }, never);
}

for (const row of [...TABLE_E, ...MORE])
  test(`${row.what} is ${row.why === undefined ? "enough" : "refused"}`, async () => {
    if (row.why === undefined) await check(row);
    else await assert.rejects(check(row), failure("policy_rejected", row.why));
  });

test("keys are read from files at each check, and one that is not there rejects", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "transship-test-"));
  t.after(() => rm(folder, { recursive: true }));
  const { keyData: _, ...rest } = signedBy();
  const requirement = { ...rest, keyPaths: [join(folder, "2.gpg"), join(folder, "1.gpg")] };
  const row = { what: "", signatures: [signed()] };
  await writeFile(join(folder, "2.gpg"), publicBytes(other));
  await writeFile(join(folder, "1.gpg"), publicBytes(key));
  await check(row, [requirement]);
  await rm(join(folder, "2.gpg"));
  await assert.rejects(check(row, [requirement]), (error) => {
    assert.ok(failure("policy_rejected", /cannot be read/)(error));
    assert.ok(error instanceof Error && !error.message.includes(folder));
    return true;
  });
});

test("each of several policies must hold", async () => {
  const accept = parsePolicy({ default: [{ type: "insecureAcceptAnything" }] }, "files");
  const reject = parsePolicy({ default: [{ type: "reject" }] }, "files");
  const image = { manifest, signatures: async () => [] };
  await policyFor([], subjectOf(LATEST)).check(image, never);
  await policyFor([accept, accept], subjectOf(LATEST)).check(image, never);
  for (const documents of [
    [accept, reject],
    [reject, accept],
  ])
    await assert.rejects(
      policyFor(documents, subjectOf(LATEST)).check(image, never),
      failure("policy_rejected", /rejected by policy/),
    );
});

test("what reading the signatures throws is not a verdict", async () => {
  const broken = new Error("the registry is away");
  const policy = policyFor([parsePolicy({ default: [signedBy(key)] }, "files")], subjectOf(LATEST));
  await assert.rejects(
    policy.check({ manifest, signatures: () => Promise.reject(broken) }, never),
    (error) => error === broken,
  );
});

test("a job that is canceled gets no verdict", async () => {
  const policy = policyFor([parsePolicy({ default: [signedBy(key)] }, "files")], subjectOf(LATEST));
  const bytes = await signed();
  const stopped = new Error("canceled");
  await assert.rejects(
    policy.check({ manifest, signatures: async () => [{ bytes }] }, AbortSignal.abort(stopped)),
    (error) => error === stopped,
  );
});
