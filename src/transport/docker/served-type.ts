import { guessMediaType } from "../../image/manifest/manifest.ts";
import { mediaTypeOf, type Reply } from "./answer.ts";

/** What servers say of a file that they know nothing about. */
const SILENT: ReadonlySet<string> = new Set([
  "",
  "application/json",
  "application/octet-stream",
  "binary/octet-stream",
  "text/json",
  "text/plain",
]);

/** The type of a manifest as it was served: the header's word, or where that says nothing, what the content looks like. */
export function servedType(reply: Pick<Reply, "headers" | "body">): string {
  const type = mediaTypeOf(reply);
  return (SILENT.has(type) && guessMediaType(reply.body)) || type;
}
