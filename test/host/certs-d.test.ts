import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { inspect } from "node:util";
import { CertsDir, faultsInCertsDir, readHostCertificates } from "../../src/host/certs-d.ts";
import { issue } from "../support/certificates.ts";
import { makeCertificates } from "../support/tls-files.ts";

const dir = await mkdtemp(join(tmpdir(), "transship-certs-d-"));
after(() => rm(dir, { recursive: true }));
const made = await makeCertificates(dir).catch(() => undefined);
const options = { skip: made === undefined && "openssl cannot make certificates here" };
const {
  ca,
  clientCert,
  clientKey,
  key: otherKey,
} = made ?? {
  ca: "",
  clientCert: "",
  clientKey: "",
  key: "",
};

/** What OpenSSL reads and takes for a pair, and then refuses to show to anybody. */
function weakPair(): Readonly<Record<string, string>> {
  const keys = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const key = keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  return { "a.cert": issue({}, issue({ authority: true }), keys).pem, "a.key": key };
}

let folders = 0;
async function folderWith(
  files: Readonly<Record<string, string>>,
  t?: TestContext,
): Promise<string> {
  const folder = join(dir, `${t?.name ?? ""}${folders++}`, "registry.test:5000");
  await mkdir(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

test(
  "a host's folder gives authorities and client certificates; what is missing or empty gives nothing",
  options,
  async () => {
    const folder = await folderWith({
      "a.crt": ca,
      "b.cert": clientCert,
      "b.key": clientKey,
      "notes.txt": "x",
    });
    const found = readHostCertificates(folder, "registry.test");
    assert.deepEqual(found?.contextOptions(["trusted"]), {
      ca: ["trusted", ca],
      cert: [clientCert],
      key: [clientKey],
    });
    assert.equal(readHostCertificates(join(dir, "nothing"), "registry.test"), undefined);
    assert.equal(
      readHostCertificates(await folderWith({ "notes.txt": "x" }), "registry.test"),
      undefined,
    );
  },
);

test(
  "another host is not shown a client certificate, and trusted by the same authorities",
  options,
  async () => {
    const folder = await folderWith({ "a.crt": ca, "b.cert": clientCert, "b.key": clientKey });
    const found = readHostCertificates(folder, "registry.test");
    assert.equal(found?.for("registry.test"), found);
    const other = found?.for("storage.test");
    assert.deepEqual(other?.contextOptions([]), { ca: [ca], cert: [], key: [] });
    assert.notEqual(other?.fingerprint, found?.fingerprint);
  },
);

test("nothing that is printed has the key in it", options, async () => {
  const folder = await folderWith({ "b.cert": clientCert, "b.key": clientKey });
  const found = readHostCertificates(folder, "registry.test");
  const body = clientKey.split("\n")[1] ?? "";
  assert.ok(body.length > 20);
  for (const text of [inspect(found, { showHidden: true, depth: 9 }), JSON.stringify(found)])
    assert.ok(!text.includes(body));
});

test(
  "what is wrong with a folder is told by file, in containers/image's words where it has any, without what is in it",
  options,
  async () => {
    const rows: readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
      [
        { "a.cert": clientCert },
        /^missing key a\.key for client certificate a\.cert\. Note that CA certificates should use the extension \.crt$/,
      ],
      [{ "a.key": clientKey }, /^missing client certificate a\.cert for key a\.key$/],
      [{ "a.crt": "m4rk3d" }, /^a\.crt is not a certificate in PEM$/],
      [{ "a.cert": "m4rk3d", "a.key": clientKey }, /^a\.cert is not a certificate in PEM$/],
      [{ "a.cert": clientCert, "a.key": "m4rk3d" }, /^a\.key is not a private key in PEM/],
      [{ "a.cert": clientCert, "a.key": otherKey }, /^a\.key is not the key of a\.cert$/],
      [weakPair(), /^a\.cert and a\.key cannot be used \(ERR_SSL_EE_KEY_TOO_SMALL\)$/],
    ];
    for (const [files, message] of rows) {
      const folder = await folderWith(files);
      assert.throws(
        () => readHostCertificates(folder, "registry.test"),
        (error: Error) => message.test(error.message) && !inspect(error).includes("m4rk3d"),
        String(message),
      );
      const [fault = ""] = faultsInCertsDir(join(folder, ".."));
      assert.ok(fault.startsWith(`${folder}: `), fault);
    }
    assert.deepEqual(faultsInCertsDir(join(await folderWith({ "a.crt": ca }), "..")), []);
    assert.match(faultsInCertsDir(join(dir, "none"))[0] ?? "", /cannot be read \(ENOENT\)$/);
  },
);

test(
  "a renewed certificate is seen, and a folder that cannot be used for the moment stays what it was",
  options,
  async () => {
    const folder = await folderWith({});
    const faults: unknown[] = [];
    const certs = new CertsDir(join(folder, ".."), (error) => void faults.push(error));
    const fingerprint = () => certs.of("registry.test:5000")?.fingerprint;
    assert.equal(fingerprint(), undefined);
    await writeFile(join(folder, "a.crt"), ca);
    const first = fingerprint();
    assert.ok(first !== undefined && fingerprint() === first);
    await writeFile(join(folder, "b.cert"), clientCert);
    assert.equal(fingerprint(), first);
    assert.match(String(faults[0]), /registry\.test:5000: missing key b\.key/);
    await writeFile(join(folder, "b.key"), clientKey);
    assert.ok(fingerprint() !== first && faults.length === 1);
    assert.equal(certs.of("other.test"), undefined);
    await writeFile(join(folder, "c.key"), clientKey);
    const anew = new CertsDir(join(folder, ".."), () => {});
    assert.throws(() => anew.of("registry.test:5000"), /missing client certificate c\.cert/);
  },
);
