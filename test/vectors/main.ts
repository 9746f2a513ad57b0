// npm run vectors -- <checkout>: containers/image's own fixture files, which are not ours to keep, against our code: tables A, B, D, E
// and F of the semantics, section 11.3. `<checkout>` is the folder `image` of github.com/containers/container-libs.

import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { guessMediaType, manifestDigest } from "../../src/image/manifest/manifest.ts";
import {
  DOCKER_LIST,
  OCI_INDEX,
  OCI_MANIFEST,
  SCHEMA1,
  SCHEMA1_SIGNED,
  SCHEMA2,
} from "../../src/image/media-types.ts";
import { parseDockerReference } from "../../src/image/reference/docker.ts";
import { policyFor } from "../../src/signature/evaluate.ts";
import { readKeyring, verifyMessage } from "../../src/signature/openpgp.ts";
import { parsePayload } from "../../src/signature/payload.ts";
import { parsePolicy } from "../../src/signature/policy.ts";

const checkout = process.argv[2];
if (checkout === undefined) throw new Error("usage: npm run vectors -- <checkout>/image");
const MANIFESTS = join(checkout, "internal/manifest/testdata");
const FIXTURES = join(checkout, "signature/fixtures");
const fixture = (name: string): Promise<Buffer> => readFile(join(FIXTURES, name));

let failures = 0;

/** Prints a row; what is expected and what came are compared as text. */
async function row(name: string, expected: string, task: () => Promise<string>): Promise<void> {
  const got = await task().catch((error: unknown) => `no: ${String(error).slice(0, 160)}`);
  const isRight = got === expected || (expected === "no" && got.startsWith("no: "));
  if (!isRight) failures++;
  console.log(`${isRight ? "ok  " : "FAIL"} ${name}: ${got}${isRight ? "" : `, not ${expected}`}`);
}

const TABLE_A: Readonly<Record<string, string>> = {
  "v2s2.manifest.json": SCHEMA2,
  "v2list.manifest.json": DOCKER_LIST,
  "v2s1.manifest.json": SCHEMA1_SIGNED,
  "v2s1-unsigned.manifest.json": SCHEMA1,
  "v2s1-invalid-signatures.manifest.json": SCHEMA1_SIGNED,
  "v2s2nomime.manifest.json": SCHEMA2,
  "unknown-version.manifest.json": "",
  "non-json.manifest.json": "",
  "ociv1.manifest.json": OCI_MANIFEST,
  "ociv1.artifact.json": OCI_MANIFEST,
  "ociv1.image.index.json": OCI_INDEX,
  "ociv1nomime.manifest.json": OCI_MANIFEST,
  "ociv1nomime.artifact.json": OCI_MANIFEST,
  "ociv1nomime.image.index.json": OCI_INDEX,
};
for (const [file, type] of Object.entries(TABLE_A))
  await row(`A ${file}`, type, async () => guessMediaType(await readFile(join(MANIFESTS, file))));

const SCHEMA1_DIGEST = "sha256:7364fea9d84ee548ab67d4c46c6006289800c98de3fbf8c0a97138dfcc23f000";
const TABLE_B: readonly (readonly [file: string, digest: string])[] = [
  ["v2s2.manifest.json", "sha256:20bf21ed457b390829cdbeec8795a7bea1626991fda603e0d01b4e7f60427e55"],
  ["v2s1.manifest.json", SCHEMA1_DIGEST],
  ["v2s1-unsigned.manifest.json", SCHEMA1_DIGEST],
  ["v2s1-invalid-signatures.manifest.json", "no"],
];
for (const [file, digest] of TABLE_B)
  await row(`B ${file}`, digest, async () => {
    const bytes = await readFile(join(MANIFESTS, file));
    return manifestDigest({ bytes, mediaType: guessMediaType(bytes) });
  });

const MANY = "public-key-with-subkey.gpg";
const REVOKED = "public-key-with-revoked-subkey.gpg";
const TABLE_D: readonly (readonly [file: string, reference: string, key?: string])[] = [
  ["image.signature", "testing/manifest"],
  ["corrupt.signature", "no"],
  ["corrupt.signature-v3", "no"],
  ["invalid-cleartext.signature", "no"],
  ["unsigned-literal.signature", "no"],
  ["unsigned-encrypted.signature", "no"],
  ["expired.signature", "no"],
  ["unknown-key.signature", "no"],
  ["unknown-key.signature-v3", "no"],
  ["invalid-blob.signature", "valid, but no payload"],
  ["invalid-blob.signature-v3", "valid, but no payload"],
  ["no-optional-fields.signature", "testing/manifest"],
  ["invalid-reference.signature", "UPPERCASEISINVALID"],
  ["subkey.signature", "testing/manifest:latest", MANY],
  ["subkey.signature-v3", "testing/manifest:latest", MANY],
  ["subkey-revoked.signature", "no", REVOKED],
  ["subkey-revoked.signature-v3", "no", REVOKED],
];
for (const [file, expected, key = "public-key.gpg"] of TABLE_D)
  await row(`D ${file}`, expected, async () => {
    const keyring = await readKeyring([await fixture(key)]);
    const signed = await verifyMessage(await fixture(file), keyring, new Date());
    try {
      return parsePayload(signed, "simple").reference;
    } catch {
      return "valid, but no payload";
    }
  });

