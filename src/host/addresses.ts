// Addresses and ranges of them as values: what an address really stands for, and which ranges are not the public internet.

import { BlockList, isIP } from "node:net";

/** IPv4 and IPv6 ranges; `has` of a text that is no address is false. */
export class Ranges {
  readonly #list = new BlockList();

  /** Ranges such as `10.0.0.0/8`, `fd00::/8` or `127.0.0.1`. Throws an Error that names the first that is none. */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) {
      const [address = "", bits, ...more] = range.split("/");
      const family = familyOf(address);
      const longest = family === "ipv4" ? 32 : 128;
      const prefix = bits === undefined ? longest : Number(/^\d{1,3}$/.exec(bits)?.[0]);
      if (family === undefined || more.length > 0 || !(prefix <= longest))
        throw new Error(`\`${range}\` is no address, and no range such as \`10.0.0.0/8\``);
      this.#list.addSubnet(address, prefix, family);
    }
  }

  has(address: string): boolean {
    const family = familyOf(address);
    return family !== undefined && this.#list.check(address, family);
  }
}

function familyOf(address: string): "ipv4" | "ipv6" | undefined {
  const version = address.includes("%") ? 0 : isIP(address);
  return version === 4 ? "ipv4" : version === 6 ? "ipv6" : undefined;
}

/**
 * The spellings under which an address must be judged: itself, and the IPv4 address that a gateway or the kernel reads out of an IPv6
 * one (mapped, translated, compatible, NAT64, 6to4, ISATAP). Undefined: it is no address.
 */
export function formsOf(address: string): readonly string[] | undefined {
  const [plain = ""] = address.split("%", 1);
  const version = isIP(plain);
  if (version === 0) return undefined;
  if (version === 4) return [plain];
  const groups = groupsOf(plain);
  const starts = (...wanted: readonly number[]) => wanted.every((group, i) => groups[i] === group);
  const last = ipv4Of(groups[6], groups[7]);
  if (starts(0, 0, 0, 0, 0, 0xffff)) return [last];
  if (starts(0, 0, 0, 0, 0, 0))
    // `::` and `::1` are addresses of their own.
    return groups[6] === 0 && (groups[7] ?? 0) < 2 ? [plain] : [plain, last];
  if (starts(0, 0, 0, 0, 0xffff, 0)) return [plain, last];
  if (starts(0x64, 0xff9b)) return [plain, last];
  if (starts(0x2002)) return [plain, ipv4Of(groups[1], groups[2])];
  if (groups[5] === 0x5efe && (groups[4] === 0 || groups[4] === 0x200)) return [plain, last];
  return [plain];
}

const ipv4Of = (high = 0, low = 0): string =>
  [high >> 8, high & 0xff, low >> 8, low & 0xff].join(".");

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): readonly number[] {
  // The URL parser writes the shortest form, without dots.
  const text = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [head = "", tail] = text.split("::", 2);
  const read = (part: string) => (part === "" ? [] : part.split(":").map((g) => parseInt(g, 16)));
  const [first, rest] = [read(head), read(tail ?? "")];
  return [...first, ...Array<number>(8 - first.length - rest.length).fill(0), ...rest];
}

/** Never, whatever an operator allows: unspecified, link-local, multicast, and where clouds hand out their credentials. */
export const NEVER = new Ranges([
  "0.0.0.0/8",
  "169.254.0.0/16",
  "224.0.0.0/4",
  "255.255.255.255",
  "100.100.100.200",
  "168.63.129.16",
  "192.0.0.192",
  "::",
  "fe80::/10",
  "ff00::/8",
  "fd00:ec2::/32",
  "fd20:ce::254",
]);

/** Not the public internet (IANA's special-purpose registries): only where an operator says so. */
export const PRIVATE = new Ranges([
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "240.0.0.0/4",
  "::1",
  "64:ff9b:1::/48",
  "100::/64",
  "2001::/23",
  "2001:db8::/32",
  "3fff::/20",
  "5f00::/16",
  "fc00::/7",
  "fec0::/10",
]);
