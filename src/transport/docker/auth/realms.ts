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

/** By a registry's `host[:port]`: the hosts, with their ports where they have one, of token services that are as good as its own. */
export type TokenServices = ReadonlyMap<string, ReadonlySet<string>>;

export const NO_SERVICES: TokenServices = new Map();

/** May the credentials for this registry be shown to that token service? To one that is not of its domain only where the operator says so. */
export function mayKnow(realm: URL, registry: URL, services: TokenServices = NO_SERVICES): boolean {
  if (realm.hostname === registry.hostname) return true;
  if (services.get(registry.host)?.has(realm.host) === true) return true;
  const domain = registrableDomain(realm.hostname);
  return domain !== undefined && domain === registrableDomain(registry.hostname);
}

/** What is added to an error where credentials were given, and kept from the token service that might have wanted them. */
export const withheld = (realm: URL): string =>
  `the credentials were not shown to the token service at ${realm.host}, which is of another domain than the registry; TOKEN_SERVICES can name it`;

/** Reads `TOKEN_SERVICES`: `registry=service`, both `host[:port]`, with commas between. Throws an Error that names the first item that is not. */
export function parseTokenServices(text: string): TokenServices {
  const services = new Map<string, Set<string>>();
  for (const item of text.split(",").map((part) => part.trim())) {
    if (item === "") continue;
    const [registry, service, ...rest] = item.split("=").map(hostIn);
    if (registry === undefined || service === undefined || rest.length > 0)
      throw new Error(`\`${item}\` is not \`registry=service\`, both of them \`host[:port]\``);
    services.set(registry, (services.get(registry) ?? new Set()).add(service));
  }
  return services;
}

function hostIn(text: string): string | undefined {
  const url = /^[^/?#@\\\s]+$/.test(text) ? URL.parse(`https://${text}/`) : null;
  return url?.host || undefined;
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
