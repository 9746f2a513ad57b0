import assert from "node:assert/strict";
import { test } from "node:test";
import { canceled, failed, progressed, started, succeeded } from "../../src/jobs/job.ts";
import { problemOf, type JobView } from "../../src/jobs/view.ts";
import { CopyError } from "../../src/errors.ts";
import { digestOf } from "../../src/image/digest.ts";
import { now, ORDER, problemIn, startTestApi, type TestApi } from "../support/api.ts";

const NOBODY = "01m85vv87q559zs7qz21tv49ps";
const MANIFEST = {
  bytes: Buffer.from('{ "schemaVersion": 2 }\n'),
  mediaType: "application/vnd.oci.image.manifest.v1+json",
};
const RESULT = {
  sourceDigest: digestOf(MANIFEST.bytes),
  manifestDigest: digestOf(MANIFEST.bytes),
  manifestMediaType: MANIFEST.mediaType,
  signatures: 0,
  referrers: 0,
  skipped: false,
  durationMs: 5,
  bytesCopied: 7,
};

const start = (api: TestApi, id: string) =>
  api.change(id, (record) =>
    started(record, { owner: "w", run: record.run, attempt: 1, now: now() }),
  );
const succeed = (api: TestApi, id: string) =>
  api.jobs.change(id, (record) => succeeded(record, RESULT, now()), { manifest: MANIFEST });

test("an order is answered with the job, where it is, and all defaults", async () => {
  await using api = await startTestApi();
  const { status, headers, body } = await api.request<JobView>("POST", "/v1/jobs", {
    body: { ...ORDER, labels: { team: "a" } },
  });
  assert.equal(status, 202);
  assert.equal(headers.get("location"), `/v1/jobs/${body.id}`);
  assert.equal(body.status, "queued");
  assert.equal(body.attempts, 3);
  assert.equal(body.options.imageListSelection, "system");
  assert.equal(body.options.maxParallelDownloads, 6);
  assert.equal(body.links.events, `/v1/jobs/${body.id}/events`);
  const read = await api.request<JobView>("GET", headers.get("location") ?? "");
  assert.deepEqual(read.body, body);
});

test("the same idempotency key and body give the first job again, another body is refused", async () => {
  await using api = await startTestApi();
  const headers = { "idempotency-key": "order-1" };
  const order = { ...ORDER, sourceContext: { auth: { username: "u", password: "one" } } };
  const first = await api.submit(order, headers);
  assert.equal(
    (await api.submit({ sourceContext: order.sourceContext, ...ORDER }, headers)).id,
    first.id,
  );
  assert.equal((await api.submit(order, { "idempotency-key": "order-2" })).id === first.id, false);
  const other = await api.request("POST", "/v1/jobs", {
    headers,
    body: { ...ORDER, sourceContext: { auth: { username: "u", password: "two" } } },
  });
  assert.equal(problemIn(other).code, "idempotency_key_reused");
  assert.equal(other.status, 422);
  const twenty = await Promise.all(
    Array.from({ length: 20 }, () => api.submit(ORDER, { "idempotency-key": "race" })),
  );
  assert.equal(new Set(twenty.map(({ id }) => id)).size, 1);
});

test("an idempotency key that is none is refused", async () => {
  await using api = await startTestApi();
  for (const key of ["a b", "x".repeat(256), "ä"]) {
    const answer = await api.request("POST", "/v1/jobs", {
      body: ORDER,
      headers: { "idempotency-key": key },
    });
    assert.deepEqual([answer.status, problemIn(answer).code], [400, "invalid_request"]);
  }
  assert.equal(await api.countJobs(), 0);
});

test("a client that has seen the job as it is gets 304 until something changes", async () => {
  await using api = await startTestApi();
  const { id } = await api.submit();
  const first = await api.request("GET", `/v1/jobs/${id}`);
  const etag = first.headers.get("etag") ?? "";
  assert.match(etag, /^"\d+-\d+"$/);
  assert.equal(first.headers.get("retry-after"), "1");
  for (const known of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
    const same = await api.request("GET", `/v1/jobs/${id}`, {
      headers: { "if-none-match": known },
    });
    assert.deepEqual([same.status, same.body, same.headers.get("etag")], [304, "", etag]);
  }
  await api.change(id, (record) =>
    progressed(record, { ...record.progress, bytesDone: 1 }, null, []),
  );
  const changed = await api.request("GET", `/v1/jobs/${id}`, {
    headers: { "if-none-match": etag },
  });
  assert.equal(changed.status, 200);
  await succeed(api, id);
  assert.equal((await api.request("GET", `/v1/jobs/${id}`)).headers.get("retry-after"), null);
});

