import type { AccessContext } from "../../access.ts";

/**
 * The same access, with the operator's credentials for a repository (`AUTH_FILE`) where the client gave none and did not ask to be
 * nobody. `registry` is the one that is contacted, as references write it. Throws `internal` where they cannot be looked up.
 */
export async function withCredentials(
  access: AccessContext,
  { registry, repository }: { readonly registry: string; readonly repository: string },
): Promise<AccessContext> {
  const { keychain } = access.registries;
  if (keychain === undefined || access.credentials !== undefined || access.anonymous === true)
    return access;
  const credentials = await keychain.find(registry, repository);
  return credentials === undefined ? access : { ...access, credentials };
}
