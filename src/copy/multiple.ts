// A list and its images: the images first, each as single.ts does it, then the list's own manifest (semantics 1.5).

import { CopyError } from "../errors.ts";
import { parseList } from "../image/manifest/list.ts";
import type { Instance, RawManifest } from "../image/manifest/manifest.ts";
import { checkDestinationDigest } from "./decide.ts";
import { group } from "./group.ts";
import { chooseInstances } from "./instances.ts";
import { LocalSemaphore } from "./semaphore.ts";
import {
  checkType,
  copySingle,
  getSignatures,
  putSignatures,
  type Copy,
  type Written,
} from "./single.ts";

/** Images of a list at once: enough to keep the blobs' permits busy, few enough that manifests do not fill the memory. */
const IMAGES_AT_ONCE = 4;

/** Copies the chosen images of a list, then the list as it was read; entries that were not chosen stay named in it. */
export async function copyMultiple(
  copy: Copy,
  manifest: RawManifest,
  signal: AbortSignal,
): Promise<Written> {
  const {
    ends: { destination },
    options,
    control: { report },
    sourceDigest,
  } = copy;
  const list = parseList(manifest);
  const signatures = await getSignatures(copy, undefined, "image list", signal);
  checkDestinationDigest(destination.digest, [sourceDigest]);
  checkType(copy, manifest, signatures);

  const chosen = chooseInstances(list, options);
  report({
    type: "report",
    message: `Copying ${chosen.length} images generated from ${list.instances.length} images in list`,
  });
  const images = new LocalSemaphore(IMAGES_AT_ONCE);
  await group(
    signal,
    chosen.map(
      (instance, i) => (either) =>
        images.run(
          (own) => copyInstance(copy, instance, `(${i + 1}/${chosen.length})`, own),
          either,
        ),
    ),
  );

  report({ type: "report", message: "Writing manifest list to image destination" });
  await destination.putManifest(manifest, undefined, signal);
  await putSignatures(copy, signatures, undefined, "Storing list signatures", signal);
  return { manifest, signatures: signatures.length, skipped: false };
}

async function copyInstance(
  copy: Copy,
  instance: Instance,
  position: string,
  signal: AbortSignal,
): Promise<void> {
  const {
    ends: { source },
    control: { report },
  } = copy;
  report({ type: "report", message: `Copying image ${instance.digest} ${position}` });
  await copySingle(copy, await getInstance(source, instance, signal), instance.digest, signal);
}

/** An instance's manifest. The list's word and the source's must agree on what it is (reliability T19). */
export async function getInstance(
  source: Copy["ends"]["source"],
  instance: Instance,
  signal: AbortSignal,
): Promise<RawManifest> {
  const manifest = await source.getManifest(instance.digest, signal);
  if (manifest.mediaType === instance.mediaType) return manifest;
  throw new CopyError(
    "manifest_invalid",
    `the list calls ${instance.digest} \`${instance.mediaType}\`, it was served as \`${manifest.mediaType}\``,
    { side: "source", phase: "manifest", digest: instance.digest },
  );
}
