// One whole copy between two references.

import { NO_CACHE } from "../support/blob-info-cache.ts";
import { copyImage } from "../../src/copy/copy.ts";
import type { CopyEnds, CopyResult } from "../../src/copy/interfaces.ts";
import type { CopyOptions } from "../../src/copy/options.ts";
import { LocalSemaphore } from "../../src/copy/semaphore.ts";
import type { Side } from "../../src/errors.ts";
import { parseReference } from "../../src/image/reference.ts";
import type { AccessContext } from "../../src/transport/access.ts";
import type { Registries } from "../../src/transport/docker/registries.ts";
import { openDestination, openSource } from "../../src/transport/open.ts";
import { accessTo, never } from "../support/folders.ts";
import { DEFAULTS } from "../support/options.ts";

/** What a copy is to do besides. */
export interface Given extends Partial<Pick<CopyEnds, "compression">> {
  readonly options?: Partial<CopyOptions>;
  readonly source?: Partial<AccessContext>;
  readonly destination?: Partial<AccessContext>;
}

export async function copyBetween(
  order: {
    readonly dataDir: string;
    readonly registries: Registries;
    readonly source: string;
    readonly destination: string;
  },
  given: Given & { readonly signal?: AbortSignal } = {},
): Promise<CopyResult> {
  const { dataDir, registries } = order;
  const { signal = never, compression = {}, options } = given;
  const access = (side: Side) =>
    accessTo(dataDir, side, { registries, tlsVerify: false, ...given[side] });
  await using source = await openSource(parseReference(order.source), access("source"), signal);
  await using destination = await openDestination(
    parseReference(order.destination),
    access("destination"),
    signal,
  );
  const host = { os: "linux", architecture: "amd64" };
  return await copyImage(
    { source, destination, platform: {}, host, compression, cache: NO_CACHE },
    { ...DEFAULTS, ...options },
    { blobs: new LocalSemaphore(6), report: () => {}, signal },
  );
}
