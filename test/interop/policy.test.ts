// skopeo is the judge of policies: what it refuses, we refuse, and what it accepts, we accept. Signatures are made by GnuPG.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { NO_CACHE } from "../support/blob-info-cache.ts";
import { CopyError } from "../../src/errors.ts";
import { openEnds } from "../../src/jobs/ends.ts";
import { parsePolicyFile } from "../../src/signature/policy.ts";
import { Registries } from "../../src/transport/docker/registries.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { accessTo, makeDataDir, never, write } from "../support/folders.ts";
import { startGpg, type Gpg } from "../support/gpg.ts";
import { makeImage } from "../support/images.ts";
import { SPEC } from "../support/jobs.ts";
import { missing } from "../support/peers.ts";
import { startService } from "../support/service.ts";
import { byKey, blob, key, NAME, other } from "../support/sigstore.ts";

const run = promisify(execFile);
const skip = missing("skopeo", "gpg");
const REFERENCE = "testing/manifest:latest";
const image = makeImage();
const payload = JSON.stringify({
  critical: {
    identity: { "docker-reference": REFERENCE },
    image: { "docker-manifest-digest": image.digest },
    type: "atomic container signature",
  },
  optional: {},
});

/** Signatures by name; those of policies by theirs. Both are filled before the tests. */
const signatures = new Map<string, readonly Buffer[]>();
const keys = new Map<string, Buffer>();
let gpg: Gpg;
let dir: Awaited<ReturnType<typeof makeDataDir>>;

if (skip === false) {
  before(async () => {
    gpg = await startGpg();
    dir = await makeDataDir();
    await write("dir:image", image, accessTo(dir.path, "destination"));
    await makeMaterial();
  });
  after(async () => {
    await gpg[Symbol.asyncDispose]();
    await dir[Symbol.asyncDispose]();
  });
}

async function makeMaterial(): Promise<void> {
  const past = (hour: string) => ["--faked-system-time", `20240101T${hour}0000!`];
  const good = await gpg.makeKey("good@example.com");
  const bad = await gpg.makeKey("bad@example.com");
  const old = await gpg.makeKey("old@example.com", "1d", past("00"));
  const parent = await gpg.makeKey("parent@example.com");
  await gpg.run(["--quick-add-key", parent, "rsa2048", "sign", "0"]);
  const sign = (fingerprint: string, ...more: readonly string[]) =>
    gpg.make(payload, ...more, "--local-user", fingerprint, "--sign");
  const valid = await sign(good);
  const corrupt = Buffer.from(valid);
  corrupt.writeUInt8((corrupt.at(-20) ?? 0) ^ 1, corrupt.length - 20);
  const made: Record<string, Buffer | readonly Buffer[]> = {
    none: [],
    valid,
    "by an unknown key": await sign(bad),
    corrupt,
    "of which the second is good": [await sign(bad), valid],
    "by two keys": await gpg.make(payload, "-u", good, "-u", bad, "--sign"),
    "with an unsigned literal": await gpg.make(payload, "--store"),
    "not compressed": await sign(good, "--compress-algo", "none"),
    "compressed with ZLIB": await sign(good, "--compress-algo", "zlib"),
    "compressed with BZip2": await sign(good, "--compress-algo", "bzip2"),
    "over SHA-512": await sign(good, "--digest-algo", "SHA512"),
    "over SHA-1": await sign(good, "--digest-algo", "SHA1"),
    "over text": await sign(good, "--textmode"),
    detached: await gpg.make(payload, "-u", good, "--detach-sign"),
    "in clear text": await gpg.make(payload, "-u", good, "--clear-sign"),
    expired: await sign(good, "--default-sig-expire", "seconds=1"),
    "by a key that is expired": await gpg.make(payload, ...past("12"), "-u", old, "--sign"),
    "by a subkey": await sign(parent),
    "by a subkey that is revoked": await sign(parent),
    "with bytes after it": Buffer.concat([valid, Buffer.from("more")]),
    "with a payload that is none": await gpg.make("no JSON", "-u", good, "--sign"),
    "for another manifest": await gpg.make(
      payload.replace(/:[0-9a-f]{64}/, `:${"0".repeat(64)}`),
      "-u",
      good,
      "--sign",
    ),
    "that skopeo made": await signWithSkopeo(good),
    "of sigstore": blob({
      payload: Buffer.from(
        payload
          .replace("atomic container", "cosign container image")
          .replace('"optional":{}', '"optional":null'),
      ),
    }),
    "of sigstore by another key": blob({
      by: other,
      payload: Buffer.from(payload.replace("atomic container", "cosign container image")),
    }),
  };
  for (const [name, value] of Object.entries(made))
    signatures.set(name, Buffer.isBuffer(value) ? [value] : value);
  keys.set("good", await gpg.exported(good));
  keys.set("old", await gpg.exported(old));
  keys.set("parent", await gpg.exported(parent));
  keys.set("both", await gpg.exported(good, bad));
  keys.set("armored", Buffer.from(await gpg.run(["--armor", "--export", bad, good])));
  await gpg.run(
    ["--command-fd", "0", "--no-batch", "--no-tty", "--status-fd", "2", "--edit-key", parent],
    "key 1\nrevkey\ny\n0\n\ny\nsave\n",
  );
  keys.set("revoked", await gpg.exported(parent));
}

