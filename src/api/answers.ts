// What answers hold, for openapi.yaml. Nothing is filtered by these: an answer is the job's view (jobs/job.ts) as it is, and the
// tests hold every answer to its schema here.

import { Type, type TSchema } from "typebox";
import { CODES } from "../codes.ts";
import { JOB, PROBLEM } from "./examples.ts";
import { PROBLEM_TYPE } from "./problem.ts";
import { Options, strict } from "./option-schemas.ts";

const nullable = (schema: TSchema) => Type.Union([schema, Type.Null()]);
const time = (description: string) => Type.String({ format: "date-time", description });
const digest = (description: string) =>
  Type.String({ description, examples: [`sha256:${"0".repeat(64)}`] });
const count = (description?: string) =>
  Type.Integer({ minimum: 0, ...(description !== undefined && { description }) });

export const Problem = Type.Object(
  {
    type: Type.String({ description: "The code's place in the documentation." }),
    title: Type.String(),
    status: Type.Integer({
      description: "The HTTP status; of a job's error the one that describes it best.",
    }),
    detail: Type.String({ description: "What happened this time." }),
    instance: Type.String({ description: "What it belongs to." }),
    code: Type.Enum(Object.keys(CODES), {
      type: "string",
      description: "For programs to switch on; see the table of codes.",
    }),
    retryable: Type.Boolean({
      description:
        "The same request or job may succeed later without being changed. False of content that was wrong in two attempts of a job.",
    }),
    errors: Type.Optional(
      Type.Array(
        Type.Object(
          {
            pointer: Type.String({
              description:
                "A JSON pointer (RFC 6901) into the body, or into the query's parameters.",
            }),
            detail: Type.String(),
          },
          strict,
        ),
        {
          description: "Of a bad request: every field that is wrong.",
        },
      ),
    ),
    side: Type.Optional(Type.Enum(["source", "destination"], { type: "string" })),
    phase: Type.Optional(
      Type.String({ description: "What was being done, such as `manifest`, `blob` or `upload`." }),
    ),
    registry: Type.Optional(Type.String({ description: "`host[:port]`." })),
    digest: Type.Optional(Type.String({ description: "The content that it is about." })),
    upstream: Type.Optional(
      Type.Object(
        { status: Type.Integer(), code: Type.Optional(Type.String()) },
        { ...strict, description: "What the registry answered." },
      ),
    ),
  },
  { ...strict, $id: "Problem", description: "RFC 9457.", examples: [PROBLEM] },
);

export const Progress = Type.Object(
  {
    bytesTotal: count("Grows while manifests are read."),
    bytesDone: count(),
    blobsTotal: count(),
    blobsCopied: count(),
    blobsReused: count("The destination had them."),
    blobsMounted: count("Taken over from another repository of the same registry."),
  },
  { ...strict, $id: "Progress", description: "Of the current run." },
);

export const Result = Type.Object(
  {
    sourceDigest: digest("Of the manifest that the source reference named."),
    manifestDigest: digest("Of the manifest that the destination reference names now."),
    manifestMediaType: Type.String(),
    signatures: count("Signatures that were written."),
    referrers: count("Manifests that refer to the image, and were copied with it."),
    skipped: Type.Boolean({
      description: "Nothing was written: the image was there, or its tag was to be left alone.",
    }),
    durationMs: count(),
    bytesCopied: count("Bytes that were moved; what was reused or mounted does not count."),
  },
  { ...strict, $id: "Result" },
);

/** Exactly what a request may hold, but all of it, less a policy: each event would repeat it. These alone have no default. */
const WITHOUT_DEFAULT = ["forceManifestMimeType", "destinationTimestamp"] as const;
const AppliedOptions = Type.Object(
  {
    ...Type.Required(Type.Omit(Options, [...WITHOUT_DEFAULT, "policy"])).properties,
    ...Type.Pick(Options, WITHOUT_DEFAULT).properties,
  },
  {
    ...strict,
    $id: "Options",
    description:
      "What holds for the job: the options of the request but its `policy`, and the defaults of the others.",
  },
);

