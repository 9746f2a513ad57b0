import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { canceled, progressed, started, succeeded } from "../../src/jobs/job.ts";
import type { JobRecord } from "../../src/jobs/record.ts";
import { digestOf } from "../../src/image/digest.ts";
import { now, ORDER, problemIn, startTestApi, type TestApi } from "../support/api.ts";
import { until } from "../support/jobs.ts";
import { sse, type SseEvent } from "../support/sse.ts";

const DIGEST = digestOf(Buffer.from("x"));
const ARTIFACT = {
  digest: DIGEST,
  size: 1,
  mediaType: "application/octet-stream",
  kind: "layer",
  index: 0,
} as const;
const RESULT = {
  sourceDigest: DIGEST,
  manifestDigest: DIGEST,
  manifestMediaType: "x/y",
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
  api.change(id, (record) => succeeded(record, RESULT, now()));
const report = (message: string) => (record: JobRecord) =>
  progressed(record, record.progress, null, [{ type: "report", message }]);

async function all(events: AsyncIterable<SseEvent>): Promise<SseEvent[]> {
  return await Array.fromAsync(events);
}

/** The events up to the last of so many of a type. */
async function take(
  events: AsyncIterable<SseEvent>,
  type: string,
  count: number,
): Promise<SseEvent[]> {
  const taken: SseEvent[] = [];
  for await (const event of events) {
    taken.push(event);
    if (taken.filter((other) => other.type === type).length === count) break;
  }
  return taken;
}

test("a job's stream has every event from the first on, and ends with the last", async () => {
  await using api = await startTestApi();
  const { id, links } = await api.submit();
  const following = all(sse(`${api.url}${links.events}`));
  await start(api, id);
  await api.change(id, (record) =>
    progressed(record, record.progress, null, [
      { type: "blob-new", artifact: ARTIFACT },
      { type: "blob-done", artifact: ARTIFACT, offset: 1, bytesStored: 1 },
    ]),
  );
  await succeed(api, id);
  const events = await following;
  assert.deepEqual(
    events.map(({ id: number, type }) => `${number} ${type}`),
    ["1 queued", "2 active", "3 blob-new", "4 blob-done", "5 succeeded"],
  );
  for (const { data } of events) {
    assert.equal(data["jobId"], id);
    assert.match(String(data["time"]), /^\d{4}-.*Z$/);
  }
  assert.deepEqual(events[2]?.data["artifact"], ARTIFACT);
  assert.equal((events[4]?.data["job"] as { status: string } | undefined)?.status, "succeeded");
  assert.deepEqual(await all(sse(`${api.url}${links.events}`)), events);
  assert.deepEqual(
    await all(sse(`${api.url}${links.events}`, { lastEventId: "3" })),
    events.slice(3),
  );
  assert.deepEqual(await all(sse(`${api.url}${links.events}`, { lastEventId: "5" })), []);
});

test("a client that is cut off again and again, the server restarted in between, gets every event once and in order", async () => {
  await using api = await startTestApi();
  const { id, links } = await api.submit();
  await start(api, id);
  for (let i = 0; i < 300; i++) await api.change(id, report(`line ${i}`));
  const received: SseEvent[] = [];
  let connections = 0;
  for (let done = false; !done; connections++) {
    assert.ok(connections < 300, "an event does not fit between two cuts");
    if (connections === 5) await succeed(api, id);
    if (connections % 10 === 7) await api.restart();
    for await (const event of sse(`${api.url}${links.events}`, {
      lastEventId: received.at(-1)?.id,
      cutAfter: 700 + 173 * (connections % 9),
    })) {
      received.push(event);
      done = event.type === "succeeded";
    }
  }
  assert.ok(connections > 30, `${connections} connections`);
  assert.deepEqual(
    received.map((event) => event.id),
    Array.from({ length: 303 }, (_, i) => String(i + 1)),
  );
  assert.deepEqual(
    received.slice(2, 302).map(({ data }) => data["message"]),
    Array.from({ length: 300 }, (_, i) => `line ${i}`),
  );
});

test("the tenant's stream has the states of all its jobs and of nobody else's, and goes on where a client left", async () => {
  const keys = { alpha: "key-of-alpha", beta: "key-of-beta" };
  await using api = await startTestApi({ tenants: keys });
  const as = (tenant: keyof typeof keys) => ({ authorization: `Bearer ${keys[tenant]}` });
  const first = await api.submit(ORDER, as("alpha"));
  const theirs = await api.submit(ORDER, as("beta"));
  const second = await api.submit(ORDER, as("alpha"));
  await start(api, theirs.id);
  await start(api, first.id);
  await api.change(first.id, report("not for this stream"));
  await succeed(api, first.id);
  await succeed(api, second.id);
  const url = `${api.url}/v1/events`;
  const events = await take(sse(url, { headers: as("alpha"), lastEventId: "0-0" }), "succeeded", 2);
  const [one, two] = [first.id, second.id];
  assert.deepEqual(
    events.map(({ type, data }) => [type, data["jobId"]]),
    [
      ["queued", one],
      ["queued", two],
      ["active", one],
      // What was reported comes as totals.
      ["active", one],
      ["succeeded", one],
      ["succeeded", two],
    ],
  );
  const rest = await take(
    sse(url, { headers: as("alpha"), lastEventId: events[2]?.id }),
    "succeeded",
    2,
  );
  assert.deepEqual(rest, events.slice(3));
  assert.ok(!JSON.stringify(events).includes("not for this stream"));
});

test("the tenant's stream begins with what happens from now on", async () => {
  await using api = await startTestApi();
  const early = await api.submit();
  const events = sse(`${api.url}/v1/events`);
  const first = events.next();
  let value: SseEvent | undefined;
  void first.then((result) => (value = result.value as SseEvent));
  await until("an event", async () => {
    await api.submit();
    return value !== undefined;
  });
  assert.equal(value?.type, "queued");
  assert.notEqual(value?.data["jobId"], early.id);
  await events.return(undefined);
});

test("a client that wants no events is told so", async () => {
  await using api = await startTestApi();
  const { links } = await api.submit();
  for (const accept of [
    "application/json",
    "text/html, application/xml",
    "text/event-stream;q=0",
    "text/event-stream; q=0.00",
  ]) {
    const answer = await api.request("GET", links.events, { headers: { accept } });
    assert.deepEqual([answer.status, problemIn(answer).code], [406, "invalid_request"], accept);
  }
  for (const accept of [
    "text/event-stream",
    "*/*",
    "text/*;q=0.1",
    "application/json, TEXT/EVENT-STREAM",
  ]) {
    const response = await fetch(`${api.url}${links.events}`, { headers: { accept } });
    assert.equal(response.status, 200, accept);
    assert.equal(response.headers.get("content-type"), "text/event-stream; charset=utf-8");
    assert.equal(response.headers.get("cache-control"), "no-cache");
    assert.equal(response.headers.get("x-accel-buffering"), "no");
    await response.body?.cancel();
  }
});

test("a stream says at once how soon to come back", async () => {
  await using api = await startTestApi();
  const response = await fetch(`${api.url}/v1/events`);
  const reader = response.body?.getReader();
  const { value } = (await reader?.read()) ?? {};
  assert.equal(new TextDecoder().decode(value), "retry: 1000\n\n");
  await reader?.cancel();
});

test("closing ends all streams whole, at once", async () => {
  await using api = await startTestApi();
  const { links } = await api.submit();
  const open = await Promise.all(
    [links.events, "/v1/events"].map((path) => fetch(`${api.url}${path}`)),
  );
  const texts = Promise.all(open.map((response) => response.text()));
  const before = performance.now();
  await api.restart();
  for (const text of await texts) assert.match(text, /^(retry: 1000\n\n([^]*\n\n)?)?$/);
  assert.ok(performance.now() - before < 3000);
});

test("a reader that takes nothing keeps nobody else waiting, nor the server from closing", async () => {
  await using api = await startTestApi();
  const { id, links } = await api.submit();
  await start(api, id);
  const socket = connect(Number(new URL(api.url).port), "127.0.0.1");
  socket.on("error", () => {}).pause();
  socket.write(`GET ${links.events} HTTP/1.1\r\nHost: x\r\n\r\n`);
  for (let i = 0; i < 200; i++) await api.change(id, report("x".repeat(50_000)));
  await api.change(id, (record) => canceled(record, now()));
  const last = (await all(sse(`${api.url}${links.events}`))).at(-1);
  assert.equal(last?.type, "canceled");
  const before = performance.now();
  await api.restart();
  assert.ok(performance.now() - before < 8000);
  socket.destroy();
});
