// For a container's health check: ends with 0 if a worker on this host has given a sign of life to Redis of late, else with 1.

import { hostname } from "node:os";
import { Redis } from "ioredis";
import { loadConfig } from "../config.ts";
import { livingWorkers, onHost } from "../jobs/workers.ts";

const redis = new Redis(loadConfig(process.env).redisUrl, {
  maxRetriesPerRequest: 0,
  retryStrategy: () => null,
  commandTimeout: 3000,
});
redis.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
if (onHost(await livingWorkers(redis), hostname()).length > 0) process.exit(0);
console.error(`no worker on ${hostname()} is alive`);
process.exit(1);
