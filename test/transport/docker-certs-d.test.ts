import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { promisify } from "node:util";
import { CopyError } from "../../src/errors.ts";
import { makeImage } from "../support/images.ts";
import { missing } from "../support/peers.ts";
import { startRegistry } from "../support/registry.ts";
import { makeCertificates } from "../support/tls-files.ts";
import {
  never,
  openDestination,
  openSource,
  putImage,
  readBlob,
  registriesFor,
} from "./docker-setup.ts";

const run = promisify(execFile);
const dir = await mkdtemp(join(tmpdir(), "transship-certs-d-"));
after(() => rm(dir, { recursive: true }));
const made = await makeCertificates(dir).catch(() => undefined);
const skip = made === undefined && "openssl cannot make certificates here";
const { ca, key, cert } = made ?? { ca: "", key: "", cert: "" };
const image = makeImage({ layers: [2_000] });

/** A certs.d with these files for one registry; the files' names are those in the folder and of makeCertificates. */
async function certsFor(
  registry: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const certsDir = await mkdtemp(join(dir, "certs.d-"));
  await mkdir(join(certsDir, registry));
  for (const [name, from] of Object.entries(files))
    await copyFile(join(dir, from), join(certsDir, registry, name));
  return certsDir;
}

const CLIENT = { "client.cert": "client.pem", "client.key": "client.key" };
const AUTHORITY = { "authority.crt": "ca.pem" };

const accessUnder = (t: TestContext, certsDir: string) => ({
  registries: registriesFor(t, {}, {}, { certsDir }),
  tlsVerify: true,
});

test(
  "a registry that asks for a certificate is shown the one of its folder, and trusted by the authority there",
  { skip },
  async (t) => {
    await using registry = await startRegistry({ tls: { key, cert, clientCa: ca } });
    const access = accessUnder(t, await certsFor(registry.host, { ...AUTHORITY, ...CLIENT }));
    await using destination = await openDestination(`${registry.host}/a:v1`, access);
    await putImage(destination, image);
    await using source = await openSource(`${registry.host}/a:v1`, access);
    const [layer] = image.layers;
    assert.deepEqual(await readBlob(source, layer!), image.blobs.get(layer!.digest));
  },
);

test(
  "without the certificate, or without the authority, it is not reached; skopeo says the same of the same folders",
  { skip: skip || missing("skopeo") },
  async (t) => {
    await using registry = await startRegistry({ tls: { key, cert, clientCa: ca } });
    registry.put("a", "v1", image);
    for (const [files, works] of [
      [{ ...AUTHORITY, ...CLIENT }, true],
      [AUTHORITY, false],
      [CLIENT, false],
      [{ ...AUTHORITY, "client.cert": "client.pem" }, false],
      [{ ...AUTHORITY, "client.key": "client.key" }, false],
      [{}, false],
    ] as const) {
      const certsDir = await certsFor(registry.host, files);
      const theirs = run(
        "skopeo",
        [
          "inspect",
          "--raw",
          "--cert-dir",
          join(certsDir, registry.host),
          `docker://${registry.host}/a:v1`,
        ],
        { timeout: 60_000 },
      ).then(
        () => true,
        () => false,
      );
      const source = openSource(`${registry.host}/a:v1`, accessUnder(t, certsDir));
      const ours = source
        .then((opened) => opened.getManifest(undefined, never))
        .then(
          () => true,
          (error: unknown) => {
            assert.ok(
              error instanceof CopyError && /^(tls_failed|registry_unavailable)$/.test(error.code),
              String(error),
            );
            return false;
          },
        );
      assert.deepEqual([await ours, await theirs], [works, works], Object.keys(files).join());
    }
  },
);

test("a folder that cannot be used is told by its files' names", { skip }, async (t) => {
  const access = accessUnder(t, await certsFor("127.0.0.1:1", { "client.cert": "client.pem" }));
  await assert.rejects(openSource("127.0.0.1:1/a:v1", access), {
    code: "tls_failed",
    message:
      /^the operator's certificates for 127\.0\.0\.1:1 cannot be used: missing key client\.key /,
  });
});

test(
  "where a registry sends its clients, the certificate is not shown; the authority is trusted there",
  { skip },
  async (t) => {
    // The other origin has another name, and insists on a certificate as well.
    await using registry = await startRegistry({
      tls: { key, cert, clientCa: ca },
      quirks: ["redirect-blobs"],
    });
    registry.put("a", "v1", image);
    const access = accessUnder(t, await certsFor(registry.host, { ...AUTHORITY, ...CLIENT }));
    await using source = await openSource(`${registry.host}/a:v1`, access);
    await source.getManifest(undefined, never);
    await assert.rejects(readBlob(source, image.layers[0]!));
    assert.deepEqual(registry.elsewhere, []);
    await using open = await startRegistry({ tls: { key, cert }, quirks: ["redirect-blobs"] });
    open.put("a", "v1", image);
    const more = accessUnder(t, await certsFor(open.host, { ...AUTHORITY, ...CLIENT }));
    await using other = await openSource(`${open.host}/a:v1`, more);
    await readBlob(other, image.layers[0]!);
    assert.equal(open.elsewhere.length, 1);
  },
);

test(
  "a certificate that is renewed is used from then on, without a restart",
  { skip },
  async (t) => {
    await using registry = await startRegistry({ tls: { key, cert, clientCa: ca } });
    registry.put("a", "v1", image);
    const certsDir = await certsFor(registry.host, AUTHORITY);
    const access = accessUnder(t, certsDir);
    const get = async () =>
      (await openSource(`${registry.host}/a:v1`, access)).getManifest(undefined, never);
    await assert.rejects(get());
    for (const [name, from] of Object.entries(CLIENT))
      await copyFile(join(dir, from), join(certsDir, registry.host, name));
    await get();
    await writeFile(join(certsDir, registry.host, "client.key"), "broken");
    await get();
  },
);
