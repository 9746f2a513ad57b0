// Whose request it is.

import { createHash, timingSafeEqual } from "node:crypto";
import { CopyError } from "../errors.ts";

/** The tenant of everyone while no key is configured. */
const DEFAULT_TENANT = "default";

/**
 * Tells the tenant of an `Authorization` header. `apiKeys`: tenants by the SHA-256 of their keys, in hexadecimal; undefined: no key is
 * asked for. The function throws `unauthenticated`; it takes as long for a wrong key as for a right one.
 */
export function authenticator(
  apiKeys: ReadonlyMap<string, string> | undefined,
): (authorization: string | undefined) => string {
  if (apiKeys === undefined) return () => DEFAULT_TENANT;
  const known = [...apiKeys].map(([hash, tenant]) => ({ hash: Buffer.from(hash, "hex"), tenant }));
  return (authorization) => {
    const given = createHash("sha256")
      .update(bearerOf(authorization) ?? "")
      .digest();
    let found: string | undefined;
    for (const { hash, tenant } of known) if (timingSafeEqual(hash, given)) found = tenant;
    if (found !== undefined) return found;
    throw new CopyError(
      "unauthenticated",
      authorization === undefined
        ? "the request has no Authorization header"
        : "the API key is not known",
    );
  };
}

/** `Bearer <key>`; the scheme's case does not matter (RFC 9110, 11.1). */
function bearerOf(authorization: string | undefined): string | undefined {
  const [scheme, key, ...rest] = (authorization ?? "").split(" ");
  return scheme?.toLowerCase() === "bearer" && rest.length === 0 ? key : undefined;
}
