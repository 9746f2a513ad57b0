// /v1/jobs: ordering, listing, reading, canceling and retrying jobs. A route is its schema, one call, and the answer.

import type { FastifyReply } from "fastify";
import { CopyError } from "../errors.ts";
import { canonicalJson, parseIdempotencyKey } from "../jobs/idempotency.ts";
import { isFinal } from "../jobs/record.ts";
import { viewOf, type JobView } from "../jobs/view.ts";
import type { Filter } from "../jobs/list.ts";
import type { Stored } from "../jobs/store.ts";
import { answer, headerSchemas, problems } from "./answers.ts";
import type { App, ServerDeps } from "./app.ts";
import { faultsOf } from "./faults.ts";
import { GetHeaders, JobParams, ListQuery, PAGE_SIZE, SubmitHeaders } from "./parameters.ts";
import { parseOrder } from "./request.ts";
import { awaitChange, parseWait } from "./wait.ts";

const tags = ["jobs"];

const job = (description: string, headers: Readonly<Record<string, string>> = {}) =>
  answer(description, "Job#", headers);
const RETRY_AFTER = "While the job is not finished: ask again after so many seconds.";

export function addJobRoutes(app: App, deps: ServerDeps): void {
  addSubmit(app, deps);
  addList(app, deps);
  addGet(app, deps);
  addManifest(app, deps);
  addChanges(app, deps);
}

function addSubmit(app: App, deps: ServerDeps): void {
  const { jobs, sealer } = deps;
  const schema = {
    tags,
    operationId: "createJob",
    summary: "Order a copy",
    description:
      "Accepts a copy job. Once this has answered 202 the job will run, whatever dies. A request that is not valid leaves no job behind; all that is wrong with it is in `errors`.",
    headers: SubmitHeaders,
    body: { $ref: "JobRequest#" },
    response: {
      202: job("The job.", { location: "The job's address." }),
      ...problems(400, 401, 413, 415, 422, 503),
    },
  };
  // What is wrong with the body is looked at in the handler, together with what a schema cannot see.
  app.post("/jobs", { schema, attachValidation: true }, async (request, reply) => {
    const order = parseOrder(
      request.body,
      faultsOf(request.validationError?.validation ?? []),
      deps,
    );
    const key = request.headers["idempotency-key"];
    const idempotency =
      key === undefined
        ? undefined
        : {
            key: parseIdempotencyKey(key),
            digest: sealer.fingerprint(canonicalJson(request.body)),
          };
    const { stored } = await jobs.submit({
      tenant: request.tenant,
      ...order,
      ...(idempotency && { idempotency }),
    });
    const view = viewOf(stored.record);
    reply.code(202).header("location", view.links.self);
    return view;
  });
}

function addList(app: App, { jobs }: ServerDeps): void {
  const schema = {
    tags,
    operationId: "listJobs",
    summary: "List jobs",
    description:
      "The tenant's jobs, newest first. Filters are taken together. A page may be short, or empty, and yet have a next one.",
    querystring: ListQuery,
    response: { 200: answer("A page of jobs.", "JobPage#"), ...problems(400, 401, 503) },
  };
  // Bodies are taken literally; in an address everything is text.
  const preValidation = async ({ query }: { query: unknown }) => {
    const fields = query as Record<string, unknown>;
    if (typeof fields["limit"] === "string" && /^\d{1,9}$/.test(fields["limit"]))
      fields["limit"] = Number(fields["limit"]);
  };
  app.get("/jobs", { schema, preValidation }, async (request) => {
    const { limit = PAGE_SIZE, cursor } = request.query;
    const { items, nextCursor } = await jobs.list(request.tenant, filterOf(request.query), {
      limit,
      ...(cursor !== undefined && { cursor }),
    });
    return { items: items.map(viewOf), nextCursor };
  });
}

function filterOf({ status, label, source, destination }: ListQuery): Filter {
  const colon = label?.indexOf(":") ?? -1;
  return {
    ...(status !== undefined && { status }),
    ...(label !== undefined && {
      label: { key: label.slice(0, colon), value: label.slice(colon + 1) },
    }),
    ...(source !== undefined && { source }),
    ...(destination !== undefined && { destination }),
  };
}

