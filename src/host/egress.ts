// The egress rule: which hosts the service may connect to (reliability 1.3). What an image or a registry names is a stranger's word, and
// the service stands inside a network that strangers do not. The decisions are here; connector.ts asks them for every socket.

import { isIP } from "node:net";
import { formsOf, NEVER, PRIVATE, Ranges } from "./addresses.ts";

/** A "no" carries its reason, as the end of a sentence that begins with the host. */
export type Verdict = true | { readonly reason: string };

/** What an operator lists: names and whole domains, addresses and ranges of them, all but ranges with ports or without. */
export interface HostList {
  readonly names: readonly HostName[];
  /** At any port; undefined: none is listed. */
  readonly ranges: Ranges | undefined;
  /** Addresses at one port. */
  readonly endpoints: ReadonlySet<Endpoint>;
}

type Endpoint = `${string} ${number}`;

interface HostName {
  /** Lower-case; `.example.com` stands for every name below it. */
  readonly name: string;
  /** Undefined: any. */
  readonly port: number | undefined;
}

export interface EgressRules {
  /** Undefined: every host that is not denied. */
  readonly allowed: HostList | undefined;
  readonly denied: HostList;
  /** Loopback, private and other special addresses that may be reached all the same. */
  readonly privateNetworks: Ranges | "all";
}

/** Names that clouds give to their metadata services; their addresses are denied as well. */
const METADATA: ReadonlySet<string> = new Set(["metadata.google.internal", "metadata.goog"]);

/** Before anything is resolved: by name and port, and by the address where the host is one. What passes is judged again when it is dialled. */
export function decideHost(host: string, port: number, rules: EgressRules): Verdict {
  const name = plain(host);
  return isIP(name) === 0
    ? decideName(name, port, rules)
    : decideConnection(name, port, [name], rules);
}

/** May a host be connected to that has these addresses? One address that may not is enough for a no. */
export function decideConnection(
  host: string,
  port: number,
  addresses: readonly string[],
  rules: EgressRules,
): Verdict {
  const name = plain(host);
  const verdicts = [
    decideName(name, port, rules),
    ...addresses.map((address) => decideAddress(address, port, rules)),
  ];
  const refusal = verdicts.find((verdict) => verdict !== true);
  if (refusal !== undefined) return refusal;
  if (addresses.length === 0) return { reason: "has no address" };
  const { allowed } = rules;
  const isListed =
    allowed === undefined ||
    isNamed(name, port, allowed) ||
    addresses.every((address) => formsOf(address)?.some((form) => leadsTo(form, port, allowed)));
  return isListed || NOT_ALLOWED;
}

const NOT_ALLOWED: Verdict = { reason: "is not among ALLOWED_HOSTS" };

/** A name that only its addresses can allow passes here. */
function decideName(name: string, port: number, { allowed, denied }: EgressRules): Verdict {
  if (METADATA.has(name)) return { reason: "is a cloud's metadata service" };
  if (isNamed(name, port, denied)) return { reason: "is among DENIED_HOSTS" };
  if (allowed === undefined || isNamed(name, port, allowed)) return true;
  return allowed.ranges !== undefined || allowed.endpoints.size > 0 || NOT_ALLOWED;
}

/** May this address be connected to, by whatever name it is called? The reason does not repeat it: it may be an inner secret. */
export function decideAddress(
  address: string,
  port: number,
  { denied, privateNetworks }: Pick<EgressRules, "denied" | "privateNetworks">,
): Verdict {
  const forms = formsOf(address);
  if (forms === undefined) return { reason: "has an address that is none" };
  for (const form of forms) {
    if (NEVER.has(form))
      return {
        reason: "leads to a link-local, multicast or metadata address, which is never dialled",
      };
    if (leadsTo(form, port, denied))
      return { reason: "leads to an address that DENIED_HOSTS denies" };
    if (PRIVATE.has(form) && privateNetworks !== "all" && !privateNetworks.has(form))
      return { reason: "leads to a private address that PRIVATE_NETWORKS does not name" };
  }
  return true;
}

/** As comparisons want it: lower-case, without brackets, without the dot of a name that is complete. */
function plain(host: string): string {
  const bare = host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
  return bare.toLowerCase().replace(/\.$/, "");
}

const isNamed = (host: string, port: number, { names }: HostList): boolean =>
  names.some(
    (listed) =>
      (listed.port === undefined || listed.port === port) &&
      (listed.name.startsWith(".") ? host.endsWith(listed.name) : host === listed.name),
  );

/** By whatever name: an operator who lists an address means what is there. */
const leadsTo = (form: string, port: number, { ranges, endpoints }: HostList): boolean =>
  ranges?.has(form) === true || endpoints.has(`${form} ${port}`);

/**
 * Reads `ALLOWED_HOSTS` or `DENIED_HOSTS`: `host[:port]`, `*.domain[:port]`, an address or a range, with commas between. Throws an Error
 * that names the first that is none of them.
 */
export function parseHosts(text: string): HostList {
  const names: HostName[] = [];
  const ranges: string[] = [];
  const endpoints = new Set<Endpoint>();
  for (const item of itemsOf(text)) {
    const isAddress = isIP(item.split("/", 1)[0] ?? "") !== 0;
    const named = isAddress ? undefined : parseName(item);
    const [form] = named === undefined ? [] : (formsOf(named.name) ?? []);
    if (named === undefined) ranges.push(item);
    else if (form === undefined) names.push(named);
    else if (named.port === undefined) ranges.push(form);
    else endpoints.add(`${form} ${named.port}`);
  }
  return { names, ranges: ranges.length === 0 ? undefined : new Ranges(ranges), endpoints };
}

/** Reads `PRIVATE_NETWORKS`. Throws an Error that names the first item that is neither an address nor a range. */
export const parseNetworks = (text: string): Ranges => new Ranges(itemsOf(text));

const itemsOf = (text: string): readonly string[] =>
  text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");

function parseName(item: string): HostName {
  const isDomain = item.startsWith("*.");
  const host = isDomain ? item.slice(2) : item;
  // The URL parser knows every spelling of a host; what comes back changed in any other part was none.
  const url = /^[^/?#@\\*]+$/.test(host) ? URL.parse(`wss://${host}/`) : null;
  const name = url === null ? "" : plain(url.hostname);
  if (url === null || name === "" || (isDomain && isIP(name) !== 0))
    throw new Error(
      `\`${item}\` is neither \`host[:port]\`, nor \`*.domain\`, nor an address or a range of them`,
    );
  const port = /:(\d+)$/.exec(host)?.[1];
  return {
    name: isDomain ? `.${name}` : name,
    port: port === undefined ? undefined : Number(port),
  };
}
