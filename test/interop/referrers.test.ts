// cosign signs and oras attaches at the source; the service copies; cosign and oras judge at the destination. docker-registry has no
// referrers API, so that there the index under the fallback tag is what counts; the test registry has it.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { makeImage, makeList, type TestList } from "../support/images.ts";
import { missing, missingNew, startDockerRegistry, type DockerRegistry } from "../support/peers.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import { startService, type Service } from "../support/service.ts";
import { Cosign, discover, oras, type Tree } from "../support/signing.ts";

const skip = missing("docker-registry") || missingNew("oras", "cosign");
const insecure = { tlsVerify: false };
const ALL = { imageListSelection: "all", referrers: true };

let service: Service;
let old: DockerRegistry;
let other: DockerRegistry;
let modern: TestRegistry;
let cosign: Cosign;
let scratch: string;

before(async () => {
  if (skip !== false) return;
  [service, old, other, modern, cosign, scratch] = await Promise.all([
    startService(),
    startDockerRegistry(),
    startDockerRegistry(),
    startRegistry(),
    Cosign.generate(),
    mkdtemp(join(tmpdir(), "transship-referrers-")),
  ]);
});
after(async () => {
  if (skip !== false) return;
  await Promise.all(
    [service, old, other, modern, cosign].map((thing) => thing[Symbol.asyncDispose]()),
  );
  await rm(scratch, { recursive: true });
});

async function copied(source: string, destination: string, options: object = ALL) {
  const contexts = { sourceContext: insecure, destinationContext: insecure };
  const { id } = await service.submit({ source, destination, options, ...contexts });
  const job = await service.finished(id);
  assert.equal(job.status, "succeeded", JSON.stringify(job.error));
  return job.result;
}

/** A list in a registry: signed both ways, attested, with an SBOM that is signed; one of its images signed and with an SBOM, too. */
async function seed(host: string, name: string): Promise<TestList> {
  const list = makeList(
    ["amd64", "arm64"].map((architecture) =>
      makeImage({ platform: { os: "linux", architecture }, seed: `${name} ${architecture}` }),
    ),
  );
  await using origin = await startRegistry();
  origin.put("image", "1", list);
  await oras(
    "cp",
    "--from-plain-http",
    "--to-plain-http",
    `${origin.host}/image:1`,
    `${host}/${name}:1`,
  );
  const [image] = list.images;
  for (const digest of [list.digest, image?.digest]) {
    const reference = `${host}/${name}@${digest}`;
    await cosign.sign(reference, "legacy");
    await cosign.sign(reference, "bundle");
    const sbom = await attach(reference, "application/vnd.example.sbom");
    await attach(`${host}/${name}@${sbom}`, "application/vnd.example.signature");
  }
  await cosign.attest(`${host}/${name}@${list.digest}`);
  return list;
}

/** Returns the digest of what was attached. */
async function attach(reference: string, artifactType: string): Promise<string> {
  const file = join(scratch, "attached.txt");
  await writeFile(file, artifactType);
  const flags = ["--plain-http", "--disable-path-validation", "--format", "json"];
  const annotation = ["--annotation", "org.example.by=oras", "--artifact-type", artifactType];
  const out = await oras("attach", ...flags, ...annotation, reference, `${file}:text/plain`);
  return (JSON.parse(out) as Tree).digest;
}

/** All that the judges find is what they find at the source. */
async function judge(list: TestList, from: string, to: string, spec: readonly string[] = []) {
  for (const digest of [list.digest, ...list.images.map((image) => image.digest)]) {
    const there = await discover("--plain-http", ...spec, `${to}@${digest}`);
    assert.deepEqual(there, await discover("--plain-http", `${from}@${digest}`));
  }
  for (const digest of [list.digest, list.images[0]?.digest]) {
    await cosign.verify(`${to}@${digest}`, "legacy");
    await cosign.verify(`${to}@${digest}`, "bundle");
  }
  await cosign.verifyAttestation(`${to}@${list.digest}`);
  await assert.rejects(cosign.verify(`${to}@${list.images[1]?.digest}`, "legacy"), /no signatures/);
  const tree = await cosign.tree(`${to}@${list.digest}`);
  for (const kind of ["Signatures for", "Attestations for", "via OCI referrer"])
    assert.match(tree, new RegExp(kind));
}