function addGet(app: App, deps: ServerDeps): void {
  const headers = {
    etag: "Changes with the job.",
    "retry-after": RETRY_AFTER,
    "preference-applied": "`wait=N`, if it was asked for.",
  };
  const schema = {
    tags,
    operationId: "getJob",
    summary: "Read a job",
    description:
      "The job as it is now, or with `Prefer: wait=N` as it is at its next change of `status`.",
    params: JobParams,
    headers: GetHeaders,
    response: {
      200: job("The job.", headers),
      304: {
        description: "It is as `If-None-Match` says.",
        type: "null",
        headers: headerSchemas(headers),
      },
      ...problems(401, 404, 503),
    },
  };
  app.get("/jobs/:id", { schema }, async (request, reply) => {
    const { id } = request.params;
    const known = request.headers["if-none-match"];
    const seconds = parseWait(request.headers.prefer);
    const now = found(await deps.jobs.get(request.tenant, id));
    if (seconds !== undefined) reply.header("preference-applied", `wait=${seconds}`);
    const since = revisionIn(known) ?? now.record.statusRevision;
    const signal = AbortSignal.any([request.signal, deps.closing]);
    const stored =
      seconds === undefined
        ? now
        : found(await awaitChange(deps, request.tenant, id, { since, seconds, signal }));
    return answerWith(stored, known, reply);
  });
}

/** Revision of state and of record: what a client waits for, and what tells whether it has seen all. */
const etagOf = ({ record, rev }: Stored): string => `"${record.statusRevision}-${rev}"`;

/** The revision of state of the first of our ETags in the header. */
function revisionIn(ifNoneMatch: string | undefined): number | undefined {
  const revision = /"(\d{1,15})-\d{1,15}"/.exec(ifNoneMatch ?? "")?.[1];
  return revision === undefined ? undefined : Number(revision);
}

function answerWith(
  stored: Stored,
  ifNoneMatch: string | undefined,
  reply: FastifyReply,
): JobView | FastifyReply {
  const etag = etagOf(stored);
  reply.headers({ etag, "cache-control": "private, no-cache" });
  if (!isFinal(stored.record.status)) reply.header("retry-after", "1");
  const same = (ifNoneMatch ?? "")
    .split(",")
    .some((tag) => tag.trim() === "*" || tag.trim().replace(/^W\//, "") === etag);
  return same ? reply.code(304).send() : viewOf(stored.record);
}

function addManifest(app: App, { jobs }: ServerDeps): void {
  const headers = { "docker-content-digest": "The manifest's digest." };
  const schema = {
    tags,
    operationId: "getJobManifest",
    summary: "Read the manifest that was written",
    description: "Its exact bytes, with its own media type. 404 while there is none.",
    params: JobParams,
    response: {
      200: {
        description: "The manifest.",
        headers: headerSchemas(headers),
        content: { "*/*": { schema: { type: "string", format: "binary" } } },
      },
      ...problems(401, 404, 503),
    },
  };
  app.get("/jobs/:id/manifest", { schema }, async (request, reply) => {
    const { record } = found(await jobs.get(request.tenant, request.params.id));
    const manifest = await jobs.manifest(request.tenant, record.id);
    if (manifest === undefined || record.result === null)
      throw new CopyError("not_found", "the job has written no manifest");
    return reply
      .type(manifest.mediaType)
      .header("docker-content-digest", record.result.manifestDigest)
      .send(manifest.bytes);
  });
}

function addChanges(app: App, { jobs }: ServerDeps): void {
  const cancel = {
    tags,
    operationId: "cancelJob",
    summary: "Cancel a job",
    description:
      "A queued job ends at once, a running one as soon as its worker hears of it; a finished one is left as it is. Asking again changes nothing.",
    params: JobParams,
    response: { 202: job("The job."), ...problems(401, 404, 503) },
  };
  app.delete("/jobs/:id", { schema: cancel }, async (request, reply) => {
    const stored = found(await jobs.cancel(request.tenant, request.params.id));
    reply.code(202);
    return viewOf(stored.record);
  });
  const retry = {
    tags,
    operationId: "retryJob",
    summary: "Run a job again",
    description:
      "A failed or canceled job is queued anew, with all its attempts. 409 in any other state, and where its credentials are no longer kept (a day after its end).",
    params: JobParams,
    response: {
      202: job("The job.", { location: "The job's address." }),
      ...problems(401, 404, 409, 503),
    },
  };
  app.post("/jobs/:id/retry", { schema: retry }, async (request, reply) => {
    const view = viewOf(found(await jobs.retry(request.tenant, request.params.id)).record);
    reply.code(202).header("location", view.links.self);
    return view;
  });
}

function found(stored: Stored | undefined): Stored {
  if (stored === undefined) throw new CopyError("not_found", "there is no such job");
  return stored;
}
