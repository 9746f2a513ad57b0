// Puts what a scenario copies into a real registry, by plain requests.

import { digestOf } from "./oracle.ts";
import type { TestImage, TestList } from "../support/images.ts";
import { TAG_NAMES, type Scenario } from "./scenarios.ts";

export async function fill(
  host: string,
  { name, image, artifacts = [], lists }: Scenario,
): Promise<void> {
  const base = `http://${host}/v2/from/${name}`;
  for (const tag of lists ? TAG_NAMES : ["v1"]) await putImage(base, tag, image);
  for (const artifact of artifacts) await putImage(base, artifact.digest, artifact);
}

/** Deletes the blobs of what a scenario copies, where they are. */
export async function forgetBlobs(
  host: string,
  { image, artifacts = [] }: Scenario,
): Promise<void> {
  const images = [...("images" in image ? image.images : [image]), ...artifacts];
  for (const digest of images.flatMap(({ blobs }) => [...blobs.keys()])) {
    const url = `http://${host}/v2/any/blobs/${digest}`;
    const response = await fetch(url, { method: "DELETE" });
    await response.body?.cancel();
  }
}

async function putImage(base: string, ref: string, image: TestImage | TestList): Promise<void> {
  if ("images" in image)
    for (const child of image.images) await putImage(base, child.digest, child);
  else for (const bytes of image.blobs.values()) await putBlob(base, bytes);
  const { bytes, mediaType } = image.manifest;
  await expect(
    fetch(`${base}/manifests/${ref}`, {
      method: "PUT",
      headers: { "content-type": mediaType },
      body: new Uint8Array(bytes),
    }),
  );
}

async function putBlob(base: string, bytes: Buffer): Promise<void> {
  const begun = await expect(fetch(`${base}/blobs/uploads/`, { method: "POST" }));
  const url = new URL(begun.headers.get("location") ?? "", base);
  url.searchParams.set("digest", digestOf(bytes));
  await expect(
    fetch(url, {
      method: "PUT",
      headers: { "content-type": "application/octet-stream" },
      body: new Uint8Array(bytes),
    }),
  );
}

async function expect(asked: Promise<Response>): Promise<Response> {
  const response = await asked;
  if (!response.ok) throw new Error(`${response.url}: ${response.status} ${await response.text()}`);
  await response.body?.cancel();
  return response;
}
