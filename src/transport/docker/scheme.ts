import type { AccessContext } from "../access.ts";
import { speaksNoTls } from "./failures.ts";

export type Scheme = "http:" | "https:";

/**
 * Only where certificates do not matter is plain HTTP an answer to TLS that is not spoken; found out once per host. `probe` asks there,
 * and throws what asking throws.
 */
export async function schemeFor(
  host: string,
  { tlsVerify, registries }: AccessContext,
  probe: (scheme: Scheme) => Promise<void>,
): Promise<Scheme> {
  if (tlsVerify !== false) return "https:";
  const known = registries.schemes.get(host);
  if (known !== undefined) return known;
  const found = await probe("https:").then(
    () => "https:" as const,
    async (error: unknown) => {
      if (!speaksNoTls(error)) throw error;
      await probe("http:");
      return "http:" as const;
    },
  );
  registries.schemes.set(host, found);
  return found;
}
