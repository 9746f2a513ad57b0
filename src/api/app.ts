// What routes are given, and what they are added to.

import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from "fastify";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { Redis } from "ioredis";
import type { Logger } from "pino";
import type { Bell } from "../jobs/bell.ts";
import type { EndsDeps } from "../jobs/ends.ts";
import type { Events } from "../jobs/events.ts";
import type { Sealer } from "../jobs/secrets.ts";
import type { Jobs } from "../jobs/store.ts";

/** Requests that look at images reach them as jobs do. */
export interface ServerDeps extends EndsDeps {
  readonly jobs: Jobs;
  readonly events: Events;
  readonly bell: Bell;
  readonly sealer: Sealer;
  /** Hasty: a request does not wait for a store that is away. */
  readonly redis: Redis;
  /** Tenants by the SHA-256 of their keys; undefined: no key is asked for. */
  readonly apiKeys: ReadonlyMap<string, string> | undefined;
  /** Aborts when the process begins to shut down: then nobody is kept waiting. */
  readonly closing: AbortSignal;
  readonly logger: Logger;
}

export type App = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

declare module "fastify" {
  interface FastifyRequest {
    /** Whose request it is; set for everything under /v1. */
    tenant: string;
  }
}
