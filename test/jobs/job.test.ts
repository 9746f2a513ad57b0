import assert from "node:assert/strict";
import { test } from "node:test";
import type { Code } from "../../src/codes.ts";
import type { Artifact } from "../../src/copy/progress.ts";
import { CopyError } from "../../src/errors.ts";
import {
  canceled,
  cancelRequested,
  created,
  failed,
  handedBack,
  mayHelp,
  parked,
  progressed,
  rerun,
  retrying,
  started,
  succeeded,
  type Change,
} from "../../src/jobs/job.ts";
import { NO_PROGRESS, type JobRecord, type JobResult } from "../../src/jobs/record.ts";
import { problemOf, viewOf } from "../../src/jobs/view.ts";
import { SPEC } from "../support/jobs.ts";

const T0 = "2026-01-01T00:00:00.000Z";
const T1 = "2026-01-01T00:00:01.000Z";
const DIGEST = `sha256:${"0".repeat(64)}` as const;
const RESULT: JobResult = {
  sourceDigest: DIGEST,
  manifestDigest: DIGEST,
  manifestMediaType: "application/vnd.oci.image.manifest.v1+json",
  signatures: 0,
  referrers: 0,
  skipped: false,
  durationMs: 5,
  bytesCopied: 7,
};
const PROBLEM = problemOf(new CopyError("registry_unavailable", "503"), "/v1/jobs/x");
const ARTIFACT: Artifact = { digest: DIGEST, size: 1, mediaType: "x", kind: "layer", index: 0 };

const start = (record: JobRecord, attempt = 1, run = record.run) =>
  started(record, { owner: "w", run, attempt, now: T1 });

const queued = created("id", "t", SPEC, T0).record;
const active = start(queued)!.record;
const asked = cancelRequested(active, T1)!.record;
const done = succeeded(active, RESULT, T1).record;
const broken = failed(active, PROBLEM, T1).record;
const stopped = canceled(active, T1).record;
const waiting = retrying(active, PROBLEM).record;
const T2 = "2026-01-01T00:00:02.000Z";
const resting = parked(active, PROBLEM, T2, T1).record;

/** From, what happens, the status after ("-": nothing may happen) and the types of the events. */
const transitions: [string, Change | undefined, string, string[]][] = [
  ["a new job is queued", created("id", "t", SPEC, T0), "queued", ["queued"]],
  ["a queued job is started", start(queued), "active", ["active"]],
  ["an active job is taken over from a worker that died", start(active), "active", ["active"]],
  ["a job that waits for its next attempt is started", start(waiting, 2), "active", ["active"]],
  [
    "an active job whose cancel was asked for ends when it is started again",
    start(asked),
    "canceled",
    ["canceled"],
  ],
  ["a succeeded job is not started", start(done), "-", []],
  ["a failed job is not started", start(broken), "-", []],
  ["a canceled job is not started", start(stopped), "-", []],
  ["an earlier run is not started", start(rerun(broken)!.record, 1, 1), "-", []],
  ["an active job succeeds", succeeded(active, RESULT, T1), "succeeded", ["succeeded"]],
  ["an active job fails", failed(active, PROBLEM, T1), "failed", ["failed"]],
  ["an active job is to be tried again", retrying(active, PROBLEM), "queued", ["retrying"]],
  ["an active job is parked", parked(active, PROBLEM, T2, T1), "queued", ["retrying"]],
  ["a parked job is started", start(resting), "active", ["active"]],
  ["a parked job is canceled at once", cancelRequested(resting, T1), "canceled", ["canceled"]],
  ["an active job is handed back", handedBack(active), "queued", ["queued"]],
  ["a queued job is canceled at once", cancelRequested(queued, T1), "canceled", ["canceled"]],
  [
    "a job that waits for its next attempt is canceled at once",
    cancelRequested(waiting, T1),
    "canceled",
    ["canceled"],
  ],
  ["an active job is canceled by its worker", cancelRequested(active, T1), "active", []],
  ["a second cancel does nothing", cancelRequested(asked, T1), "-", []],
  [
    "a cancel that was asked for before the job was handed back ends it",
    cancelRequested(handedBack(asked).record, T1),
    "canceled",
    ["canceled"],
  ],
  ["a succeeded job is not canceled", cancelRequested(done, T1), "-", []],
  ["a failed job is not canceled", cancelRequested(broken, T1), "-", []],
  ["a failed job runs again", rerun(broken), "queued", ["queued"]],
  ["a canceled job runs again", rerun(stopped), "queued", ["queued"]],
  ["a succeeded job does not run again", rerun(done), "-", []],
  ["an active job does not run again", rerun(active), "-", []],
  ["a queued job does not run again", rerun(queued), "-", []],
];

for (const [name, change, status, events] of transitions) {
  test(name, () => {
    assert.equal(change?.record.status ?? "-", status);
    assert.deepEqual(change?.events.map(({ type }) => type) ?? [], events);
  });
}

test("an event of a state shows the record as it is after the change", () => {
  for (const [, change] of transitions) {
    for (const event of change?.events ?? [])
      assert.deepEqual("job" in event && event.job, viewOf(change!.record));
  }
});

test("every change of status, and nothing else, moves the status revision on", () => {
  assert.deepEqual(
    [queued, active, asked, done, handedBack(active).record, start(active)!.record].map(
      ({ statusRevision }) => statusRevision,
    ),
    [1, 2, 2, 3, 3, 3],
  );
});

