// The operator's credentials, and who is lent them.

import { CopyError } from "../../../errors.ts";
import type { AccessContext } from "../../access.ts";

/**
 * The same access, with the operator's credentials for a repository (`AUTH_FILE`) where the client gave none and did not ask to be
 * nobody. `registry` is the one that is contacted, as references write it. Throws `internal` where they cannot be looked up, and
 * `invalid_request` where they would go to whomever the client's own authorities vouch for (decision 19).
 */
export async function withCredentials(
  access: AccessContext,
  { registry, repository }: { readonly registry: string; readonly repository: string },
): Promise<AccessContext> {
  const { keychain, mustVerify } = access.registries;
  const { side, caCertificates } = access;
  if (keychain === undefined || access.credentials !== undefined || access.anonymous === true)
    return access;
  const credentials = await keychain.find(registry, repository);
  if (credentials === undefined) return access;
  if (mustVerify && caCertificates !== undefined)
    throw new CopyError("invalid_request", `the ${side}'s \`caCertificates\` ${OWN_AUTHORITY}`, {
      side,
      registry,
    });
  return { ...access, credentials };
}

const OWN_AUTHORITY =
  "must not come with the service's own credentials, by the operator's TLS_VERIFY: send `auth`, or have the operator put the authority into CERTS_DIR";
