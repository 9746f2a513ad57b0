// What a docker engine says, made fit to be repeated.

import { isObject, parseJson } from "../../image/json.ts";
import type { Reply } from "../docker/answer.ts";

/** Characters of its words that are repeated. */
const LIMIT = 500;

/** The status of an answer, and the engine's `message`. */
export function messageIn({ status, body }: Pick<Reply, "status" | "body">): string {
  const message = fieldIn(body, "message");
  return typeof message === "string" ? `${status}: ${clean(message)}` : String(status);
}

/** Why images were not loaded, in lines of JSON that tell of the progress; undefined: they were. */
export function refusalIn(lines: Buffer): string | undefined {
  for (const line of lines.toString().split("\n")) {
    const detail = fieldIn(Buffer.from(line), "errorDetail");
    if (detail === undefined || detail === null) continue;
    const message = isObject(detail) ? detail["message"] : undefined;
    return typeof message === "string" ? clean(message) : "it does not say why";
  }
  return undefined;
}

function fieldIn(json: Buffer, name: string): unknown {
  try {
    const document = parseJson(json);
    return isObject(document) ? document[name] : undefined;
  } catch {
    return undefined;
  }
}

const clean = (text: string): string =>
  text
    .slice(0, LIMIT)
    .replaceAll(/[^\u0020-\u007e\u00a0-\uffff]+/g, " ")
    .trim();
