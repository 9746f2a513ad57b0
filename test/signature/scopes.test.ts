// Semantics 11.3, tables H and K, and 6.7.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDockerReference } from "../../src/image/reference/docker.ts";
import { parsePolicy, requirementsFor } from "../../src/signature/policy.ts";
import { faultOfScope, scopesOf, type PolicySubject } from "../../src/signature/scopes.ts";

const docker = (name: string): PolicySubject => ({
  transport: "docker",
  reference: `docker://${name}`,
  name: parseDockerReference(name, name),
});
const DIGEST = `sha256:${"0".repeat(64)}`;

const TABLE_H: readonly (readonly [name: string, scopes: readonly string[]])[] = [
  [
    "yet.another.example.com:8443/ns/repo:1",
    [
      "yet.another.example.com:8443/ns/repo:1",
      "yet.another.example.com:8443/ns/repo",
      "yet.another.example.com:8443/ns",
      "yet.another.example.com:8443",
      "*.another.example.com",
      "*.example.com",
      "*.com",
      "",
    ],
  ],
  [
    `example.com/ns/repo@${DIGEST}`,
    [
      `example.com/ns/repo@${DIGEST}`,
      "example.com/ns/repo",
      "example.com/ns",
      "example.com",
      "*.com",
      "",
    ],
  ],
  ["localhost/repo:1", ["localhost/repo:1", "localhost/repo", "localhost", ""]],
  [
    "notlocalhost/repo:1",
    [
      "docker.io/notlocalhost/repo:1",
      "docker.io/notlocalhost/repo",
      "docker.io/notlocalhost",
      "docker.io",
      "*.io",
      "",
    ],
  ],
  [
    "busybox",
    [
      "docker.io/library/busybox:latest",
      "docker.io/library/busybox",
      "docker.io/library",
      "docker.io",
      "*.io",
      "",
    ],
  ],
];

for (const [name, scopes] of TABLE_H)
  test(`a policy looks for ${name} from its name up to its domain`, () => {
    assert.deepEqual(scopesOf(docker(name)), scopes);
  });

test("a reference with a tag and a digest has no scope", () => {
  assert.throws(() => scopesOf(docker(`busybox:latest@${DIGEST}`)), /tag or its digest/);
});

const PLACES: readonly (readonly [
  subject: Omit<PolicySubject, "reference">,
  scopes: readonly string[],
])[] = [
  [
    { transport: "dir", path: "/var/lib/images/app" },
    ["/var/lib/images/app", "/var/lib/images", "/var/lib", "/var", ""],
  ],
  [{ transport: "oci", path: "/layout" }, ["/layout", ""]],
  [{ transport: "docker-archive", path: "/a.tar" }, [""]],
  [{ transport: "tarball" }, [""]],
  [{ transport: "docker-daemon" }, [""]],
];

for (const [subject, scopes] of PLACES)
  test(`${subject.transport} ${subject.path ?? ""} has the scopes ${JSON.stringify(scopes)}`, () => {
    assert.deepEqual(scopesOf({ reference: "", ...subject }), scopes);
  });

/** Each scope of table K, told apart by the reference that its requirement asks for. */
const marked = (mark: string) => [
  {
    type: "signedBy",
    keyType: "GPGKeys",
    keyData: "",
    signedIdentity: { type: "exactReference", dockerReference: `mark.example/${mark}:1` },
  },
];
const SCOPES: Readonly<Record<string, string>> = {
  "": "transport",
  unmatched: "unmatched",
  "deep.com": "host",
  "*.very.deep.com": "very",
  "*.deep.com": "wild",
  "deep.com/n1": "n1",
  "deep.com/n1/n2": "n2",
  "deep.com/n1/n2/n3": "n3",
  "deep.com/n1/n2/n3/repo": "repo",
  "deep.com/n1/n2/n3/repo:tag2": "exact",
};
const K = parsePolicy(
  {
    default: marked("default"),
    transports: {
      docker: Object.fromEntries(Object.entries(SCOPES).map(([s, mark]) => [s, marked(mark)])),
      oci: { "/elsewhere": marked("elsewhere") },
    },
  },
  "files",
);

const TABLE_K: readonly (readonly [subject: PolicySubject, mark: string])[] = [
  [docker("deep.com/n1/n2/n3/repo:tag2"), "exact"],
  [docker("deep.com/n1/n2/n3/repo:nottag2"), "repo"],
  [docker("deep.com/n1/n2/n3/notrepo:tag2"), "n3"],
  [docker("deep.com/n1/n2/notn3/repo:tag2"), "n2"],
  [docker("deep.com/n1/notn2/n3/repo:tag2"), "n1"],
  [docker("deep.com/notn1/n2/n3/repo:tag2"), "host"],
  [docker("very.deep.com/n1/n2/n3/repo:tag2"), "wild"],
  [docker("not.very.deep.com/n1/n2/n3/repo:tag2"), "very"],
  [docker("this.does-not/match:anything"), "transport"],
  [{ transport: "oci", reference: "oci:a", path: "/a" }, "default"],
  [{ transport: "dir", reference: "dir:a", path: "/a" }, "default"],
];

for (const [subject, mark] of TABLE_K)
  test(`${subject.reference} must fulfil what the scope "${mark}" asks for`, () => {
    const [requirement] = requirementsFor(K, subject);
    assert.ok(requirement?.type === "signedBy");
    const { signedIdentity } = requirement;
    assert.ok(signedIdentity.type === "exactReference");
    assert.equal(signedIdentity.name.repository, mark);
  });

const KEYS: readonly (readonly [transport: string, scope: string, valid: boolean])[] = [
  ["docker", "anything / at all", true],
  ["dir", "/a/b", true],
  ["dir", "a/b", false],
  ["dir", "/", false],
  ["dir", "/a/", false],
  ["dir", "/a/../b", false],
  ["oci-archive", "/a//b", false],
  ["docker-archive", "", true],
  ["docker-archive", "/a.tar", false],
  ["tarball", "/a.tar", false],
  ["docker-daemon", "example.com/a", true],
  ["docker-daemon", DIGEST, false],
  ["no-such-transport", "anything", true],
];

for (const [transport, scope, valid] of KEYS)
  test(`\`${scope}\` is ${valid ? "a" : "no"} scope of ${transport}`, () => {
    assert.equal(faultOfScope(transport, scope) === undefined, valid);
  });
