// A process that records what it knows of blobs, as a worker does. Started by blob-info-cache.test.ts with fork(); the Redis is its
// argument, and it begins when it is told what to record.

import { once } from "node:events";
import type { BlobFacts } from "../../src/copy/blob-info-cache.ts";
import { RedisBlobInfoCache, type Bounds } from "../../src/jobs/blob-info-cache.ts";
import { connect } from "../../src/jobs/redis.ts";

export interface Order {
  readonly facts: readonly BlobFacts[];
  readonly bounds: Partial<Bounds>;
}

const redis = connect(process.argv[2] ?? "", "patient");
await redis.ping();
process.send?.("ready");
const [order] = (await once(process, "message")) as [Order];
const onError = (error: unknown) => {
  throw error;
};
const cache = new RedisBlobInfoCache({ redis, tenant: "t", onError, bounds: order.bounds });
await Promise.all(order.facts.map((facts) => cache.record(facts)));
process.exit(0);
