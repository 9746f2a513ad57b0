// Token services that a registry names: which may be asked at all, and which may know who asks. No I/O.

/** Characters. */
const REALM_LIMIT = 2048;

/** The realm's address, or undefined where it must not be contacted: no URL, with user info, or without TLS for a registry that has it. */
export function parseRealm(realm: string, registry: URL): URL | undefined {
  const url = realm.length <= REALM_LIMIT ? URL.parse(realm) : null;
  if (url === null || url.username !== "" || url.password !== "") return undefined;
  if (url.protocol === "https:" || (url.protocol === "http:" && registry.protocol === "http:"))
    return url;
  return undefined;
}

/** May the credentials for this registry be shown to that token service? */
export function mayKnow(realm: URL, registry: URL): boolean {
  if (realm.hostname === registry.hostname) return true;
  const domain = registrableDomain(realm.hostname);
  return domain !== undefined && domain === registrableDomain(registry.hostname);
}

/**
 * The part of a name that somebody registered, by a simple rule: two labels, or three where the second looks like a country's own
 * division (`co.uk`, `com.au`). Undefined for addresses and single labels: those are compared whole.
 */
export function registrableDomain(host: string): string | undefined {
  const labels = host.split(".");
  const last = labels.at(-1) ?? "";
  if (labels.length < 2 || host.startsWith("[") || !Number.isNaN(Number(last))) return undefined;
  const isDivision = last.length === 2 && (labels.at(-2) ?? "").length <= 3;
  return isDivision && labels.length < 3 ? undefined : labels.slice(isDivision ? -3 : -2).join(".");
}
