import assert from "node:assert/strict";
import { setImmediate as turn } from "node:timers/promises";
import { test } from "node:test";
import type { Semaphore } from "../../src/copy/interfaces.ts";
import { PassedPermits } from "../../src/copy/passed-permits.ts";
import { LocalSemaphore } from "../../src/copy/semaphore.ts";
import { never } from "../support/bytes.ts";

/** Permits of a cluster: how often they were asked for, and how many were held at once. */
function cluster(limit: number) {
  const semaphore = new LocalSemaphore(limit);
  const seen = { asked: 0, held: 0, most: 0 };
  const permits: Semaphore = {
    run: (task, signal) => {
      seen.asked++;
      return semaphore.run(async (permitted) => {
        seen.most = Math.max(seen.most, ++seen.held);
        try {
          return await task(permitted);
        } finally {
          seen.held--;
        }
      }, signal);
    },
  };
  return { permits, seen };
}

/** So many tasks, `parallel` at once; how many ran at once at most. */
async function runAll(permits: Semaphore, count: number, parallel: number): Promise<number> {
  const own = new LocalSemaphore(parallel);
  let [running, most] = [0, 0];
  const task = async () => {
    most = Math.max(most, ++running);
    await turn();
    running--;
  };
  await Promise.all(
    Array.from({ length: count }, () => own.run(() => permits.run(task, never), never)),
  );
  return most;
}

for (const { count, parallel, limit, asked, most } of [
  { count: 1, parallel: 6, limit: 6, asked: 1, most: 1 },
  { count: 16, parallel: 1, limit: 6, asked: 1, most: 1 },
  { count: 17, parallel: 1, limit: 6, asked: 2, most: 1 },
  { count: 60, parallel: 6, limit: 6, asked: 6, most: 6 },
  { count: 40, parallel: 6, limit: 2, asked: 8, most: 2 },
])
  test(`tasks: ${count}, at once: ${parallel}; permits: ${limit}, asked for ${asked} times`, async () => {
    const { permits, seen } = cluster(limit);
    assert.equal(await runAll(new PassedPermits(permits), count, parallel), most);
    await turn();
    await turn();
    assert.deepEqual(seen, { asked, held: 0, most });
  });

test("without passing on, each task asks", async () => {
  const { permits, seen } = cluster(6);
  await runAll(permits, 60, 6);
  assert.equal(seen.asked, 60);
});

test("a permit that nobody wants at once is given back", async () => {
  const { permits, seen } = cluster(1);
  const passed = new PassedPermits(permits);
  await passed.run(async () => {}, never);
  await turn();
  await turn();
  assert.equal(seen.held, 0);
  await passed.run(async () => {}, never);
  assert.equal(seen.asked, 2);
});

test("a task that fails fails alone, and its permit goes on", async () => {
  const { permits, seen } = cluster(1);
  const passed = new PassedPermits(permits);
  const wrong = passed.run(() => Promise.reject(new Error("wrong")), never);
  const next = wrong.catch(() => passed.run(async () => "fine", never));
  await assert.rejects(wrong, /wrong/);
  assert.equal(await next, "fine");
  assert.equal(seen.asked, 1);
});

test("a permit that was lost is not passed on", async () => {
  const lost = new AbortController();
  let asked = 0;
  const passed = new PassedPermits({
    run: (task) => {
      asked++;
      return task(asked === 1 ? lost.signal : never);
    },
  });
  const first = passed.run(async (permitted) => {
    lost.abort(new Error("the permit was lost"));
    permitted.throwIfAborted();
  }, never);
  const next = first.catch(() => passed.run(async (permitted) => permitted.aborted, never));
  await assert.rejects(first, /the permit was lost/);
  assert.equal(await next, false);
  assert.equal(asked, 2);
});

test("who is refused a permit hears why", async () => {
  const passed = new PassedPermits({ run: () => Promise.reject(new Error("the store is away")) });
  await assert.rejects(
    passed.run(async () => {}, never),
    /the store is away/,
  );
});
