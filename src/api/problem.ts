// The only place that turns errors into responses: problem documents (RFC 9457) with the contract's codes.

import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { CopyError, toCopyError } from "../errors.ts";
import type { Problem } from "../jobs/record.ts";
import { problemOf } from "../jobs/view.ts";
import { faultsOf } from "./faults.ts";

export const PROBLEM_TYPE = "application/problem+json";

/** Faults of the request itself, which HTTP has a status for and the contract one code: `invalid_request`. */
export class RequestFault extends Error {
  override readonly name = "RequestFault";
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

interface Answer {
  readonly problem: Problem;
  readonly headers: Readonly<Record<string, string>>;
}

/** Fastify's words for a request that it could not take, in ours. */
const FASTIFY: Readonly<Record<string, { status: number; detail: string }>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    status: 415,
    detail: "the body must be sent as `application/json`",
  },
  FST_ERR_CTP_BODY_TOO_LARGE: { status: 413, detail: "the body is larger than 256 KiB" },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    status: 400,
    detail: "the body's size is not what Content-Length says",
  },
  FST_ERR_BAD_URL: { status: 400, detail: "the address is not a valid URL" },
  FST_ERR_MAX_PARAM_LENGTH: { status: 404, detail: "there is nothing at this address" },
};

/** Answers with the problem that an error means. What nobody foresaw is logged here, once, and told to nobody. */
export function sendProblem(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { problem, headers } = answerTo(error, pathOf(request.url));
  if (problem.code === "internal")
    request.log.error(
      { err: error, method: request.method, path: problem.instance },
      "a request failed unexpectedly",
    );
  if (problem.code === "service_unavailable")
    request.log.warn({ err: error }, "a request found the service unavailable");
  return reply.code(problem.status).headers(headers).type(PROBLEM_TYPE).send(problem);
}

function answerTo(thrown: unknown, instance: string): Answer {
  const error = validated(thrown);
  if (error instanceof RequestFault)
    return faultAnswer(error.status, error.message, instance, error.headers);
  const fault = FASTIFY[codeOf(error) ?? ""];
  if (fault !== undefined) return faultAnswer(fault.status, fault.detail, instance);
  const status = statusOf(error);
  if (!(error instanceof CopyError) && status >= 400 && status < 500)
    return faultAnswer(status, "the request is not valid HTTP", instance);
  const known = toCopyError(error);
  const { retryAfterMs } = known.context;
  const headers = {
    ...(known.code === "unauthenticated" && { "www-authenticate": 'Bearer realm="transship"' }),
    ...(known.retryable &&
      known.code !== "internal" && {
        "retry-after": String(Math.ceil((retryAfterMs ?? 1000) / 1000)),
      }),
  };
  return { problem: problemOf(known, instance), headers };
}

/** What a schema found wrong outside of a body is thrown by Fastify. */
function validated(error: unknown): unknown {
  const found = error instanceof Error ? (error as FastifyError).validation : undefined;
  if (found === undefined) return error;
  const errors = faultsOf(found);
  const detail = errors.map((fault) => `${fault.pointer.slice(1)} ${fault.detail}`).join("; ");
  return new CopyError("invalid_request", detail, { errors });
}

/** Nothing at that address is `not_found`, whatever else is wrong with the request itself is `invalid_request`. */
function faultAnswer(
  status: number,
  detail: string,
  instance: string,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const code = status === 404 ? "not_found" : "invalid_request";
  return { problem: { ...problemOf(new CopyError(code, detail), instance), status }, headers };
}

interface RawFault {
  readonly status: number;
  readonly reason: string;
  readonly detail: string;
}

const NO_HTTP: RawFault = {
  status: 400,
  reason: "Bad Request",
  detail: "the request is not valid HTTP",
};

/** What Node's parser refuses, by the error's code. */
const RAW: Readonly<Record<string, RawFault>> = {
  HPE_HEADER_OVERFLOW: {
    status: 431,
    reason: "Request Header Fields Too Large",
    detail: "the headers are too large",
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: 408,
    reason: "Request Timeout",
    detail: "the request took too long to arrive",
  },
};

/** A whole HTTP response to what was refused before there was a request. */
export function rawProblem(error: { readonly code?: string }): string {
  const { status, reason, detail } = RAW[error.code ?? ""] ?? NO_HTTP;
  const body = JSON.stringify(faultAnswer(status, detail, "/").problem);
  return `HTTP/1.1 ${status} ${reason}\r\nContent-Type: ${PROBLEM_TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;
}

/** The address without its query, which may hold anything. */
export const pathOf = (url: string): string => url.split("?", 1)[0] ?? url;

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "code" in error ? String((error as FastifyError).code) : undefined;

const statusOf = (error: unknown): number =>
  error instanceof Error && "statusCode" in error
    ? Number((error as FastifyError).statusCode)
    : 500;
