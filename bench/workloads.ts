import { createCipheriv, createHash, type Hash } from "node:crypto";
import { mkdir, open, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

const PIECE = 4 * 1024 * 1024;

/**
 * Writes an OCI layout with one image named `image`, its layers of the given sizes (bytes). Layers are incompressible bytes behind the
 * magic of gzip: without it skopeo, and only skopeo, would compress them on the way.
 */
export async function writeLayout(dir: string, layers: readonly number[]): Promise<void> {
  const blobs = join(dir, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const put = async (bytes: Buffer, mediaType: string) => {
    const digest = createHash("sha256").update(bytes).digest("hex");
    await writeFile(join(blobs, digest), bytes);
    return { mediaType, digest: `sha256:${digest}`, size: bytes.length };
  };
  const descriptors = [];
  for (const [i, size] of layers.entries())
    descriptors.push(await writeLayer(blobs, size, `layer ${i}`));
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
}

async function writeLayer(blobs: string, size: number, seed: string) {
  const stream = createCipheriv(
    "aes-128-ctr",
    createHash("md5").update(seed).digest(),
    Buffer.alloc(16),
  );
  const hash: Hash = createHash("sha256");
  const temporary = join(blobs, "temporary");
  await using file = await open(temporary, "w");
  for (let written = 0; written < size;) {
    const piece = stream.update(Buffer.alloc(Math.min(PIECE, size - written)));
    if (written === 0) piece.set([0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 3].slice(0, size));
    hash.update(piece);
    await file.write(piece);
    written += piece.length;
  }
  const digest = hash.digest("hex");
  await rename(temporary, join(blobs, digest));
  return {
    mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
    digest: `sha256:${digest}`,
    size,
  };
}