/** Two signatures, a bundle, an SBOM and its signature; for the list an attestation, too. */
const REFERRERS = 2 * 4 + 1;

test(
  "from one registry without the API to another, under tags on both sides",
  { skip },
  async () => {
    const list = await seed(old.host, "tags");
    const result = await copied(`docker://${old.host}/tags:1`, `docker://${other.host}/tags:1`);
    assert.equal(result?.manifestDigest, list.digest);
    assert.equal(result?.referrers, REFERRERS);
    const spec = ["--distribution-spec", "v1.1-referrers-tag"];
    await judge(list, `${old.host}/tags`, `${other.host}/tags`, spec);
  },
);

test("to a registry with the API, and back to one without", { skip }, async () => {
  const list = await seed(old.host, "api");
  const [from, to, back] = [`${old.host}/api`, `${modern.host}/api`, `${other.host}/back`];
  await copied(`docker://${from}:1`, `docker://${to}:1`);
  await judge(list, from, to, ["--distribution-spec", "v1.1-referrers-api"]);
  assert.equal(modern.manifest("api", list.digest.replace(":", "-")), undefined);
  await copied(`docker://${to}:1`, `docker://${back}:1`);
  await judge(list, from, back);
});

test("through an OCI layout", { skip }, async () => {
  const list = await seed(old.host, "layout");
  const [from, to] = [`${old.host}/layout`, `${other.host}/layout`];
  await copied(`docker://${from}:1`, "oci:layout:1");
  const layout = join(service.dataDir, "layout");
  for (const platform of [[], ["--platform", "linux/amd64"], ["--platform", "linux/arm64"]])
    assert.deepEqual(
      await discover(...platform, "--oci-layout", `${layout}:1`),
      await discover(...platform, "--plain-http", `${from}:1`),
    );
  await copied("oci:layout:1", `docker://${to}:1`);
  await judge(list, from, to);
  const theirs = `${other.host}/layout-by-oras`;
  await oras("cp", "-r", "--from-oci-layout", "--to-plain-http", `${layout}:1`, `${theirs}:1`);
  for (const { digest } of [list, ...list.images])
    assert.deepEqual(
      await discover("--plain-http", `${theirs}@${digest}`),
      await discover("--plain-http", `${from}@${digest}`),
    );
});

test("a layout that oras has written keeps its referrers", { skip }, async () => {
  const list = await seed(old.host, "oras");
  const [from, to] = [`${old.host}/oras`, `${other.host}/oras`];
  const layout = join(service.dataDir, "oras");
  await oras("cp", "-r", "--from-plain-http", "--to-oci-layout", `${from}:1`, `${layout}:1`);
  await copied("oci:oras:1", `docker://${to}:1`);
  for (const { digest } of [list, ...list.images])
    assert.deepEqual(
      await discover("--plain-http", `${to}@${digest}`),
      await discover("--plain-http", `${from}@${digest}`),
    );
  await cosign.verify(`${to}@${list.digest}`, "bundle");
});

test("what is signed at the destination stays signed", { skip }, async () => {
  await using theirs = await Cosign.generate();
  const list = await seed(old.host, "merged");
  const [from, to] = [`${old.host}/merged`, `${other.host}/merged`];
  await copied(`docker://${from}:1`, `docker://${to}:1`, { imageListSelection: "all" });
  await theirs.sign(`${to}@${list.digest}`, "legacy");
  await attach(`${to}@${list.digest}`, "application/vnd.example.theirs");
  await copied(`docker://${from}:1`, `docker://${to}:1`);
  for (const key of [cosign, theirs]) await key.verify(`${to}@${list.digest}`, "legacy");
  const there = await discover("--plain-http", `${to}@${list.digest}`);
  const source = await discover("--plain-http", `${from}@${list.digest}`);
  assert.equal(there.referrers.length, source.referrers.length + 1);
});

test("without the option nothing comes along, and the judges see that", { skip }, async () => {
  const list = await seed(old.host, "bare");
  const to = `${other.host}/bare`;
  await copied(`docker://${old.host}/bare:1`, `docker://${to}:1`, { imageListSelection: "all" });
  const { referrers } = await discover("--plain-http", `${to}@${list.digest}`);
  assert.deepEqual(referrers, []);
  for (const format of ["legacy", "bundle"] as const)
    await assert.rejects(
      cosign.verify(`${to}@${list.digest}`, format),
      /no (matching )?signatures/,
    );
});