export const Job = Type.Object(
  {
    id: Type.String({ examples: ["01jc8x3v5q7y9zt2m4n6p8r0ab"] }),
    status: Type.Enum(["queued", "active", "succeeded", "failed", "canceled"], { type: "string" }),
    source: Type.String(),
    destination: Type.String(),
    options: Type.Ref("Options#"),
    labels: Type.Object({}, { additionalProperties: Type.String() }),
    batch: Type.Null(),
    attempt: count("Which run this is; 0 before the first."),
    attempts: Type.Integer({ minimum: 1 }),
    createdAt: time("When it was accepted."),
    startedAt: nullable(time("When its first run began.")),
    finishedAt: nullable(time("When it ended.")),
    parkedUntil: nullable(
      time(
        "A queued job waits until then because a registry asks to be left alone, or has few pulls left; `error` says which. It costs no attempt.",
      ),
    ),
    progress: Type.Ref("Progress#"),
    result: nullable(Type.Ref("Result#")),
    error: nullable(Type.Ref("Problem#")),
    links: Type.Object(
      { self: Type.String(), events: Type.String(), manifest: Type.String() },
      strict,
    ),
  },
  { ...strict, $id: "Job", description: "Secrets never come back.", examples: [JOB] },
);

export const JobPage = Type.Object(
  {
    items: Type.Array(Type.Ref("Job#")),
    nextCursor: nullable(
      Type.String({ description: "For the next page; null: this is the last." }),
    ),
  },
  { ...strict, $id: "JobPage" },
);

export const Health = Type.Object({ status: Type.Literal("ok") }, { ...strict, $id: "Health" });

export const Readiness = Type.Object(
  {
    status: Type.Literal("ready"),
    workers: count("Worker processes that gave a sign of life lately."),
  },
  { ...strict, $id: "Readiness", examples: [{ status: "ready", workers: 2 }] },
);

/** What answers refer to. */
export const ANSWER_SCHEMAS = [
  Problem,
  Progress,
  Result,
  AppliedOptions,
  Job,
  JobPage,
  Health,
  Readiness,
] as const;

/** An answer of a route, for its `response`: JSON of a schema that is referred to by name. */
export const answer = (
  description: string,
  schema: string,
  headers: Readonly<Record<string, string>> = {},
) => ({
  description,
  ...(Object.keys(headers).length > 0 && { headers: headerSchemas(headers) }),
  content: { "application/json": { schema: { $ref: schema } } },
});

/** Headers by name, with what they mean. */
export const headerSchemas = (headers: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, description]) => [name, { type: "string", description }]),
  );

/** What most routes mean by them. */
export const STATUSES: Readonly<Record<number, string>> = {
  400: "Something is wrong with the request: `errors` says where.",
  401: "No valid API key was given.",
  404: "The tenant has no such thing.",
  406: "The client does not accept what there is.",
  409: "The job's state does not allow it.",
  413: "The body is larger than 256 KiB.",
  415: "The body is not `application/json`.",
  422: "A reference is not valid, or the idempotency key belongs to another request.",
  429: "The tenant has too many streams open.",
  500: "Something unexpected went wrong.",
  503: "The store does not answer in time. A POST can be sent again with the same Idempotency-Key.",
};

/** The problem answers of a route, for its `response`. */
export const problems = (...statuses: readonly (keyof typeof STATUSES)[]) =>
  problemsOf(Object.fromEntries([...statuses, 500].map((status) => [status, STATUSES[status]])));

/** The same, by what each status means to this route. */
export const problemsOf = (meanings: Readonly<Record<number, string | undefined>>) =>
  Object.fromEntries(
    Object.entries(meanings).map(([status, meaning]) => [
      status,
      {
        description: meaning,
        content: { [PROBLEM_TYPE]: { schema: Type.Ref("Problem#") } },
      },
    ]),
  );
