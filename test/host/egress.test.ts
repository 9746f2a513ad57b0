import assert from "node:assert/strict";
import { test } from "node:test";
import {
  decideAddress,
  decideConnection,
  decideHost,
  parseHosts,
  parseNetworks,
  type EgressRules,
} from "../../src/host/egress.ts";
import { NEVER_REACHED, PRIVATE_SPELLINGS, PUBLIC_SPELLINGS } from "../support/spellings.ts";

const NONE: EgressRules = {
  allowed: undefined,
  denied: parseHosts(""),
  privateNetworks: parseNetworks(""),
};
const rulesWith = (more: {
  allowed?: string;
  denied?: string;
  networks?: string;
}): EgressRules => ({
  allowed: more.allowed === undefined ? undefined : parseHosts(more.allowed),
  denied: parseHosts(more.denied ?? ""),
  privateNetworks: parseNetworks(more.networks ?? ""),
});
const OPEN: EgressRules = { ...NONE, privateNetworks: "all" };

/** The host as everything behind the URL parser sees it. */
const hostOf = (spelling: string): string | undefined => URL.parse(`http://${spelling}/`)?.hostname;
const isAllowed = (host: string, rules: EgressRules, port = 443) =>
  decideHost(host, port, rules) === true;

for (const spelling of PRIVATE_SPELLINGS)
  test(`${spelling} is private: refused unless an operator allows it`, () => {
    const host = hostOf(spelling) ?? assert.fail("the URL parser takes no such host");
    assert.equal(isAllowed(host, NONE), false);
    assert.equal(isAllowed(host, OPEN), true);
    assert.equal(isAllowed(host, rulesWith({ networks: "0.0.0.0/0,::/0" })), true);
    assert.equal(isAllowed(host, rulesWith({ allowed: "0.0.0.0/0,::/0" })), false);
  });

for (const spelling of NEVER_REACHED)
  test(`${spelling} is never reached, whatever an operator allows`, () => {
    const host = hostOf(spelling) ?? assert.fail("the URL parser takes no such host");
    assert.equal(isAllowed(host, OPEN), false);
    assert.equal(
      isAllowed(host, rulesWith({ networks: "0.0.0.0/0,::/0", allowed: "0.0.0.0/0,::/0" })),
      false,
    );
  });

for (const spelling of PUBLIC_SPELLINGS)
  test(`control: ${spelling} is public`, () => {
    const host = hostOf(spelling) ?? assert.fail("the URL parser takes no such host");
    assert.equal(isAllowed(host, NONE), true);
  });

test("what is no address is refused, and a zone changes nothing", () => {
  for (const address of ["", "localhost", "1.2.3", "fe80::1%eth0", "::ffff:127.0.0.1", "x%::1"])
    assert.notEqual(decideAddress(address, 443, NONE), true, address);
  assert.equal(decideAddress("2606:4700::1111", 443, NONE), true);
  assert.equal(decideAddress("::ffff:1.1.1.1", 443, NONE), true);
});

test("an IPv4 address that a translator would read out of IPv6 (SIIT) is judged as well", () => {
  assert.equal(isAllowed("::ffff:0:7f00:1", NONE), false);
  assert.equal(isAllowed("::ffff:0:a9fe:a9fe", OPEN), false);
  assert.equal(isAllowed("::ffff:0:101:101", NONE), true);
});

test("one address of several that may not be reached refuses the host", () => {
  const decide = (...addresses: string[]) =>
    decideConnection("registry.example.com", 443, addresses, NONE);
  assert.equal(decide("1.1.1.1", "2606:4700::1111"), true);
  for (const addresses of [["10.0.0.5"], ["1.1.1.1", "127.0.0.1"], ["::1", "1.1.1.1"], []])
    assert.notEqual(decide(...addresses), true, String(addresses));
});

test("a reason does not tell which inner address a name has", () => {
  const verdict = decideConnection("inner.example.com", 443, ["10.1.2.3"], NONE);
  assert.deepEqual(verdict, {
    reason: "leads to a private address that PRIVATE_NETWORKS does not name",
  });
});

