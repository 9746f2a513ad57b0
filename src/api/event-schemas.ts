// What streams of events hold, for openapi.yaml.

import { Type, type TSchema } from "typebox";
import { strict } from "./option-schemas.ts";

const Artifact = Type.Object(
  {
    digest: Type.String(),
    size: Type.Union([Type.Integer({ minimum: 0 }), Type.Null()], {
      description: "Bytes, as the manifest has it; null where it does not tell (docker schema 1).",
    }),
    mediaType: Type.String(),
    kind: Type.Enum(["config", "layer"], { type: "string" }),
    index: Type.Integer({
      minimum: 0,
      description: "Of the layer in its manifest, from 0 = base; 0 for a config.",
    }),
  },
  { ...strict, $id: "Artifact" },
);

/** One message of a stream: its fields, with `data` parsed. */
function message(
  name: string,
  description: string,
  types: readonly string[],
  data: Record<string, TSchema>,
) {
  const common = { jobId: Type.String(), time: Type.String({ format: "date-time" }) };
  const fields = {
    id: Type.String({ description: "Grows within a stream, and survives restarts." }),
    event: Type.Enum([...types], { type: "string" }),
    data: Type.Object({ ...common, ...data }, strict),
  };
  return { name, schema: Type.Object(fields, { ...strict, $id: name, description }) };
}

const job = Type.Ref("Job#");
const artifact = Type.Ref("Artifact#");
const offset = Type.Integer({ minimum: 0, description: "Bytes of the blob so far." });

const MESSAGES = [
  message(
    "SnapshotEvent",
    "Sent first where the asked-for past is no longer kept: it stands for all events up to its id.",
    ["snapshot"],
    { job },
  ),
  message(
    "StateEvent",
    "A change of `status`; `succeeded`, `failed` and `canceled` are a job's last. `retrying`: a run failed, or a registry asked to be left alone (`parkedUntil`), and another run will come.",
    ["queued", "active", "retrying", "succeeded", "failed", "canceled"],
    { job },
  ),
  message("BlobNewEvent", "A blob is about to be copied.", ["blob-new"], { artifact }),
  message(
    "BlobReadEvent",
    "Some of a blob was read; at most one a blob every `progressIntervalMs`.",
    ["blob-read"],
    {
      artifact,
      offset,
      offsetUpdate: Type.Integer({ minimum: 0, description: "Bytes since the event before." }),
    },
  ),
  message("BlobDoneEvent", "A blob was copied.", ["blob-done"], {
    artifact,
    offset,
    bytesStored: Type.Integer({
      minimum: 0,
      description: "Of the blob as it was stored: others than were read where it was converted.",
    }),
  }),
  message(
    "BlobSkippedEvent",
    "A blob need not be copied: the destination has it, it was mounted, or it is kept elsewhere.",
    ["blob-skipped"],
    {
      artifact,
      reason: Type.Enum(["exists", "mounted", "foreign"], { type: "string" }),
    },
  ),
  message("ReportEvent", "What the copy is doing, in words.", ["report"], {
    message: Type.String(),
  }),
] as const;

const JobEvents = Type.Array(Type.Union(MESSAGES.map(({ name }) => Type.Ref(`${name}#`))), {
  $id: "JobEvents",
  description: "The messages of a job's stream, in order.",
});

const TenantEvents = Type.Array(Type.Union([Type.Ref("SnapshotEvent#"), Type.Ref("StateEvent#")]), {
  $id: "TenantEvents",
  description: "The messages of a tenant's stream, in order.",
});

export const EVENT_SCHEMAS = [
  Artifact,
  ...MESSAGES.map(({ schema }) => schema),
  JobEvents,
  TenantEvents,
] as const;
