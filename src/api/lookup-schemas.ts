// What the requests may hold that look at images and change nothing, and what their answers hold.

import { Type, type Static, type TSchema } from "typebox";
import { INSPECTION } from "./examples.ts";
import { problemsOf, STATUSES } from "./answers.ts";
import { flag, strict } from "./option-schemas.ts";
import { reference, side, SourceContext } from "./schemas.ts";

export const TagsRequest = Type.Object(
  {
    reference: reference(
      "A repository without tag and digest, or an `oci:` layout, an `oci-archive:` or a `docker-archive:` without a name.",
      "docker://registry.example.com/team/app",
    ),
    context: Type.Optional(
      Type.Object(side, { ...strict, description: "How the registry is reached." }),
    ),
  },
  {
    ...strict,
    $id: "TagsRequest",
    examples: [{ reference: "docker://registry.example.com/team/app" }],
  },
);
export type TagsRequest = Static<typeof TagsRequest>;

export const Tags = Type.Object(
  {
    repository: Type.Union([Type.String(), Type.Null()], {
      description: "`host[:port]/path`; null for a layout or archive.",
    }),
    tags: Type.Array(Type.String(), {
      description:
        "In the registry's order. Of a layout or archive: the names of its images, and `@n`, the place, of one without a name; both can stand in a reference as they are.",
    }),
  },
  {
    ...strict,
    $id: "Tags",
    examples: [{ repository: "registry.example.com/team/app", tags: ["1.0", "1.1"] }],
  },
);
export type Tags = Static<typeof Tags>;

export const InspectRequest = Type.Object(
  {
    reference: reference(
      "The image, in any form that a job's source may have.",
      "docker://registry.example.com/team/app:1.2",
    ),
    context: Type.Optional(SourceContext),
    raw: Type.Optional(flag(false, "Answer the manifest's exact bytes, with its media type.")),
  },
  {
    ...strict,
    $id: "InspectRequest",
    examples: [
      {
        reference: "docker://registry.example.com/team/app:1.2",
        context: { os: "linux", architecture: "arm64" },
      },
    ],
  },
);
export type InspectRequest = Static<typeof InspectRequest>;

const nullable = <T extends TSchema>(schema: T, description?: string) =>
  Type.Union([schema, Type.Null()], description === undefined ? {} : { description });
const text = (description?: string) => nullable(Type.String(), description);
const strings = () => Type.Record(Type.String(), Type.String());

const Platforms = Type.Array(
  Type.Object(
    {
      os: text(),
      architecture: text(),
      variant: text(),
      osVersion: text(),
      digest: Type.String(),
    },
    strict,
  ),
  { description: "Of a list: its entries, in its order. Empty for a single image." },
);

const Layers = Type.Array(
  Type.Object(
    {
      digest: Type.String(),
      size: nullable(Type.Integer({ minimum: 0 }), "Bytes; null: docker schema 1 does not tell."),
      mediaType: text("Null: docker schema 1 does not tell."),
      annotations: strings(),
    },
    strict,
  ),
  { description: "Of the image, the lowest first." },
);

const Config = Type.Object(
  {
    os: text(),
    architecture: text(),
    variant: text(),
    created: text("RFC 3339, as the image has it."),
    author: text(),
    dockerVersion: text(),
    labels: strings(),
    env: Type.Array(Type.String(), { description: "`NAME=value`." }),
    entrypoint: Type.Array(Type.String()),
    cmd: Type.Array(Type.String()),
  },
  strict,
);

const Signatures = Type.Array(
  Type.Object(
    {
      kind: Type.Enum(["simple", "sigstore", "unknown"], { type: "string" }),
      identity: text("What it was signed as."),
      key: text("Who signed it."),
      accepted: nullable(Type.Boolean(), "Null: it was held against no policy."),
      reason: text("Why it is not accepted."),
    },
    strict,
  ),
  {
    description:
      "That were found with the list and with the image, not checked: nothing that they claim is repeated before a policy was asked.",
  },
);

export const Inspection = Type.Object(
  {
    digest: Type.String({ description: "Of the manifest that the reference names." }),
    mediaType: Type.String(),
    size: Type.Integer({ minimum: 0, description: "Of the manifest, in bytes." }),
    platforms: Platforms,
    image: text(
      "The digest of the image that `layers` and `config` are of: of a list the one for the platform. Null: the list has none for it.",
    ),
    layers: Layers,
    config: nullable(Config, "Null: there is no image for the platform, or it is an artifact."),
    signatures: Signatures,
  },
  { ...strict, $id: "Inspection", examples: [INSPECTION] },
);
export type Inspection = Static<typeof Inspection>;

export const LOOKUP_SCHEMAS = [TagsRequest, Tags, InspectRequest, Inspection] as const;

/** The problem answers of lookups: what a job's `error` would have, with its code's own status. */
export const LOOKUP_PROBLEMS = problemsOf({
  400: STATUSES[400],
  401: "No valid API key was given (`unauthenticated`), or the registry refuses the credentials.",
  404: "There is no such image or repository.",
  413: STATUSES[413],
  415: STATUSES[415],
  422: "A reference is not valid, its path or host must not be read, or what is there is no valid image.",
  429: "The registry, or this service, asks to slow down: `Retry-After` says for how long.",
  500: STATUSES[500],
  502: "The registry does not answer as it should, or its certificate is not trusted.",
  503: "Too many lookups are running: `Retry-After` says when to ask again.",
  504: "The registry does not answer in time.",
});
