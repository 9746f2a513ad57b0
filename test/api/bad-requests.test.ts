// Every way in which a job request can be wrong: a clear answer that points at the field, and no job.

import assert from "node:assert/strict";
import { OCI_MANIFEST } from "../../src/image/media-types.ts";
import { test } from "node:test";
import { ORDER, problemIn, startTestApi } from "../support/api.ts";
import { CERTIFICATE } from "../support/certificate.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const auth = { username: "u", password: "p" };

/** A rule, a body that breaks it, and where the answer points. */
const INVALID: readonly (readonly [rule: string, body: unknown, pointers: readonly string[]])[] = [
  ["the body is an object", [], [""]],
  ["the body is an object, not null", null, [""]],
  ["a source and a destination are needed", {}, ["/destination", "/source"]],
  ["unknown fields are errors", { ...ORDER, sourse: "x" }, ["/sourse"]],
  [
    "unknown fields with special characters are pointed at by RFC 6901",
    { ...ORDER, "a/b~c": 1 },
    ["/a~1b~0c"],
  ],
  ["unknown options are errors", { ...ORDER, options: { force: true } }, ["/options/force"]],
  [
    "options of later versions are unknown",
    { ...ORDER, options: { signBy: "x" }, notify: { url: "https://x.example" } },
    ["/notify", "/options/signBy"],
  ],
  [
    "unknown fields of contexts are errors",
    { ...ORDER, sourceContext: { compressionFormat: "gzip" }, destinationContext: { os: "linux" } },
    ["/destinationContext/os", "/sourceContext/compressionFormat"],
  ],
  [
    "unknown fields of credentials are errors",
    { ...ORDER, sourceContext: { auth: { ...auth, email: "x" } } },
    ["/sourceContext/auth/email"],
  ],
  ["text is not a number", { ...ORDER, attempts: "5" }, ["/attempts"]],
  ["a number is not text", { ...ORDER, source: 5 }, ["/source"]],
  [
    "text is not a flag",
    { ...ORDER, options: { preserveDigests: "true" } },
    ["/options/preserveDigests"],
  ],
  [
    "null is not an absent field",
    { ...ORDER, labels: null, options: null },
    ["/labels", "/options"],
  ],
  [
    "one value is not a list of one",
    { ...ORDER, options: { imageListSelection: "specific", platforms: "linux/amd64" } },
    ["/options/platforms"],
  ],
  ["numbers are whole", { ...ORDER, timeoutSeconds: 1.5 }, ["/timeoutSeconds"]],
  [
    "numbers have bounds",
    {
      ...ORDER,
      attempts: 21,
      timeoutSeconds: 86_401,
      priority: -1,
      options: { maxParallelDownloads: 0, progressIntervalMs: 99 },
    },
    [
      "/attempts",
      "/options/maxParallelDownloads",
      "/options/progressIntervalMs",
      "/priority",
      "/timeoutSeconds",
    ],
  ],
  [
    "words come from a list",
    { ...ORDER, options: { imageListSelection: "some", ifTagExists: "ask" } },
    ["/options/ifTagExists", "/options/imageListSelection"],
  ],
  [
    "instances need specific",
    { ...ORDER, options: { instances: [DIGEST] } },
    ["/options/instances"],
  ],
  [
    "platforms need specific",
    { ...ORDER, options: { imageListSelection: "all", platforms: ["linux/amd64"] } },
    ["/options/platforms"],
  ],
  [
    "specific needs instances or platforms",
    { ...ORDER, options: { imageListSelection: "specific" } },
    ["/options/instances"],
  ],
  [
    "a platform needs system",
    {
      ...ORDER,
      options: { imageListSelection: "all" },
      sourceContext: { os: "linux", architecture: "arm", variant: "v7" },
    },
    ["/sourceContext/architecture", "/sourceContext/os", "/sourceContext/variant"],
  ],
  [
    "instances are digests",
    { ...ORDER, options: { imageListSelection: "specific", instances: [DIGEST, "sha256:x"] } },
    ["/options/instances/1"],
  ],
  [
    "instances occur once",
    { ...ORDER, options: { imageListSelection: "specific", instances: [DIGEST, DIGEST] } },
    ["/options/instances"],
  ],
  [
    "platforms are os/architecture",
    {
      ...ORDER,
      options: { imageListSelection: "specific", platforms: ["linux", "linux/amd64", "a/b/c/d"] },
    },
    ["/options/platforms/0", "/options/platforms/2"],
  ],
  [
    "credentials are of one kind",
    { ...ORDER, sourceContext: { auth: { ...auth, registryToken: "t" } } },
    ["/sourceContext/auth"],
  ],
  [
    "credentials are of one kind",
    { ...ORDER, destinationContext: { auth: { identityToken: "i", registryToken: "r" } } },
    ["/destinationContext/auth"],
  ],
  [
    "a username needs a password",
    { ...ORDER, sourceContext: { auth: { username: "u" } } },
    ["/sourceContext/auth/password"],
  ],
  [
    "a password needs a username",
    { ...ORDER, destinationContext: { auth: { password: "p" } } },
    ["/destinationContext/auth/username"],
  ],
  [
    "a username has no colon",
    { ...ORDER, sourceContext: { auth: { username: "a:b", password: "p" } } },
    ["/sourceContext/auth/username"],
  ],
  [
    "a token has no line break",
    { ...ORDER, sourceContext: { auth: { registryToken: "a\r\nx: y" } } },
    ["/sourceContext/auth/registryToken"],
  ],
  [
    "credentials are for registries",
    { ...ORDER, source: "dir:x", sourceContext: { auth } },
    ["/sourceContext/auth"],
  ],
  [
    "certificates are for registries",
    { ...ORDER, destination: "oci:x:1", destinationContext: { caCertificates: CERTIFICATE } },
    ["/destinationContext/caCertificates"],
  ],
  [
    "certificates are PEM",
    {
      ...ORDER,
      sourceContext: { caCertificates: "x" },
      destinationContext: { caCertificates: CERTIFICATE.replace("M", "-") },
    },
    ["/destinationContext/caCertificates", "/sourceContext/caCertificates"],
  ],
  [
    "certificates come without keys",
    {
      ...ORDER,
      sourceContext: {
        caCertificates: `${CERTIFICATE}-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n`,
      },
    },
    ["/sourceContext/caCertificates"],
  ],
  ["labels are text", { ...ORDER, labels: { team: 1 } }, ["/labels/team"]],
  [
    "labels have names without colons",
    { ...ORDER, labels: { "a:b": "x", "": "y", "~/": "z" } },
    ["/labels/", "/labels/a:b", "/labels/~0~1"],
  ],
  [
    "labels are at most 32",
    { ...ORDER, labels: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, "v"])) },
    ["/labels"],
  ],
  [
    "labels are short",
    { ...ORDER, labels: { ["k".repeat(64)]: "v", k: "v".repeat(256) } },
    ["/labels/k", `/labels/${"k".repeat(64)}`],
  ],
  [
    "prototypes are not touched",
    '{"source":"dir:a","destination":"dir:b","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
    ["/__proto__", "/constructor"],
  ],
  [
    "prototypes are not touched anywhere",
    '{"source":"dir:a","destination":"dir:b","labels":{"__proto__":"x"},"options":{"__proto__":{"a":1}}}',
    ["/labels/__proto__", "/options/__proto__"],
  ],
  [
    "options do not contradict one another",
    { ...ORDER, options: { forceCompressionFormat: true, removeListSignatures: true } },
    ["/options/forceCompressionFormat", "/options/removeListSignatures"],
  ],
  [
    "times are real ones",
    { ...ORDER, options: { destinationTimestamp: "2026-02-30T00:00:00Z" } },
    ["/options/destinationTimestamp"],
  ],
  [
    "a wrong reference is told with the rest",
    { source: "x", destination: 1, more: 1 },
    ["/destination", "/more", "/source"],
  ],
  [
    "a wrong reference is told with what conflicts",
    { ...ORDER, source: "docker://a.example/App", options: { instances: [] } },
    ["/options/instances", "/source"],
  ],
  ["the body is JSON", "{", [""]],
  ["the body is one document", "{} {}", [""]],
  ["a key occurs once", '{"source":"dir:a","source":"dir:b","destination":"dir:c"}', [""]],
  [
    "a key occurs in one spelling",
    '{"source":"dir:a","Source":"dir:b","destination":"dir:c"}',
    [""],
  ],
  ["the body is not nested deeply", `${"[".repeat(100)}${"]".repeat(100)}`, [""]],
  ["the body is there", "", [""]],
];

