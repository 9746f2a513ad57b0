// `options.policy` at the border.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Problem } from "../../src/jobs/record.ts";
import type { JobView } from "../../src/jobs/view.ts";
import { ORDER, startTestApi, type TestApi } from "../support/api.ts";

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api[Symbol.asyncDispose]());

const keyData = Buffer.from("a key").toString("base64");
const signedBy = { type: "signedBy", keyType: "GPGKeys", keyData };
const submit = (policy: unknown) =>
  api.request("POST", "/v1/jobs", { body: { ...ORDER, options: { policy } } });

test("a policy that brings its keys is accepted, kept as it is, and repeated in no answer", async () => {
  const policy = {
    default: [{ type: "reject" }],
    transports: { docker: { "source.example": [signedBy] } },
  };
  const { status, body } = await submit(policy);
  assert.equal(status, 202);
  const { id, options } = body as unknown as JobView;
  assert.equal("policy" in options, false);
  assert.deepEqual((await api.jobs.get("default", id))?.record.spec.policy, policy);
});

const INVALID: readonly (readonly [what: string, policy: unknown, pointer: string])[] = [
  ["a policy that is no object", "reject", "/options/policy"],
  ["a policy without a default", {}, "/options/policy/default"],
  ["an unknown field", { default: [{ type: "reject" }], x: 1 }, "/options/policy/x"],
  [
    "a key file of the service's machine",
    { default: [{ type: "signedBy", keyType: "GPGKeys", keyPath: "/etc/passwd" }] },
    "/options/policy/default/0/keyPath",
  ],
  [
    "key files of the service's machine, further in",
    {
      default: [{ type: "reject" }],
      transports: { docker: { "a.example/b": [{ type: "sigstoreSigned", keyPaths: ["/a"] }] } },
    },
    "/options/policy/transports/docker/a.example~1b/0/keyPaths",
  ],
];

for (const [what, policy, pointer] of INVALID)
  test(`${what} is an invalid request`, async () => {
    const { status, body } = await submit(policy);
    const { code, errors } = body as unknown as Problem;
    assert.equal(status, 400);
    assert.equal(code, "invalid_request");
    assert.deepEqual(
      errors?.map((error) => error.pointer),
      [pointer],
    );
  });
