// Whether the process is alive, and whether it can serve.

import type { Redis } from "ioredis";
import { CopyError } from "../errors.ts";
import { available } from "../jobs/redis.ts";
import { livingWorkers } from "../jobs/workers.ts";
import { answer, problems } from "./answers.ts";
import type { App, ServerDeps } from "./app.ts";

const tags = ["service"];

export function addHealthRoutes(
  app: App,
  { redis, closing }: Pick<ServerDeps, "redis" | "closing">,
): void {
  const alive = {
    tags,
    security: [],
    operationId: "getHealth",
    summary: "Is the process alive?",
    description: "Answers as long as the process does.",
    response: { 200: answer("It is.", "Health#"), ...problems() },
  };
  app.get("/healthz", { schema: alive }, async () => ({ status: "ok" }));

  const ready = {
    tags,
    security: [],
    operationId: "getReadiness",
    summary: "Can it serve?",
    description:
      "Ready as long as the store answers and does not drop what it is given. Jobs are accepted without any worker too; `workers` says how many there are to run them.",
    response: { 200: answer("It is ready.", "Readiness#"), ...problems(503) },
  };
  app.get("/readyz", { schema: ready }, async () => {
    if (closing.aborted) throw new CopyError("service_unavailable", "the process is shutting down");
    await checkPolicy(redis);
    return { status: "ready", workers: (await livingWorkers(redis)).length };
  });
}

/** A Redis that may evict keys loses jobs that were accepted. */
async function checkPolicy(redis: Redis): Promise<void> {
  const memory = await available(redis.info("memory"));
  const policy = /^maxmemory_policy:(\S+)/m.exec(memory)?.[1];
  if (policy !== undefined && policy !== "noeviction") {
    throw new CopyError(
      "service_unavailable",
      `the store's maxmemory-policy is ${policy}: it must be noeviction, or accepted jobs get lost`,
    );
  }
}
