// Lines from one layout to another.

import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { skopeo } from "../test/support/peers.ts";
import type { Service } from "../test/support/service.ts";
import type { Copies } from "./line.ts";
import { timed } from "./measure.ts";
import { copyOurs } from "./ours.ts";
import { skopeoCopy } from "./peers.ts";
import { writeRootLayout } from "./workloads.ts";

/** From one layout to a new one for each run; neither can find what the other, or a run before, has converted. */
export async function convertedTo(
  home: string,
  service: Service,
  layers: readonly number[],
  compressionFormat: "gzip" | "zstd",
): Promise<Copies> {
  const plain = join(home, "plain");
  await writeRootLayout(plain, layers);
  const source = join(service.dataDir, "source");
  if (compressionFormat === "zstd") {
    await skopeo("copy", `oci:${plain}:image`, `oci:${source}:image`);
    await rm(plain, { recursive: true });
  }
  // Both read the same files.
  const files = compressionFormat === "zstd" ? source : plain;
  if (files === plain) await timed("cp", ["-r", plain, source]);
  return {
    round: async (i) => {
      const ours = join(service.dataDir, `ours${i}`);
      const theirs = join(home, `theirs${i}`);
      const round = {
        ours: await copyOurs(service, {
          source: "oci:source:image",
          destination: `oci:ours${i}:image`,
          destinationContext: { compressionFormat },
        }),
        skopeo: await skopeoCopy(
          "--dest-compress-format",
          compressionFormat,
          `oci:${source}:image`,
          `oci:${theirs}:image`,
        ),
      };
      const sized = {
        ours: { ...round.ours, bytes: await bytesIn(ours) },
        skopeo: { ...round.skopeo, bytes: await bytesIn(theirs) },
      };
      await Promise.all([ours, theirs].map((folder) => rm(folder, { recursive: true })));
      return sized;
    },
    [Symbol.asyncDispose]: () => rm(source, { recursive: true, force: true }),
  };
}

async function bytesIn(layout: string): Promise<number> {
  const folder = join(layout, "blobs/sha256");
  const sizes = (await readdir(folder)).map(async (name) => (await stat(join(folder, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}
