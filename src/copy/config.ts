import { collect } from "../bytes.ts";
import { CopyError } from "../errors.ts";
import type { Descriptor } from "../image/blob-info.ts";
import { blamed, blameSource } from "./blame.ts";
import type { Source } from "./interfaces.ts";
import { verify } from "./pipeline/verify.ts";

/** Bytes of a config that is looked into (containers/image reads no more). */
const CONFIG_LIMIT = 4 * 1024 * 1024;

/** A config's bytes, which are those that its manifest names. Throws `manifest_invalid` where there are too many. */
export async function getConfig(
  source: Pick<Source, "getBlob">,
  config: Descriptor,
  signal: AbortSignal,
): Promise<Buffer> {
  const at = { side: "source", phase: "config", digest: config.digest } as const;
  if (config.size > CONFIG_LIMIT)
    throw new CopyError(
      "manifest_invalid",
      `the config has ${config.size} bytes, more than the ${CONFIG_LIMIT} that are looked into`,
      at,
    );
  const { content } = await blamed(at, signal, () => source.getBlob(config, signal));
  const verified = verify(config)(blameSource(at)({ content, info: config }));
  return collect(verified.content, signal);
}
