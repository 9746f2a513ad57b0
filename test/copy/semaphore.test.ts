import assert from "node:assert/strict";
import { test } from "node:test";
import { LocalSemaphore } from "../../src/copy/semaphore.ts";

const never = new AbortController().signal;

/** A task that runs until it is let go. */
function held(semaphore: LocalSemaphore, log: string[], name: string, weight = 1, signal = never) {
  const { promise, resolve } = Promise.withResolvers<void>();
  const ended = semaphore.run(
    async () => {
      log.push(name);
      await promise;
    },
    signal,
    weight,
  );
  return { release: resolve, ended };
}
const settle = () => new Promise((resolve) => setImmediate(resolve));

test("no more run than the limit allows, and they come in the order of asking", async () => {
  const semaphore = new LocalSemaphore(2);
  const log: string[] = [];
  const tasks = ["a", "b", "c", "d"].map((name) => held(semaphore, log, name));
  await settle();
  assert.deepEqual(log, ["a", "b"]);
  tasks[1]?.release();
  await settle();
  assert.deepEqual(log, ["a", "b", "c"]);
  for (const task of tasks) task.release();
  await Promise.all(tasks.map((task) => task.ended));
  assert.deepEqual(log, ["a", "b", "c", "d"]);
});

test("a heavy task is not passed by light ones, and one above the limit runs alone", async () => {
  const semaphore = new LocalSemaphore(2);
  const log: string[] = [];
  const tasks = [
    held(semaphore, log, "light"),
    held(semaphore, log, "heavy", 5),
    held(semaphore, log, "behind"),
  ];
  await settle();
  assert.deepEqual(log, ["light"]);
  tasks[0]?.release();
  await settle();
  assert.deepEqual(log, ["light", "heavy"]);
  for (const task of tasks) task.release();
  await Promise.all(tasks.map((task) => task.ended));
});

test("a waiter that is aborted leaves, and those behind it move up", async () => {
  const semaphore = new LocalSemaphore(2);
  const log: string[] = [];
  const stop = new AbortController();
  const first = held(semaphore, log, "first");
  const heavy = held(semaphore, log, "heavy", 2, stop.signal);
  const behind = held(semaphore, log, "behind");
  stop.abort(new Error("enough"));
  await assert.rejects(heavy.ended, /enough/);
  await settle();
  assert.deepEqual(log, ["first", "behind"]);
  first.release();
  behind.release();
  await Promise.all([first.ended, behind.ended]);
});

test("a task that fails gives its permit back", async () => {
  const semaphore = new LocalSemaphore(1);
  await assert.rejects(
    semaphore.run(() => Promise.reject(new Error("broken")), never),
    /broken/,
  );
  assert.equal(await semaphore.run(async () => 5, never), 5);
});
