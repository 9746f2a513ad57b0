// A docker engine as a place of the matrix, through its own command: DOCKER_HOST says where it is.

import { execFile, spawnSync } from "node:child_process";
import { promisify } from "node:util";
import { savedBefore25 } from "../../support/places.ts";
import { treeOfTar, type TreeFile } from "../../support/readings.ts";
import type { Sample } from "../../support/samples.ts";
import type { Made } from "./model.ts";

const run = promisify(execFile);

/** Why there is none; false: one answers. */
export function noEngine(): string | false {
  if (process.env["DOCKER_HOST"] === undefined) return "DOCKER_HOST is not set";
  const { status } = spawnSync("docker", ["version", "--format", "{{.Server.Version}}"]);
  return status === 0 ? false : "no engine answers at DOCKER_HOST";
}

/** Where skopeo is to look, which does not read DOCKER_HOST. */
export const engineHost = (): string => process.env["DOCKER_HOST"] ?? "";

export async function loadImage(name: string, sample: Sample): Promise<void> {
  const loading = run("docker", ["load", "--quiet"]);
  loading.child.stdin?.end(savedBefore25([{ sample, names: [name] }]));
  await loading;
}

interface Saved {
  readonly Config: string;
  readonly Layers: readonly string[];
}

/** The config and the layers of an image, in whatever layout the engine saves them. */
export async function readImage(name: string): Promise<Made> {
  const saved = await run("docker", ["save", name], {
    encoding: "buffer",
    maxBuffer: 64 * 1024 * 1024,
  }).catch(() => undefined);
  if (saved === undefined) return {};
  const files = treeOfTar(saved.stdout);
  const follow = (path: string): TreeFile => {
    const file = files.get(path) as TreeFile;
    return file.target === undefined
      ? file
      : follow(new URL(file.target, `file:///${path}`).pathname.slice(1));
  };
  const [image] = JSON.parse((files.get("manifest.json") as TreeFile).bytes.toString()) as [Saved];
  const plain = (path: string): TreeFile => ({ bytes: follow(path).bytes, mode: 0 });
  return {
    tree: new Map([
      ["config", plain(image.Config)],
      ...image.Layers.map((path, i) => [`layer ${i}`, plain(path)] as const),
    ]),
  };
}

/** Removes the images whose names begin so. */
export async function removeImages(prefix: string): Promise<void> {
  const format = "{{.Repository}}:{{.Tag}}";
  const { stdout } = await run("docker", [
    "images",
    `--filter=reference=${prefix}*`,
    `--format=${format}`,
  ]);
  const names = stdout.split("\n").filter((name) => name !== "");
  if (names.length > 0) await run("docker", ["rmi", "--force", ...names]);
}