const LATEST = "testing/manifest:latest";
const at = (name: string): string => join(FIXTURES, name);
const byGpg = (keys: object = { keyPath: at("public-key.gpg") }): object => ({
  type: "signedBy",
  keyType: "GPGKeys",
  signedIdentity: { type: "matchExact" },
  ...keys,
});
const byCosign = (type: string, more: object = {}): object => ({
  type: "sigstoreSigned",
  keyPath: at("cosign.pub"),
  signedIdentity: { type },
  ...more,
});
const { keyPath: _, ...noKey } = byCosign("matchRepository") as { keyPath: string };
const fulcio = {
  caPath: at("fulcio_v1.crt.pem"),
  oidcIssuer: "https://github.com/login/oauth",
  subjectEmail: "mitr@redhat.com",
};
const pki = {
  caRootsPath: at("pki_root_crts.pem"),
  caIntermediatesPath: at("pki_intermediate_crts.pem"),
  subjectEmail: "qiwan@redhat.com",
  subjectHostname: "myhost.example.com",
};
const rekor = { rekorPublicKeyPath: at("rekor.pub") };
const HOST = "192.168.64.2:5000";
const SAMPLE = `${HOST}/cosign-signed-single-sample`;
const ANY_TAG = byCosign("matchRepository");

/** Folder, reference that is claimed, requirement, whether it is allowed. */
const TABLES_E_F: readonly (readonly [string, string, object, boolean])[] = [
  ["dir-img-valid", LATEST, byGpg(), true],
  ["dir-img-valid", "testing/manifest:notlatest", byGpg(), false],
  ["dir-img-valid-2", LATEST, byGpg(), true],
  ["dir-img-valid-2", "testing/manifest:notlatest", byGpg(), false],
  ["dir-img-mixed", LATEST, byGpg(), true],
  ["dir-img-unsigned", LATEST, byGpg(), false],
  ["dir-img-modified-manifest", LATEST, byGpg(), false],
  ["dir-img-manifest-digest-error", LATEST, byGpg(), false],
  ["dir-img-no-manifest", LATEST, byGpg(), false],
  ["dir-img-valid-subkey", LATEST, byGpg({ keyPath: at(MANY) }), true],
  ["dir-img-valid", LATEST, byGpg({ keyData: "" }), false],
  [
    "dir-img-valid",
    LATEST,
    byGpg({ keyPaths: [at("public-key-2.gpg"), at("public-key-1.gpg")] }),
    true,
  ],
  ["dir-img-cosign-valid", SAMPLE, ANY_TAG, true],
  ["dir-img-cosign-valid", SAMPLE, byCosign("matchExact"), false],
  ["dir-img-cosign-valid-2", SAMPLE, ANY_TAG, true],
  ["dir-img-cosign-mixed", SAMPLE, ANY_TAG, true],
  ["dir-img-cosign-valid-2", "this/does-not:match", ANY_TAG, false],
  ["dir-img-cosign-valid-with-tag", `${HOST}/skopeo-signed:tag`, byCosign("matchExact"), true],
  [
    "dir-img-cosign-valid-with-tag",
    `${HOST}/skopeo-signed:othertag`,
    byCosign("matchExact"),
    false,
  ],
  [
    "dir-img-cosign-key-rekor-valid",
    `${HOST}/cosign-signed/key-1`,
    byCosign("matchRepository", { ...rekor, keyPath: at("cosign2.pub") }),
    true,
  ],
  [
    "dir-img-cosign-key-rekor-valid",
    `${HOST}/cosign-signed/key-1`,
    byCosign("matchRepository", rekor),
    false,
  ],
  [
    "dir-img-cosign-key-rekor-valid",
    `${HOST}/cosign-signed/key-1`,
    byCosign("matchRepository", {
      keyPath: at("cosign2.pub"),
      rekorPublicKeyPath: at("cosign.pub"),
    }),
    false,
  ],
  [
    "dir-img-cosign-fulcio-rekor-valid",
    `${HOST}/cosign-signed/fulcio-rekor-1`,
    { ...noKey, fulcio, ...rekor },
    true,
  ],
  ["dir-img-cosign-pki-valid", "localhost:5000/test", { ...noKey, pki }, true],
  ["dir-img-cosign-other-attachment", LATEST, ANY_TAG, false],
  ["dir-img-valid", LATEST, ANY_TAG, false],
  ["dir-img-unsigned", LATEST, ANY_TAG, false],
  ["dir-img-cosign-modified-manifest", SAMPLE, ANY_TAG, false],
  ["dir-img-cosign-manifest-digest-error", SAMPLE, ANY_TAG, false],
  ["dir-img-cosign-no-manifest", SAMPLE, ANY_TAG, false],
];
for (const [folder, reference, requirement, allowed] of TABLES_E_F) {
  const { type } = requirement as { type: string };
  await row(
    `${type === "signedBy" ? "E" : "F"} ${folder}, as ${reference}`,
    allowed ? "allowed" : "no",
    async () => {
      const bytes = await readFile(at(`${folder}/manifest.json`));
      const name = parseDockerReference(reference, reference);
      const policy = policyFor([parsePolicy({ default: [requirement] }, "files")], {
        transport: "docker",
        reference,
        name,
      });
      const image = {
        manifest: { bytes, mediaType: guessMediaType(bytes) },
        signatures: () => signaturesIn(folder),
      };
      await policy.check(image, AbortSignal.timeout(60_000));
      return "allowed";
    },
  );
}

async function signaturesIn(folder: string) {
  const signatures: { readonly bytes: Buffer }[] = [];
  for (;;) {
    const file = at(`${folder}/signature-${signatures.length + 1}`);
    if (
      !(await access(file)
        .then(() => true)
        .catch(() => false))
    )
      return signatures;
    signatures.push({ bytes: await readFile(file) });
  }
}

console.log(
  failures === 0 ? "all as they should be" : `${failures} rows are not as they should be`,
);
process.exitCode = failures === 0 ? 0 : 1;
