// A worker process with leases of the test's choosing, and without the cluster's pace where a test says so; else what src/worker/main.ts
// does, and nothing else.

import { flushCompileCache } from "node:module";
import { loadConfig } from "../../src/config.ts";
import { RedisPaceStore } from "../../src/jobs/redis-pace.ts";
import { createLogger } from "../../src/logger.ts";
import { startWorker, TIMING, type Timing } from "../../src/worker/main.ts";

const timing = {
  ...TIMING,
  ...(JSON.parse(process.env["TEST_TIMING"] ?? "{}") as Partial<Timing>),
};
if (process.env["TEST_PACED"] === "false")
  RedisPaceStore.prototype.change = () => Promise.reject(new Error("the test has taken it away"));
const config = loadConfig(process.env);
const worker = await startWorker(config, createLogger(config, "worker"), timing);
flushCompileCache();
process.once("SIGTERM", () => void worker.close().then(() => process.exit(0)));
