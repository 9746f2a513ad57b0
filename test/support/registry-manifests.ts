// The test registry's manifests (OCI distribution-spec, "Pulling manifests", "Pushing Manifests").

import { isList } from "../../src/image/media-types.ts";
import { serveBlob } from "./registry-blobs.ts";
import {
  checkType,
  parseDocument,
  Refusal,
  type Content,
  type StoredManifest,
} from "./registry-content.ts";
import { bodyOf, setDigest, type Exchange } from "./registry-http.ts";
import type { Quirk } from "./registry-quirks.ts";
import { notesSubjects, subjectOf } from "./registry-referrers.ts";

type Quirks = ReadonlySet<Quirk>;

export async function answerManifest(
  exchange: Exchange,
  content: Content,
  quirks: Quirks,
): Promise<void> {
  const { request, response, method, repository, ref, fault } = exchange;
  if (method === "PUT") return takeManifest(exchange, content, quirks);
  const manifest = find(exchange, content, quirks);
  if (manifest === undefined) throw new Refusal(404, "MANIFEST_UNKNOWN");
  if (method === "DELETE") {
    content.deleteManifest(repository, ref);
    return void response.writeHead(202).end();
  }
  const { bytes, mediaType, digest } = manifest;
  setDigest(response, digest, quirks);
  const parameters = quirks.has("content-type-parameters") ? "; charset=utf-8" : "";
  response.setHeader("Content-Type", mediaType + parameters);
  if (method === "HEAD" && quirks.has("other-length"))
    return void response.setHeader("Content-Length", bytes.length + 7).end();
  await serveBlob({ request, response, bytes, fault });
}

async function takeManifest(
  { request, response, repository, ref }: Exchange,
  content: Content,
  quirks: Quirks,
): Promise<void> {
  const bytes = await bodyOf(request, 4 * 1024 * 1024);
  const mediaType = (request.headers["content-type"] ?? "").split(";", 1)[0] as string;
  checkType({ bytes, mediaType }, quirks);
  const isTaken = !ref.includes(":") && content.manifest(repository, ref) !== undefined;
  if (isTaken && quirks.has("immutable-tags"))
    throw new Refusal(
      400,
      "TAG_INVALID",
      `the tag ${ref} already exists and cannot be overwritten`,
    );
  const digest = content.putManifest(repository, ref, { bytes, mediaType });
  setDigest(response, digest, quirks);
  const subject = subjectOf({ bytes, mediaType, digest });
  if (subject !== undefined && notesSubjects(quirks)) response.setHeader("OCI-Subject", subject);
  if (!quirks.has("no-manifest-location"))
    response.setHeader("Location", `/v2/${repository}/manifests/${digest}`);
  response.writeHead(201).end();
}

function find(
  { request, repository, ref }: Exchange,
  content: Content,
  quirks: Quirks,
): StoredManifest | undefined {
  const dashed = ref.replace("sha256-", "sha256:");
  const found =
    content.manifest(repository, ref) ??
    (dashed !== ref && quirks.has("dash-is-digest")
      ? content.manifest(repository, dashed)
      : undefined);
  if (found === undefined || !isList(found.mediaType)) return found;
  const accept = request.headers.accept ?? "";
  const isWelcome = accept.includes(found.mediaType) || ref.includes(":");
  if (isWelcome || !quirks.has("image-for-list")) return found;
  const [first] = parseDocument(found.bytes).manifests ?? [];
  return content.manifest(repository, String(first?.digest));
}
