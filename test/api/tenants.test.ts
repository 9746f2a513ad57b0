import assert from "node:assert/strict";
import { test } from "node:test";
import { started, succeeded } from "../../src/jobs/job.ts";
import { digestOf } from "../../src/image/digest.ts";
import { now, ORDER, problemIn, startTestApi } from "../support/api.ts";

const KEYS = { alpha: "alpha-key-0123456789", beta: "beta-key-0123456789" } as const;
const as = (tenant: keyof typeof KEYS) => ({ authorization: `Bearer ${KEYS[tenant]}` });
const MANIFEST = {
  bytes: Buffer.from("{}"),
  mediaType: "application/vnd.oci.image.manifest.v1+json",
};

interface Document {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly security?: readonly unknown[] }>>>
  >;
}

test("every address under /v1 asks for a key, and tells nothing without one", async () => {
  await using api = await startTestApi({ tenants: KEYS });
  const document = (await api.request<Document>("GET", "/openapi.json")).body;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ method, path })),
  );
  const guarded = operations.filter(({ path }) => path.startsWith("/v1/"));
  assert.ok(guarded.length >= 8);
  const wrong = [
    undefined,
    "",
    "Bearer",
    "Bearer ",
    "Bearer x",
    `Basic ${KEYS.alpha}`,
    KEYS.alpha,
    `Bearer ${KEYS.alpha} x`,
    `Bearer  ${KEYS.alpha}`,
    `Bearer ${KEYS.alpha}x`,
  ];
  for (const { method, path } of guarded) {
    for (const authorization of wrong) {
      const headers = authorization === undefined ? {} : { authorization };
      const answer = await api.request(method.toUpperCase(), path.replace("{id}", "x"), {
        headers,
      });
      assert.deepEqual(
        [answer.status, problemIn(answer).code],
        [401, "unauthenticated"],
        `${method} ${path} ${authorization}`,
      );
      assert.match(answer.headers.get("www-authenticate") ?? "", /^Bearer/);
    }
  }
  assert.equal((await api.request("GET", "/healthz")).status, 200);
  assert.equal(
    (await api.request("GET", "/v1/jobs", { headers: { authorization: `bearer ${KEYS.beta}` } }))
      .status,
    200,
  );
});

test("a tenant has no way to another's job: every address answers 404 and nothing happens", async () => {
  await using api = await startTestApi({ tenants: KEYS });
  const { id } = await api.submit(ORDER, as("alpha"));
  const digest = digestOf(MANIFEST.bytes);
  await api.jobs.change(id, (record) =>
    started(record, { owner: "w", run: 1, attempt: 1, now: now() }),
  );
  const before = await api.jobs.load(id);
  const document = (await api.request<Document>("GET", "/openapi.json")).body;
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    path.includes("{id}")
      ? Object.keys(methods).map((method) => ({
          method: method.toUpperCase(),
          path: path.replace("{id}", id),
        }))
      : [],
  );
  assert.ok(operations.length >= 5);
  for (const { method, path } of operations) {
    const answer = await api.request(method, path, { headers: as("beta") });
    assert.deepEqual(
      [answer.status, problemIn(answer).code],
      [404, "not_found"],
      `${method} ${path}`,
    );
    const nobody = await api.request(method, path.replace(id, "01m85vv87q559zs7qz21tv49ps"), {
      headers: as("beta"),
    });
    assert.equal(problemIn(nobody).detail, problemIn(answer).detail);
  }
  assert.deepEqual(await api.jobs.load(id), before);
  const result = {
    sourceDigest: digest,
    manifestDigest: digest,
    manifestMediaType: MANIFEST.mediaType,
    signatures: 0,
    referrers: 0,
    skipped: false,
    durationMs: 1,
    bytesCopied: 1,
  };
  await api.jobs.change(id, (record) => succeeded(record, result, now()), { manifest: MANIFEST });
  for (const { method, path } of operations)
    assert.equal((await api.request(method, path, { headers: as("beta") })).status, 404, path);
  // The same requests work for the job's own tenant, or the check above would prove nothing.
  for (const { method, path } of operations)
    assert.notEqual((await api.request(method, path, { headers: as("alpha") })).status, 404, path);
});

test("lists and idempotency keys are the tenant's own", async () => {
  await using api = await startTestApi({ tenants: KEYS });
  const key = { "idempotency-key": "one" };
  const mine = await api.submit({ ...ORDER, labels: { team: "a" } }, { ...as("alpha"), ...key });
  const theirs = await api.submit({ ...ORDER, labels: { team: "a" } }, { ...as("beta"), ...key });
  assert.notEqual(mine.id, theirs.id);
  for (const query of ["", "?label=team:a", "?status=queued", "?source=docker"]) {
    const { body } = await api.request<{ items: { id: string }[] }>("GET", `/v1/jobs${query}`, {
      headers: as("beta"),
    });
    assert.deepEqual(
      body.items.map(({ id }) => id),
      [theirs.id],
    );
  }
});