const REFERENCES: readonly (readonly [why: string, body: object, pointers: readonly string[]])[] = [
  ["a transport is missing", { ...ORDER, source: "app:1" }, ["/source"]],
  ["the transport is unknown", { ...ORDER, destination: "sif:x.sif" }, ["/destination"]],
  ["files can only be read", { ...ORDER, destination: "tarball:x.tar" }, ["/destination"]],
  [
    "an image's id can only be read",
    { ...ORDER, destination: `docker-daemon:${DIGEST}` },
    ["/destination"],
  ],
  ["a repository is upper-case", { ...ORDER, source: "docker://a.example/App" }, ["/source"]],
  ["a digest is too short", { ...ORDER, source: "docker://a.example/app@sha256:abc" }, ["/source"]],
  ["control characters", { ...ORDER, source: "dir:a\nb" }, ["/source"]],
  ["both are wrong", { source: "docker:x", destination: "oci:" }, ["/destination", "/source"]],
  [
    "an entry of a layout cannot be written",
    { ...ORDER, destination: "oci:x:@0" },
    ["/destination"],
  ],
];

test("a request that is not valid is answered with the fields that are wrong, and leaves no job", async (t) => {
  await using api = await startTestApi();
  const refused = async (body: unknown) => {
    const answer = await api.request("POST", "/v1/jobs", { body });
    assert.equal(await api.countJobs(), 0);
    const problem = problemIn(answer);
    assert.equal(problem.instance, "/v1/jobs");
    return {
      ...problem,
      pointers: (problem.errors ?? []).map(({ pointer }) => pointer).toSorted(),
    };
  };
  for (const [rule, body, pointers] of INVALID) {
    await t.test(rule, async () => {
      const problem = await refused(body);
      assert.deepEqual(
        { status: problem.status, code: problem.code, pointers: problem.pointers },
        { status: 400, code: "invalid_request", pointers },
      );
      assert.ok(problem.errors?.every(({ detail }) => detail.length > 5));
    });
  }
  for (const [why, body, pointers] of REFERENCES) {
    await t.test(`reference: ${why}`, async () => {
      const problem = await refused(body);
      assert.deepEqual(
        { status: problem.status, code: problem.code, pointers: problem.pointers },
        { status: 422, code: "reference_invalid", pointers },
      );
    });
  }
  for (const path of ["../x", "a/../../x", "/etc/x", "a/%2e%2e/x", "a\\x"]) {
    await t.test(`path: ${path}`, async () => {
      const problem = await refused({ source: `dir:${path}`, destination: "oci:fine" });
      assert.deepEqual(
        { status: problem.status, code: problem.code, pointers: problem.pointers },
        { status: 422, code: "path_denied", pointers: ["/source"] },
      );
    });
  }
  assert.equal(Reflect.get({}, "polluted"), undefined);
});

