// A real docker engine, where one answers: it loads and runs what is written for it, and what it saves is read.

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { fromBuffer } from "../../src/bytes.ts";
import { digestOf } from "../../src/image/digest.ts";
import { DOCKER_CONFIG, DOCKER_LAYER } from "../../src/image/media-types.ts";
import { DockerEngine } from "../../src/transport/docker-daemon/engine.ts";
import { destinationOf, put, read, sourceOf, type PlainImage } from "../support/archives.ts";
import { failure, makeDataDir, never } from "../support/folders.ts";
import { makeRunnable } from "../support/runnable.ts";
import { makeTar } from "../support/raw-tar.ts";

const run = promisify(execFile);
const docker = async (...args: string[]): Promise<string> => (await run("docker", args)).stdout;

function whyNot(): string | false {
  if (process.arch !== "x64") return "the program that is run is for x86-64";
  const { status } = spawnSync("docker", ["version", "--format", "{{.Server.Version}}"]);
  return status === 0 ? false : "no docker engine answers (DOCKER_HOST)";
}

const skip = whyNot();
const options = { skip, timeout: 120_000 };
const NAME = `transship-test-${process.pid}`;
const image = makeRunnable("hello from transship\n");
let dir: Awaited<ReturnType<typeof makeDataDir>>;
let engine: DockerEngine;

before(async () => {
  dir = await makeDataDir();
  engine = new DockerEngine({ host: process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock" });
});
after(async () => {
  await engine[Symbol.asyncDispose]();
  await dir[Symbol.asyncDispose]();
  if (skip !== false) return;
  const names = await docker(
    "images",
    "--filter",
    `reference=${NAME}`,
    "--format",
    "{{.Repository}}:{{.Tag}}",
  );
  const found = names.split("\n").filter((name) => name !== "");
  if (found.length > 0) await docker("rmi", "--force", ...found);
});

async function write(reference: string, what: PlainImage): Promise<void> {
  await using destination = await destinationOf(dir.path, reference, {
    engine,
    additionalTags: reference.startsWith("docker-archive:") ? [`${NAME}:more`] : [],
  });
  await put(destination, what);
  await destination.commit(never);
}

async function readBack(reference: string): Promise<PlainImage> {
  await using source = await sourceOf(dir.path, reference, { engine });
  return await read(source);
}

test(
  "docker load takes an archive under all its names, and docker run runs it",
  options,
  async () => {
    await write(`docker-archive:a.tar:${NAME}:archive`, image);
    await docker("load", "--input", join(dir.path, "a.tar"));
    for (const tag of ["archive", "more"])
      assert.equal(
        await docker("run", "--rm", "--network", "none", `${NAME}:${tag}`),
        "hello from transship\n",
      );
  },
);

test(
  "an image that is copied to docker-daemon: runs, and is read back as it was",
  options,
  async () => {
    await write(`docker-daemon:${NAME}:daemon`, image);
    assert.equal(
      await docker("run", "--rm", "--network", "none", `${NAME}:daemon`),
      "hello from transship\n",
    );
    // The digest of the config; with containerd's store, that of the manifest.
    const id = await docker("image", "inspect", "--format", "{{.Id}}", `${NAME}:daemon`);
    for (const reference of [`${NAME}:daemon`, id.trim()])
      assert.deepEqual(await readBack(`docker-daemon:${reference}`), image);
  },
);

test("what docker save writes is read: one image, and one of several", options, async () => {
  const other = makeRunnable("another\n");
  await write(`docker-daemon:${NAME}:one`, image);
  await write(`docker-daemon:${NAME}:two`, other);
  const path = join(dir.path, "saved.tar");
  await docker("save", "--output", path, `${NAME}:one`, `${NAME}:two`);
  assert.deepEqual(await readBack(`docker-archive:saved.tar:${NAME}:one`), image);
  assert.deepEqual(await readBack(`docker-archive:saved.tar:${NAME}:two`), other);
  await writeFile(
    path,
    gzipSync(
      (await run("docker", ["save", `${NAME}:two`], { encoding: "buffer", maxBuffer: 2 ** 26 }))
        .stdout,
    ),
  );
  assert.deepEqual(await readBack("docker-archive:saved.tar"), other);
});

test("layers may be compressed when they come to the engine", options, async () => {
  const layers = image.layers.map((layer) => gzipSync(layer));
  const manifest = {
    ...image.manifest,
    bytes: Buffer.from(
      image.layers.reduce(
        (text, layer, i) => text.replace(digestOf(layer), digestOf(layers[i] as Buffer)),
        image.manifest.bytes.toString(),
      ),
    ),
  };
  {
    await using destination = await destinationOf(dir.path, `docker-daemon:${NAME}:gzip`, {
      engine,
    });
    for (const layer of layers) {
      const info = { mediaType: `${DOCKER_LAYER}.gzip`, digest: digestOf(layer) };
      await destination.putBlob({ content: fromBuffer(layer), info }, never);
    }
    const info = { mediaType: DOCKER_CONFIG, digest: digestOf(image.config) };
    await destination.putBlob({ content: fromBuffer(image.config), info }, never);
    await destination.putManifest(manifest, undefined, never);
    await destination.commit(never);
  }
  assert.equal(
    await docker("run", "--rm", "--network", "none", `${NAME}:gzip`),
    "hello from transship\n",
  );
  assert.deepEqual(await readBack(`docker-daemon:${NAME}:gzip`), image);
});

test(
  "what the engine does not take, and what it does not have, is told in its words",
  options,
  async () => {
    // A layer that the engine does not know yet, and that is not the one which the config names.
    const good = makeRunnable("something else\n");
    const [layer = Buffer.alloc(0), ...rest] = good.layers;
    const other = makeTar([{ name: "another" }]);
    const broken = { ...good, layers: [other, ...rest] };
    const bytes = Buffer.from(
      good.manifest.bytes.toString().replace(digestOf(layer), digestOf(other)),
    );
    await assert.rejects(
      () =>
        write(`docker-daemon:${NAME}:broken`, {
          ...broken,
          manifest: { ...good.manifest, bytes },
        }),
      failure(
        "manifest_rejected",
        /the docker engine does not take the image: .*(invalid diffID|wrong diff id)/,
      ),
    );
    await assert.rejects(
      () => readBack(`docker-daemon:${NAME}:nobody`),
      failure("source_not_found", new RegExp(`${NAME}:nobody`)),
    );
  },
);
