// The rows of the matrix: what can go wrong with a request or its answer (reliability 2.3, 2.4).

import type { Fault } from "../support/fault-script.ts";

const REFUSALS = "400 401 403 404 405 406 408 410 413 415 416 422 425 429 500 501 502 503 504";

const byStatus = Object.fromEntries(
  REFUSALS.split(" ").map((name): [string, Fault] => [
    name,
    { type: "status", status: Number(name) },
  ]),
);

/** By name. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  ...byStatus,
  "400 BLOB_UPLOAD_INVALID": { type: "status", status: 400, code: "BLOB_UPLOAD_INVALID" },
  "404 BLOB_UPLOAD_UNKNOWN": { type: "status", status: 404, code: "BLOB_UPLOAD_UNKNOWN" },
  "404 NAME_UNKNOWN": { type: "status", status: 404, code: "NAME_UNKNOWN" },
  "404 MANIFEST_BLOB_UNKNOWN": { type: "status", status: 404, code: "MANIFEST_BLOB_UNKNOWN" },
  "400 DIGEST_INVALID": { type: "status", status: 400, code: "DIGEST_INVALID" },
  "429, Retry-After: 0": { type: "status", status: 429, headers: { "Retry-After": "0" } },
  "429, Retry-After: 600": { type: "status", status: 429, headers: { "Retry-After": "600" } },
  "503, Retry-After: 0": { type: "status", status: 503, headers: { "Retry-After": "0" } },
  "503, Retry-After: 600": { type: "status", status: 503, headers: { "Retry-After": "600" } },
  "503 before the body is read": { type: "status", status: 503, early: true },
  "reset, unheard": { type: "break", how: "reset", at: "request" },
  "end, unheard": { type: "break", how: "end", at: "request" },
  "stall, unheard": { type: "break", how: "stall", at: "request" },
  "reset, done": { type: "break", how: "reset", at: "answer" },
  "end, done": { type: "break", how: "end", at: "answer" },
  "stall, done": { type: "break", how: "stall", at: "answer" },
  "reset in the head": { type: "break", how: "reset", at: "head" },
  "end in the head": { type: "break", how: "end", at: "head" },
  "stall in the head": { type: "break", how: "stall", at: "head" },
  "reset in the body": { type: "break", how: "reset", at: "body" },
  "end in the body": { type: "break", how: "end", at: "body" },
  "stall in the body": { type: "break", how: "stall", at: "body" },
  "reset while sending": { type: "upload", how: "reset" },
  "stall while sending": { type: "upload", how: "stall" },
  "nobody listens any more": { type: "dial", how: "refused" },
  "the name is not resolved": { type: "dial", how: "unresolved" },
  "TLS is hung up on": { type: "dial", how: "hung-up" },
  "a certificate of a stranger": { type: "dial", how: "stranger" },
  "a certificate for another name": { type: "dial", how: "misnamed" },
  drip: { type: "drip", ms: 20 },
  "a bit is flipped": { type: "flip" },
  "length one short": { type: "length", by: -1 },
  "length one long": { type: "length", by: 1 },
  "two lengths": { type: "two-lengths" },
  "length and chunks": { type: "length-and-chunks" },
  "chunks without an end": { type: "endless-chunks" },
  "a second answer": { type: "extra" },
  gzip: { type: "gzip" },
  "redirect to itself": { type: "redirect" },
  "reset, then all": { type: "range", rest: "whole" },
  "reset, then shifted": { type: "range", rest: "shifted" },
  "reset, then of another size": { type: "range", rest: "other-total" },
  "reset, then 416": { type: "range", rest: "refused" },
};