test("a request with all that is allowed is accepted", async () => {
  await using api = await startTestApi();
  const options = {
    imageListSelection: "specific",
    instances: [DIGEST],
    platforms: ["linux/arm64/v8", "linux/amd64"],
    sparseManifestListAction: "strip",
    preferGzipInstances: false,
    removeListSignatures: true,
    forceManifestMimeType: OCI_MANIFEST,
    forceCompressionFormat: false,
    ensureCompressionVariantsExist: [],
    additionalTags: [],
    referrers: true,
    preserveDigests: true,
    removeSignatures: true,
    maxParallelDownloads: 64,
    optimizeDestinationImageAlreadyExists: true,
    downloadForeignLayers: true,
    ifTagExists: "skip",
    progressIntervalMs: 100,
  };
  const context = {
    auth,
    tlsVerify: false,
    caCertificates: `a bundle\n${CERTIFICATE}${CERTIFICATE}`,
  };
  const labels = { team: "payments", "a/b.c-d_e": "any: text~/" };
  const job = await api.submit({
    ...ORDER,
    options,
    sourceContext: context,
    destinationContext: context,
    priority: 1,
    attempts: 1,
    timeoutSeconds: 60,
    labels,
  });
  assert.deepEqual(job.options, options);
  assert.deepEqual(job.labels, labels);
  const stored = await api.jobs.load(job.id);
  assert.ok(stored);
  assert.deepEqual(await api.jobs.secrets(stored.record), { source: auth, destination: auth });
  assert.deepEqual(stored.record.spec.sourceContext, {
    tlsVerify: false,
    caCertificates: context.caCertificates,
  });
});

test("an empty list of instances is allowed: it stands for the list alone", async () => {
  await using api = await startTestApi();
  const job = await api.submit({
    ...ORDER,
    options: { imageListSelection: "specific", instances: [] },
  });
  assert.deepEqual(job.options.instances, []);
});
