// Streams of events: of one job, and of all the tenant's.

import { CopyError } from "../errors.ts";
import { problems } from "./answers.ts";
import type { App, ServerDeps } from "./app.ts";
import { JobParams, StreamHeaders } from "./parameters.ts";
import type { Streams } from "./sse.ts";

const tags = ["events"];
const stream = (description: string, schema: string) => ({
  description,
  content: { "text/event-stream": { schema: { $ref: schema } } },
});

export function addEventRoutes(app: App, { jobs, events }: ServerDeps, streams: Streams): void {
  const ofJob = {
    tags,
    operationId: "streamJobEvents",
    summary: "Follow a job",
    description:
      'Server-Sent Events of one job, from its beginning or after `Last-Event-ID`: every event once, in order, and the stream ends after the last one. A comment comes at least every 15 s.\n\n```\nid: 2\nevent: active\ndata: {"jobId":"01jc8x3v5q7y9zt2m4n6p8r0ab","time":"2026-01-01T00:00:00.000Z","job":{ }}\n```',
    params: JobParams,
    headers: StreamHeaders,
    response: {
      200: stream("The messages, one after the other.", "JobEvents#"),
      ...problems(401, 404, 406, 429, 503),
    },
  };
  app.get("/jobs/:id/events", { schema: ofJob, exposeHeadRoute: false }, async (request, reply) => {
    const stored = await jobs.get(request.tenant, request.params.id);
    if (stored === undefined) throw new CopyError("not_found", "there is no such job");
    return streams.send(request, reply, request.tenant, (after, signal) =>
      events.ofJob(stored.record.id, after, signal),
    );
  });

  const ofTenant = {
    tags,
    operationId: "streamEvents",
    summary: "Follow all jobs",
    description:
      "Server-Sent Events of all the tenant's jobs, from now on or after `Last-Event-ID`: changes of state, and while a job runs an `active` event with its totals now and then. Nothing about single blobs. It does not end by itself.",
    headers: StreamHeaders,
    response: {
      200: stream("The messages, one after the other.", "TenantEvents#"),
      ...problems(401, 406, 429, 503),
    },
  };
  app.get("/events", { schema: ofTenant, exposeHeadRoute: false }, async (request, reply) =>
    streams.send(request, reply, request.tenant, (after, signal) =>
      events.ofTenant(request.tenant, after, signal),
    ),
  );
}