async function signWithSkopeo(fingerprint: string): Promise<Buffer> {
  const out = join(gpg.home, "by-skopeo");
  const args = ["standalone-sign", join(dir.path, "image/manifest.json"), REFERENCE, fingerprint];
  await run("skopeo", [...args, "--output", out], { env: { ...process.env, GNUPGHOME: gpg.home } });
  return readFile(out);
}

const exactly = (dockerReference: string) => ({ type: "exactReference", dockerReference });
const signedBy = (name: string, signedIdentity: object = exactly(REFERENCE)) => ({
  type: "signedBy",
  keyType: "GPGKeys",
  keyData: (keys.get(name) ?? Buffer.alloc(0)).toString("base64"),
  signedIdentity,
});
const REJECT = [{ type: "reject" }];
const ACCEPT = [{ type: "insecureAcceptAnything" }];

interface Row {
  readonly signed: string;
  readonly policy: () => object;
  readonly what: string;
  /** As skopeo has it, and we. */
  readonly accepted: boolean;
  /** We refuse what skopeo accepts (docs/differences.md). */
  readonly differs?: boolean;
}

const byGood = (signed: string, accepted: boolean, more: Partial<Row> = {}): Row => ({
  signed,
  what: "signed by the key",
  policy: () => ({ default: [signedBy("good")] }),
  accepted,
  ...more,
});
const given = (signed: string, what: string, policy: () => object, accepted: boolean): Row => ({
  signed,
  what,
  policy,
  accepted,
});
const inDir = (scope: () => string) => () => ({
  default: REJECT,
  transports: { dir: { [scope()]: ACCEPT } },
});

const ROWS: readonly Row[] = [
  byGood("none", false),
  byGood("valid", true),
  byGood("that skopeo made", true),
  byGood("by an unknown key", false),
  byGood("corrupt", false),
  byGood("of which the second is good", true),
  byGood("by two keys", false),
  byGood("with an unsigned literal", false),
  byGood("not compressed", true),
  byGood("compressed with ZLIB", true),
  byGood("compressed with BZip2", false, { differs: true }),
  byGood("over SHA-512", true),
  byGood("over SHA-1", false, { differs: true }),
  byGood("over text", false, { differs: true }),
  byGood("expired", false),
  byGood("detached", false),
  byGood("in clear text", false),
  byGood("with bytes after it", false, { differs: true }),
  byGood("with a payload that is none", false),
  byGood("for another manifest", false),
  byGood("of sigstore", false),
  given(
    "by a key that is expired",
    "signed by that key",
    () => ({ default: [signedBy("old")] }),
    false,
  ),
  given(
    "by a subkey that is revoked",
    "signed by its primary key",
    () => ({ default: [signedBy("revoked")] }),
    false,
  ),
  given("valid", "signed by one of two keys", () => ({ default: [signedBy("both")] }), true),
  given(
    "valid",
    "signed by one of an armored file",
    () => ({ default: [signedBy("armored")] }),
    true,
  ),
  given(
    "valid",
    "signed by the key and another",
    () => ({ default: [signedBy("good"), signedBy("old")] }),
    false,
  ),
  given(
    "valid",
    "signed for another tag",
    () => ({ default: [signedBy("good", exactly("testing/manifest:other"))] }),
    false,
  ),
  given(
    "valid",
    "signed for the repository",
    () => ({
      default: [
        signedBy("good", { type: "exactRepository", dockerRepository: "testing/manifest" }),
      ],
    }),
    true,
  ),
  given(
    "valid",
    "signed for its own name, which a folder has not",
    () => ({ default: [signedBy("good", { type: "matchExact" })] }),
    false,
  ),
  given("none", "anything", () => ({ default: ACCEPT }), true),
  given("none", "nothing", () => ({ default: REJECT }), false),
  given(
    "valid",
    "a signed base layer",
    () => ({ default: [{ type: "signedBaseLayer", baseLayerIdentity: { type: "matchExact" } }] }),
    false,
  ),
  given(
    "none",
    "anything in its folder",
    inDir(() => join(dir.path, "image")),
    true,
  ),
  given(
    "none",
    "anything in the folder above",
    inDir(() => dir.path),
    true,
  ),
  given(
    "none",
    "anything in another folder",
    inDir(() => join(dir.path, "other")),
    false,
  ),
  given(
    "none",
    "anything in a folder",
    inDir(() => ""),
    true,
  ),
];

