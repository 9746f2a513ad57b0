// /v1/inspect: what a reference names, without copying it.

import type { FastifyReply } from "fastify";
import { getConfig } from "../copy/config.ts";
import { chooseInstance } from "../copy/instances.ts";
import type { Source } from "../copy/interfaces.ts";
import { getInstance } from "../copy/multiple.ts";
import { CopyError } from "../errors.ts";
import { algorithmOf, type Algorithm, type Digest } from "../image/digest.ts";
import { parseList } from "../image/manifest/list.ts";
import {
  manifestDigest,
  type Image,
  type ImageList,
  type Instance,
  type RawManifest,
} from "../image/manifest/manifest.ts";
import { parseImage } from "../image/manifest/parse.ts";
import { parseSchema1 } from "../image/manifest/schema1.ts";
import { DOCKER_CONFIG, isList, MANIFEST_TYPES, OCI_CONFIG } from "../image/media-types.ts";
import type { Platform, PlatformChoice } from "../image/platform.ts";
import type { ImageReference } from "../image/reference.ts";
import { accessTo } from "../transport/access.ts";
import { openSource } from "../transport/open.ts";
import { answer, headerSchemas } from "./answers.ts";
import type { App, ServerDeps } from "./app.ts";
import { faultsOf } from "./faults.ts";
import { inspectionOf, type FoundImage, type Inspected } from "./inspection.ts";
import { parseInspectRequest } from "./lookup-request.ts";
import { LOOKUP_PROBLEMS, type Inspection } from "./lookup-schemas.ts";
import { askerOf, type Lookups } from "./lookups.ts";

const DIGEST_HEADER = { "docker-content-digest": "With `raw`: the manifest's digest." };

const SCHEMA = {
  tags: ["images"],
  operationId: "inspectImage",
  summary: "Look at an image",
  description:
    "What a reference names: its digest, and of a list its platforms and the image for one of them. A list without an image for the platform is told alone, with `image` and `config` null. With `raw`: the manifest's exact bytes instead, with its own media type. Credentials are used for this and forgotten.",
  body: { $ref: "InspectRequest#" },
  response: {
    200: {
      ...answer("What it names.", "Inspection#"),
      headers: headerSchemas(DIGEST_HEADER),
      content: {
        "application/json": { schema: { $ref: "Inspection#" } },
        "*/*": { schema: { type: "string", format: "binary" } },
      },
    },
    ...LOOKUP_PROBLEMS,
  },
};

export function addInspectRoute(app: App, deps: ServerDeps, lookups: Lookups): void {
  app.post(
    "/inspect",
    { schema: SCHEMA, attachValidation: true },
    async (request, reply): Promise<Inspection | FastifyReply> => {
      const faults = faultsOf(request.validationError?.validation ?? []);
      const { reference, wish, platform, raw } = parseInspectRequest(request.body, faults, deps);
      const access = accessTo("source", wish, deps);
      const read = await lookups.run(askerOf(request, reply), async (signal) => {
        await using source = await openSource(reference, access, signal);
        const top = await source.getManifest(undefined, signal);
        const digest = manifestDigest(top, algorithmIn(reference));
        const about = raw
          ? { signatures: [] }
          : await readAbout(source, top, { choice: platform, host: deps.host }, signal);
        return { digest, top, ...about };
      });
      return raw ? sendRaw(reply, read) : inspectionOf(read);
    },
  );
}

/** A reference that has a digest is answered with it. */
const algorithmIn = (reference: ImageReference): Algorithm =>
  reference.transport === "docker" && reference.digest !== undefined
    ? algorithmOf(reference.digest)
    : "sha256";

/** A type that no manifest has is a stranger's word on what to make of his bytes: it is not repeated. */
const sendRaw = (reply: FastifyReply, { top, digest }: Inspected): FastifyReply =>
  reply
    .type(MANIFEST_TYPES.find((known) => known === top.mediaType) ?? "application/octet-stream")
    .header("docker-content-digest", digest)
    .send(top.bytes);

interface Wanted {
  readonly choice: PlatformChoice;
  readonly host: Platform;
}

/** What is below the manifest that the reference names. Throws what a copy of it would, but for `platform_not_found`. */
async function readAbout(
  source: Source,
  top: RawManifest,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<Omit<Inspected, "digest" | "top">> {
  const signatures = await source.getSignatures(undefined, signal);
  if (!isList(top.mediaType))
    return { found: await readFound(source, top, manifestDigest(top), signal), signatures };
  const list = parseList(top);
  const chosen = chooseIfAny(list, wanted);
  if (chosen === undefined) return { list, signatures };
  const manifest = await getInstance(source, chosen, signal);
  return {
    list,
    found: await readFound(source, manifest, chosen.digest, signal),
    signatures: [...signatures, ...(await source.getSignatures(chosen.digest, signal))],
  };
}

/** The image of a list for a platform; undefined where it has none, or another list. */
function chooseIfAny(list: ImageList, { choice, host }: Wanted): Instance | undefined {
  try {
    const chosen = chooseInstance(list, choice, host);
    return isList(chosen.mediaType) ? undefined : chosen;
  } catch (error) {
    if (error instanceof CopyError && error.code === "platform_not_found") return undefined;
    throw error;
  }
}

async function readFound(
  source: Source,
  manifest: RawManifest,
  digest: Digest,
  signal: AbortSignal,
): Promise<FoundImage> {
  const image = parseImage(manifest);
  const config = await readConfigOf(source, manifest, image, signal);
  return { digest, image, ...(config !== undefined && { config }) };
}

/** Schema 1 has its config in the manifest; what an artifact has is no image's. */
async function readConfigOf(
  source: Source,
  manifest: RawManifest,
  { config }: Image,
  signal: AbortSignal,
): Promise<Buffer | undefined> {
  if (config === undefined) return Buffer.from(parseSchema1(manifest).entries[0].v1Compatibility);
  const isImage = config.mediaType === OCI_CONFIG || config.mediaType === DOCKER_CONFIG;
  return isImage ? getConfig(source, config, signal) : undefined;
}
