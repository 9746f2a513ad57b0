// A worker process with leases of the test's choosing: what src/worker/main.ts does, and nothing else.

import { loadConfig } from "../../src/config.ts";
import { createLogger } from "../../src/logger.ts";
import { startWorker, TIMING, type Timing } from "../../src/worker/main.ts";

const timing = {
  ...TIMING,
  ...(JSON.parse(process.env["TEST_TIMING"] ?? "{}") as Partial<Timing>),
};
const config = loadConfig(process.env);
const worker = await startWorker(config, createLogger(config, "worker"), timing);
process.once("SIGTERM", () => void worker.close().then(() => process.exit(0)));