/** What came after skopeo 1.9: sigstoreSigned, and primary keys that stand for their subkeys. */
const exact = { signedIdentity: exactly(REFERENCE) };
const NEW_ROWS: readonly Row[] = [
  given(
    "by a subkey",
    "signed by its primary key",
    () => ({ default: [signedBy("parent")] }),
    true,
  ),
  given(
    "of sigstore",
    "signed by the sigstore key",
    () => ({ default: [byKey(key, exact)] }),
    true,
  ),
  given(
    "of sigstore by another key",
    "signed by the sigstore key",
    () => ({ default: [byKey(key, exact)] }),
    false,
  ),
  given(
    "of sigstore",
    "signed for another name",
    () => ({ default: [byKey(key, { signedIdentity: exactly(`${NAME}:1`) })] }),
    false,
  ),
  given("valid", "signed by the sigstore key", () => ({ default: [byKey(key, exact)] }), false),
];

for (const row of [...ROWS, ...NEW_ROWS])
  test(
    `an image with a signature ${row.signed}, where policy asks for ${row.what}, is ${row.accepted ? "accepted" : "refused"}`,
    { skip: skip || (NEW_ROWS.includes(row) && (await tooOld())) },
    async () => {
      const policy = JSON.stringify(row.policy());
      await putSignatures(signatures.get(row.signed));
      assert.equal(await ourVerdict(policy), row.accepted, "ours");
      assert.equal(await skopeosVerdict(policy), row.accepted || row.differs === true, "skopeo's");
    },
  );

async function tooOld(): Promise<string | false> {
  if (skip !== false) return skip;
  const [, minor = "0"] =
    /version 1\.(\d+)/.exec((await run("skopeo", ["--version"])).stdout) ?? [];
  return Number(minor) < 10 && "this skopeo is too old to know it";
}

async function putSignatures(blobs: readonly Buffer[] = []): Promise<void> {
  for (const n of [1, 2, 3]) {
    const file = join(dir.path, "image", `signature-${n}`);
    const bytes = blobs[n - 1];
    if (bytes === undefined) await rm(file, { force: true });
    else await writeFile(file, bytes);
  }
}

async function skopeosVerdict(policy: string): Promise<boolean> {
  const file = join(dir.base, "policy.json");
  await writeFile(file, policy);
  const out = join(dir.base, "out");
  const args = ["--policy", file, "copy", "--quiet", `dir:${dir.path}/image`, `dir:${out}`];
  try {
    await run("skopeo", args);
    return true;
  } catch (error) {
    assert.match(String(error), /Source image rejected/);
    return false;
  }
}

async function ourVerdict(policy: string): Promise<boolean> {
  await using registries = new Registries(LOOPBACK_TOO);
  const deps = {
    ...accessTo(dir.path, "source"),
    registries,
    cacheOf: () => NO_CACHE,
    policy: parsePolicyFile(Buffer.from(policy)),
  };
  const spec = { ...SPEC, source: "dir:image", destination: "dir:out" };
  await using ends = await openEnds({ spec, tenant: "t", secrets: {} }, deps, never);
  const manifest = await ends.source.getManifest(undefined, never);
  assert.ok(ends.policy);
  try {
    await ends.policy.check(
      { manifest, signatures: () => ends.source.getSignatures(undefined, never) },
      never,
    );
    return true;
  } catch (error) {
    assert.ok(error instanceof CopyError && error.code === "policy_rejected", String(error));
    return false;
  }
}

test("a job and a service copy only what their policies accept", { skip }, async () => {
  const policy = { default: [signedBy("good")] };
  const file = join(dir.base, "service-policy.json");
  await writeFile(file, JSON.stringify(policy));
  await using service = await startService({ env: { POLICY_FILE: file } });
  for (const [name, by] of [
    ["signed", ["valid"]],
    ["unsigned", []],
  ] as const) {
    await putSignatures(by.flatMap((signed) => signatures.get(signed) ?? []));
    await run("cp", ["-r", join(dir.path, "image"), join(service.dataDir, name)]);
  }
  const ended = async (source: string, options = {}) => {
    const order = { source, destination: `${source}-copy`, options };
    const { status, error } = await service.finished((await service.submit(order)).id);
    return [status, error?.code];
  };
  assert.deepEqual(await ended("dir:signed"), ["succeeded", undefined]);
  assert.deepEqual(await ended("dir:unsigned"), ["failed", "policy_rejected"]);
  assert.deepEqual(await ended("dir:signed", { policy: { default: REJECT } }), [
    "failed",
    "policy_rejected",
  ]);
  assert.deepEqual(await ended("dir:unsigned", { policy: { default: ACCEPT } }), [
    "failed",
    "policy_rejected",
  ]);
});
