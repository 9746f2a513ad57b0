// The one way in for bodies: JSON, and only as `application/json`. Whatever another reader might take for JSON is refused, for a
// body that no schema has seen must not reach a route (reliability T43).

import type { FastifyInstance, FastifyRequest } from "fastify";
import { CopyError } from "../errors.ts";
import { parseJson } from "../image/json.ts";
import { RequestFault } from "./problem.ts";

/** Bytes. */
export const BODY_LIMIT = 256 * 1024;

const JSON_TYPE = /^application\/json(?: ?; ?charset="?utf-8"?)?$/i;

/** An empty body counts as none. */
export function addJsonBody(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>(
    "application/json",
    { parseAs: "buffer" },
    async (request: FastifyRequest, body: Buffer) => {
      // Fastify looks at the header's normal form, which drops what it cannot read.
      if (!JSON_TYPE.test(request.headers["content-type"] ?? ""))
        throw new RequestFault(415, "the body must be sent as `application/json`, in UTF-8");
      if (request.headers["content-encoding"] !== undefined)
        throw new RequestFault(415, "the body must be sent without Content-Encoding");
      return body.length === 0 ? undefined : parseBody(body);
    },
  );
}

/** `__proto__` and its like are ordinary members of what this returns: no schema knows them. */
function parseBody(body: Buffer): unknown {
  try {
    return parseJson(body);
  } catch (error) {
    const detail = `the body is not acceptable: ${whyOf(error)}`;
    throw new CopyError("invalid_request", detail, { errors: [{ pointer: "", detail }] });
  }
}

/** JSON.parse quotes what it could not read, and that may be a password. */
function whyOf(error: unknown): string {
  if (error instanceof SyntaxError) return "it is not valid JSON";
  if (error instanceof TypeError) return "it is not valid UTF-8";
  return error instanceof Error ? error.message : "it cannot be read";
}
