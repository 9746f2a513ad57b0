import { spawn } from "node:child_process";
import { createCipheriv, createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, open, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";

const PIECE = 4 * 1024 * 1024;

/**
 * Writes an OCI layout with one image named `image`, its layers of the given sizes (bytes). Layers are incompressible bytes behind the
 * magic of gzip: without it skopeo, and only skopeo, would compress them on the way. Each `seed` makes other ones. Returns them.
 */
export const writeLayout = (dir: string, layers: readonly number[], seed = "") =>
  writeImage(dir, async (blobs) => {
    const descriptors = [];
    for (const [i, size] of layers.entries()) {
      const layer = await writeLayer(blobs, pieces(size, `${seed}layer ${i}`));
      descriptors.push({ mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", ...layer });
    }
    return descriptors;
  });

/**
 * The same of real files: a tar of this machine's `/usr`, cut into uncompressed layers of the given sizes. Not the same on another
 * machine, but what images are made of.
 */
export const writeRootLayout = (dir: string, layers: readonly number[]) =>
  writeImage(dir, async (blobs) => {
    const tar = spawn("tar", ["--sort=name", "-C", "/", "-cf", "-", "usr"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const exited = once(tar, "exit");
    const descriptors = [];
    for (const size of layers) {
      const layer = await writeLayer(blobs, read(tar.stdout, size));
      descriptors.push({ mediaType: "application/vnd.oci.image.layer.v1.tar", ...layer });
    }
    tar.kill();
    await exited;
    return descriptors;
  });

async function* read(stream: Readable, size: number): AsyncGenerator<Buffer> {
  for (let left = size; left > 0;) {
    const chunk = stream.read(
      Math.min(left, PIECE, stream.readableLength || PIECE),
    ) as Buffer | null;
    if (chunk === null) {
      if (stream.readableEnded) throw new Error("there are not enough files in /usr");
      await once(stream, "readable");
      continue;
    }
    left -= chunk.length;
    yield chunk;
  }
}

interface Layer {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

async function writeImage(
  dir: string,
  writeLayers: (blobs: string) => Promise<readonly Layer[]>,
): Promise<readonly Layer[]> {
  const blobs = join(dir, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const put = async (bytes: Buffer, mediaType: string) => {
    const digest = createHash("sha256").update(bytes).digest("hex");
    await writeFile(join(blobs, digest), bytes);
    return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
  };
  const descriptors = await writeLayers(blobs);
  const diffIds = descriptors.map(({ digest }) => digest);
  const config = await put(
    Buffer.from(
      JSON.stringify({
        os: "linux",
        architecture: "amd64",
        config: {},
        rootfs: { type: "layers", diff_ids: diffIds },
      }),
    ),
    "application/vnd.oci.image.config.v1+json",
  );
  const manifest = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    config,
    layers: descriptors,
  };
  const top = {
    ...(await put(Buffer.from(JSON.stringify(manifest)), manifest.mediaType)),
    annotations: { "org.opencontainers.image.ref.name": "image" },
  };
  await writeFile(join(dir, "index.json"), JSON.stringify({ schemaVersion: 2, manifests: [top] }));
  await writeFile(join(dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  return descriptors;
}

/** Bytes that depend on the seed alone, and look like gzip. */
function* pieces(size: number, seed: string): Generator<Buffer> {
  const key = createHash("md5").update(seed).digest();
  const stream = createCipheriv("aes-128-ctr", key, Buffer.alloc(16));
  for (let written = 0; written < size;) {
    const piece = stream.update(Buffer.alloc(Math.min(PIECE, size - written)));
    if (written === 0) piece.set([0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 3].slice(0, size));
    written += piece.length;
    yield piece;
  }
}

async function writeLayer(
  blobs: string,
  content: Iterable<Buffer> | AsyncIterable<Buffer>,
): Promise<Omit<Layer, "mediaType">> {
  const hash = createHash("sha256");
  const temporary = join(blobs, "temporary");
  let size = 0;
  {
    await using file = await open(temporary, "w");
    for await (const piece of content) {
      hash.update(piece);
      await file.writeFile(piece);
      size += piece.length;
    }
  }
  const digest = hash.digest("hex");
  await rename(temporary, join(blobs, digest));
  return { digest: `sha256:${digest}`, size };
}
