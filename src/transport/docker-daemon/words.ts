// What a docker engine says, made fit to be repeated.

import { isObject, parseJsonObject } from "../../image/json.ts";
import type { Reply } from "../docker/answer.ts";

/** Characters of its words that are repeated. */
const LIMIT = 500;

/** The status of an answer, and the engine's `message`. */
export function messageIn({ status, body }: Pick<Reply, "status" | "body">): string {
  const { message } = parsed(body) as { message?: unknown };
  return typeof message === "string" ? `${status}: ${clean(message)}` : String(status);
}

/** Why an image was not loaded, in lines of JSON that tell of the progress; undefined: it was. */
export function refusalIn(lines: Buffer): string | undefined {
  for (const line of lines.toString().split("\n")) {
    const told = refusalOf(parsed(Buffer.from(line)));
    if (told !== undefined) return clean(told);
  }
  return undefined;
}

function refusalOf({ errorDetail, stream }: Readonly<Record<string, unknown>>): string | undefined {
  // Engines with containerd's store take any image, and tell of one that they cannot unpack as of any progress.
  if (typeof stream === "string" && stream.startsWith("Error ")) return stream;
  if (errorDetail === undefined || errorDetail === null) return undefined;
  const message = isObject(errorDetail) ? errorDetail["message"] : undefined;
  return typeof message === "string" ? message : "it does not say why";
}

/** Empty where it is no JSON object. */
function parsed(json: Buffer): Readonly<Record<string, unknown>> {
  try {
    return parseJsonObject(json);
  } catch {
    return {};
  }
}

const clean = (text: string): string =>
  text
    .slice(0, LIMIT)
    .replaceAll(/[^\u0020-\u007e\u00a0-\uffff]+/g, " ")
    .trim();