test("waiting ends with the next change of state, not with progress", async () => {
  await using api = await startTestApi();
  const { id } = await api.submit();
  const waiting = api.request<JobView>("GET", `/v1/jobs/${id}`, {
    headers: { prefer: "respond-async, wait=30" },
  });
  await api.change(id, (record) =>
    progressed(record, { ...record.progress, bytesDone: 1 }, null, []),
  );
  const early = await Promise.race([
    waiting,
    new Promise((resolve) => setTimeout(() => resolve("still waiting"), 300)),
  ]);
  assert.equal(early, "still waiting");
  const before = performance.now();
  await start(api, id);
  const { status, headers, body } = await waiting;
  assert.deepEqual(
    [status, body.status, headers.get("preference-applied")],
    [200, "active", "wait=30"],
  );
  assert.ok(performance.now() - before < 1500);
});

test("waiting from a known state answers at once where it is over already", async () => {
  await using api = await startTestApi();
  const { id } = await api.submit();
  const etag = (await api.request("GET", `/v1/jobs/${id}`)).headers.get("etag") ?? "";
  await start(api, id);
  const before = performance.now();
  const headers = { prefer: "wait=30", "if-none-match": etag };
  assert.equal(
    (await api.request<JobView>("GET", `/v1/jobs/${id}`, { headers })).body.status,
    "active",
  );
  await succeed(api, id);
  assert.equal(
    (await api.request<JobView>("GET", `/v1/jobs/${id}`, { headers: { prefer: "wait=30" } })).body
      .status,
    "succeeded",
  );
  assert.ok(performance.now() - before < 2000);
});

test("waiting ends when the time is up, with 304 for a client that has seen it all", async () => {
  await using api = await startTestApi();
  const { id } = await api.submit();
  const etag = (await api.request("GET", `/v1/jobs/${id}`)).headers.get("etag") ?? "";
  const before = performance.now();
  const answer = await api.request("GET", `/v1/jobs/${id}`, {
    headers: { prefer: "wait=1", "if-none-match": etag },
  });
  assert.equal(answer.status, 304);
  const took = performance.now() - before;
  assert.ok(took > 900 && took < 3000, `${took} ms`);
  const most = await api.request("GET", `/v1/jobs/${NOBODY}`, { headers: { prefer: "wait=600" } });
  assert.equal(most.status, 404);
});

test("a queued job is canceled at once, asking again changes nothing, a finished one stays", async () => {
  await using api = await startTestApi();
  const { id } = await api.submit();
  const first = await api.request<JobView>("DELETE", `/v1/jobs/${id}`);
  assert.deepEqual([first.status, first.body.status], [202, "canceled"]);
  const again = await api.request<JobView>("DELETE", `/v1/jobs/${id}`);
  assert.deepEqual([again.status, again.body], [202, first.body]);
  const done = await api.submit();
  await succeed(api, done.id);
  const late = await api.request<JobView>("DELETE", `/v1/jobs/${done.id}`);
  assert.deepEqual([late.status, late.body.status], [202, "succeeded"]);
});

test("a running job is canceled when its worker hears of it", async () => {
  await using api = await startTestApi();
  const { id } = await api.submit();
  await start(api, id);
  const answer = await api.request<JobView>("DELETE", `/v1/jobs/${id}`);
  assert.deepEqual([answer.status, answer.body.status], [202, "active"]);
  assert.equal((await api.jobs.load(id))?.record.cancelRequested, true);
  await api.change(id, (record) => canceled(record, now()));
  assert.equal((await api.request<JobView>("GET", `/v1/jobs/${id}`)).body.status, "canceled");
});