test("only a running job has an owner", () => {
  assert.equal(active.owner, "w");
  for (const record of [queued, done, broken, stopped, waiting, handedBack(active).record])
    assert.equal(record.owner, null);
});

test("times are kept: the first start, and the end", () => {
  assert.deepEqual([active.startedAt, active.finishedAt], [T1, null]);
  const again = started(waiting, {
    owner: "v",
    run: 1,
    attempt: 2,
    now: "2026-01-01T00:00:09.000Z",
  })!.record;
  assert.deepEqual([again.startedAt, again.attempt, again.error], [T1, 2, null]);
  assert.equal(broken.finishedAt, T1);
});

test("a new run starts from nothing but what was ordered", () => {
  const pinned = { ...broken, pinned: DIGEST, crashes: 2, moving: true, cancelRequested: true };
  const again = rerun(pinned)!.record;
  assert.deepEqual(again, { ...queued, run: 2, statusRevision: broken.statusRevision + 1 });
});

test("deaths count only while a blob was moving, and a finished blob clears them", () => {
  const moving = progressed(active, NO_PROGRESS, DIGEST, [
    { type: "blob-new", artifact: ARTIFACT },
  ]).record;
  assert.equal(moving.moving, true);
  const twice = start({ ...start(moving)!.record, moving: true })!.record;
  assert.deepEqual([twice.crashes, twice.moving], [2, false]);
  assert.equal(start(active)!.record.crashes, 0);
  assert.equal(start(handedBack(moving).record)!.record.crashes, 0);
  const blobDone = progressed({ ...twice, moving: true }, NO_PROGRESS, null, [
    { type: "blob-done", artifact: ARTIFACT, offset: 1, bytesStored: 1 },
  ]).record;
  assert.deepEqual([blobDone.crashes, blobDone.moving, blobDone.pinned], [0, false, DIGEST]);
});

test("a parked job says until when, keeps its attempt, and remembers since when it has had to wait", () => {
  assert.deepEqual(
    [resting.parkedUntil, resting.parkedSince, resting.attempt, resting.error],
    [T2, T1, 1, PROBLEM],
  );
  const woken = start(resting)!.record;
  assert.deepEqual([woken.parkedUntil, woken.parkedSince, woken.error], [null, T1, null]);
  assert.equal(parked(woken, PROBLEM, "later", T2).record.parkedSince, T1);
  assert.equal(rerun(failed(woken, PROBLEM, T2).record)!.record.parkedSince, null);
});

test("what the source's tag was resolved to first stays", () => {
  const other = `sha256:${"1".repeat(64)}` as const;
  const once = progressed(active, NO_PROGRESS, DIGEST, []).record;
  assert.equal(progressed(once, NO_PROGRESS, other, []).record.pinned, DIGEST);
});

test("a client sees nothing of owner, run, pin and crashes", () => {
  assert.deepEqual(Object.keys(viewOf(active)).sort(), [
    "attempt",
    "attempts",
    "batch",
    "createdAt",
    "destination",
    "error",
    "finishedAt",
    "id",
    "labels",
    "links",
    "options",
    "parkedUntil",
    "progress",
    "result",
    "source",
    "startedAt",
    "status",
  ]);
});

const wrong = problemOf(new CopyError("digest_mismatch", "expected a, got b"), "/v1/jobs/x");
const restarted = start(retrying(active, wrong).record, 2)!.record;
/** What happened before, the code of the failure, and whether another attempt may help. */
const failures: [string, JobRecord, Code, boolean][] = [
  ["at first", active, "digest_mismatch", true],
  ["at first", active, "size_mismatch", true],
  ["after wrong content", restarted, "digest_mismatch", false],
  ["after wrong content", restarted, "size_mismatch", false],
  ["after wrong content", restarted, "registry_unavailable", true],
  [
    "after wrong content, and a registry that failed",
    start(retrying(restarted, PROBLEM).record, 3)!.record,
    "digest_mismatch",
    false,
  ],
  [
    "after wrong content, and a wait",
    start(parked(restarted, PROBLEM, T2, T1).record, 2)!.record,
    "digest_mismatch",
    false,
  ],
  ["after a registry that failed", start(waiting, 2)!.record, "digest_mismatch", true],
  [
    "in a client's next run",
    start(rerun(failed(restarted, wrong, T1).record)!.record)!.record,
    "digest_mismatch",
    true,
  ],
  ["at first", active, "manifest_invalid", false],
  ["at first", active, "storage_full", false],
];
for (const [when, record, code, expected] of failures)
  test(`another attempt may ${expected ? "" : "not "}help: ${code} ${when}`, () =>
    assert.equal(mayHelp(record, code), expected));

test("a problem has the words of its code, and what is known of where it happened", () => {
  const error = new CopyError("digest_mismatch", "expected a, got b", {
    side: "source",
    digest: DIGEST,
    retryAfterMs: 3,
  });
  assert.deepEqual(problemOf(error, "/v1/jobs/x"), {
    type: "/docs#code-digest_mismatch",
    title: "The content received is not the content named",
    status: 502,
    detail: "expected a, got b",
    instance: "/v1/jobs/x",
    code: "digest_mismatch",
    retryable: true,
    side: "source",
    digest: DIGEST,
  });
});