const LISTS: readonly (readonly [
  list: string,
  yes: readonly (readonly [string, number?])[],
  no: readonly (readonly [string, number?])[],
])[] = [
  [
    "registry.example.com",
    [["registry.example.com"], ["registry.example.com", 5000], ["REGISTRY.example.com."]],
    [["example.com"], ["a.registry.example.com"], ["registry.example.com.evil.net"]],
  ],
  [
    "registry.example.com:5000",
    [["registry.example.com", 5000]],
    [["registry.example.com"], ["registry.example.com", 5001]],
  ],
  ["registry.example.com:443", [["registry.example.com", 443]], [["registry.example.com", 80]]],
  [
    "*.example.com, other.net",
    [["a.example.com"], ["a.b.example.com", 8443], ["other.net"]],
    [["example.com"], ["aexample.com"], ["example.com.evil.net"]],
  ],
  ["*.example.com:443", [["a.example.com"]], [["a.example.com", 80]]],
  ["9.9.9.0/24", [["9.9.9.9"], ["9.9.9.9", 5000]], [["9.9.8.9"]]],
  ["9.9.9.9", [["9.9.9.9"], ["[::ffff:909:909]"], ["64:ff9b::909:909"]], [["9.9.9.8"]]],
  ["9.9.9.9:5000", [["9.9.9.9", 5000]], [["9.9.9.9"]]],
  ["151587081", [["9.9.9.9"]], [["9.9.9.8"]]],
  ["2620:fe::/48", [["2620:fe::9"], ["[2620:fe::9]"]], [["2620:fd::9"]]],
  ["[2620:fe::9]:5000", [["2620:fe::9", 5000]], [["2620:fe::9", 443]]],
  ["bücher.example", [["xn--bcher-kva.example"]], [["bucher.example"]]],
];
for (const [list, yes, no] of LISTS)
  test(`ALLOWED_HOSTS and DENIED_HOSTS: ${list}`, () => {
    for (const [host, port] of yes) {
      assert.ok(isAllowed(host, rulesWith({ allowed: list }), port), `allowed: ${host}`);
      assert.ok(!isAllowed(host, rulesWith({ denied: list }), port), `denied: ${host}`);
      assert.ok(!isAllowed(host, rulesWith({ allowed: list, denied: list }), port), "denied wins");
    }
    for (const [host, port] of no) {
      assert.ok(!isAllowed(host, rulesWith({ allowed: list }), port), `not allowed: ${host}`);
      assert.ok(isAllowed(host, rulesWith({ denied: list }), port), `not denied: ${host}`);
    }
  });

test("a range allows and denies names by the addresses they have", () => {
  const decide = (rules: EgressRules, ...addresses: string[]) =>
    decideConnection("registry.example.com", 443, addresses, rules) === true;
  const allowed = rulesWith({ allowed: "9.9.9.0/24" });
  assert.equal(decideHost("registry.example.com", 443, allowed), true, "it is not known yet");
  assert.equal(decide(allowed, "9.9.9.9"), true);
  assert.equal(decide(allowed, "9.9.9.9", "1.1.1.1"), false);
  const denied = rulesWith({ denied: "9.9.9.0/24" });
  assert.equal(decide(denied, "1.1.1.1"), true);
  assert.equal(decide(denied, "1.1.1.1", "9.9.9.9"), false);
  assert.equal(decide(rulesWith({ networks: "10.0.0.0/8" }), "10.1.2.3"), true);
  assert.equal(decide(rulesWith({ networks: "10.0.0.0/8" }), "192.168.1.1"), false);
});

test("an address with a port allows and denies whatever name or spelling leads to it there", () => {
  const lists = ["10.0.0.5:6379", "[::ffff:10.0.0.5]:6379"];
  const ways = [
    ["redis.example.com", "10.0.0.5"],
    ["redis.example.com", "::ffff:10.0.0.5"],
    ["[::ffff:a00:5]", "::ffff:a00:5"],
    ["64:ff9b::a00:5", "64:ff9b::a00:5"],
  ] as const;
  for (const list of lists)
    for (const [host, address] of ways) {
      const decide = (rules: EgressRules, port: number) =>
        decideConnection(host, port, [address], { ...rules, privateNetworks: "all" }) === true;
      assert.equal(decide(rulesWith({ denied: list }), 6379), false, `${list}, ${host}`);
      assert.equal(decide(rulesWith({ denied: list }), 6380), true, `${list}, ${host}`);
      assert.equal(decide(rulesWith({ allowed: list }), 6379), true, `${list}, ${host}`);
      assert.equal(decide(rulesWith({ allowed: list }), 6380), false, `${list}, ${host}`);
    }
  assert.equal(
    decideHost("redis.example.com", 6379, rulesWith({ allowed: "10.0.0.5:6379" })),
    true,
    "it is not known yet",
  );
});

test("lists with something in them that is no host are refused, and it is named", () => {
  for (const item of [
    "http://x.example",
    "a b",
    "*",
    "*.",
    "*.10.0.0.1",
    "a.*.example",
    "x.example/path",
    "user@x.example",
    "x.example:port",
    "x.example:99999",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "10.0.0/8",
    "::/129",
    "[::1",
    "a%zz",
  ])
    assert.throws(
      () => parseHosts(`ok.example,${item}`),
      ({ message }: Error) => message.includes(`\`${item}\``),
      item,
    );
  for (const item of ["localhost", "10.0.0.0-10.0.0.9", "*", "fe80::1%eth0"])
    assert.throws(
      () => parseNetworks(`127.0.0.1,${item}`),
      ({ message }: Error) => message.includes(`\`${item}\``),
      item,
    );
});