test("a failed job shows its problem and can be run again, others cannot", async () => {
  await using api = await startTestApi();
  const { id } = await api.submit();
  const early = await api.request("POST", `/v1/jobs/${id}/retry`);
  assert.deepEqual([early.status, problemIn(early).code], [409, "conflict"]);
  const error = new CopyError("source_unauthorized", "the registry said no", {
    side: "source",
    registry: "source.example",
  });
  await api.change(id, (record) => failed(record, problemOf(error, `/v1/jobs/${id}`), now()));
  const shown = (await api.request<JobView>("GET", `/v1/jobs/${id}`)).body.error;
  assert.deepEqual(
    [shown?.code, shown?.side, shown?.retryable],
    ["source_unauthorized", "source", false],
  );
  const answer = await api.request<JobView>("POST", `/v1/jobs/${id}/retry`, {
    headers: { "content-type": "application/json" },
  });
  assert.deepEqual(
    [answer.status, answer.body.status, answer.body.error, answer.headers.get("location")],
    [202, "queued", null, `/v1/jobs/${id}`],
  );
});

test("the manifest that was written is given byte for byte, as what it is", async () => {
  await using api = await startTestApi();
  const { id, links } = await api.submit();
  assert.equal(problemIn(await api.request("GET", links.manifest)).code, "not_found");
  await succeed(api, id);
  const response = await fetch(`${api.url}${links.manifest}`);
  assert.deepEqual(Buffer.from(await response.arrayBuffer()), MANIFEST.bytes);
  assert.equal(response.headers.get("content-type"), MANIFEST.mediaType);
  assert.equal(response.headers.get("docker-content-digest"), RESULT.manifestDigest);
});

test("jobs are listed newest first, in pages, by what is asked for", async () => {
  await using api = await startTestApi();
  const ids: string[] = [];
  for (let i = 0; i < 7; i++)
    ids.unshift(
      (
        await api.submit({
          ...ORDER,
          source: `docker://s.example/app-${i}:1`,
          labels: { n: String(i % 2), odd: "a:b" },
        })
      ).id,
    );
  await start(api, ids[0] ?? "");
  const list = async (query: string) => {
    const { status, body } = await api.request<{ items: JobView[]; nextCursor: string | null }>(
      "GET",
      `/v1/jobs${query}`,
    );
    assert.equal(status, 200, JSON.stringify(body));
    return { ids: body.items.map(({ id }) => id), nextCursor: body.nextCursor };
  };
  assert.deepEqual(await list(""), { ids, nextCursor: null });
  const paged: string[] = [];
  for (let cursor: string | null = ""; cursor !== null;) {
    const page = await list(`?limit=3${cursor === "" ? "" : `&cursor=${cursor}`}`);
    paged.push(...page.ids);
    cursor = page.nextCursor;
  }
  assert.deepEqual(paged, ids);
  assert.deepEqual((await list("?status=active")).ids, [ids[0]]);
  assert.deepEqual((await list("?label=n:1")).ids, [ids[1], ids[3], ids[5]]);
  assert.equal((await list("?label=odd:a:b")).ids.length, 7);
  assert.deepEqual((await list("?source=docker://s.example/app-3")).ids, [ids[3]]);
  assert.deepEqual((await list("?destination=docker://nowhere")).ids, []);
});

test("a list cannot be asked for in ways that are not known", async () => {
  await using api = await startTestApi();
  const cases: readonly (readonly [query: string, pointer: string])[] = [
    ["limit=0", "/limit"],
    ["limit=201", "/limit"],
    ["limit=ten", "/limit"],
    ["limit=1&limit=2", "/limit"],
    ["status=done", "/status"],
    ["label=team", "/label"],
    ["cursor=x", "/cursor"],
    ["batch=1", "/batch"],
    ["secrets.password=x", "/secrets.password"],
    ["__proto__=x", "/__proto__"],
  ];
  for (const [query, pointer] of cases) {
    const answer = await api.request("GET", `/v1/jobs?${query}`);
    const problem = problemIn(answer);
    assert.deepEqual(
      [answer.status, problem.code, problem.errors?.map((fault) => fault.pointer)],
      [400, "invalid_request", [pointer]],
      query,
    );
  }
});
