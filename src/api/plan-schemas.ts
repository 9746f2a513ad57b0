// What a plan says (copy/plan.ts), for openapi.yaml.

import { Type, type TSchema } from "typebox";
import { STATUSES, problemsOf } from "./answers.ts";
import { LOOKUP_PROBLEMS } from "./lookup-schemas.ts";
import { strict } from "./option-schemas.ts";
import { PLAN } from "./examples.ts";

const nullable = (schema: TSchema, description: string) =>
  Type.Union([schema, Type.Null()], { description });
const bytes = (description: string) => Type.Integer({ minimum: 0, description });

const Manifest = Type.Object(
  {
    digest: Type.String(),
    mediaType: Type.String(),
    platform: nullable(
      Type.Object({
        os: Type.String(),
        architecture: Type.String(),
        variant: Type.Optional(Type.String()),
      }),
      "As the list has it; null for what is no entry of a list.",
    ),
    action: Type.Enum(["copy", "convert", "keep"], {
      type: "string",
      description:
        "Written as it is, written as something else with another digest, or not written.",
    }),
    to: nullable(Type.String(), "The media type that is written, where it is another."),
    reason: nullable(Type.String(), "Why it is not simply copied."),
  },
  strict,
);

const Blob = Type.Object(
  {
    digest: Type.String(),
    size: nullable(Type.Integer({ minimum: 0 }), "Null: docker schema 1 does not tell."),
    mediaType: Type.String(),
    kind: Type.Enum(["config", "layer"], { type: "string" }),
    action: Type.Enum(["copy", "reuse", "mount", "recompress", "encrypt", "decrypt", "foreign"], {
      type: "string",
      description:
        "Moved; there already; taken over from another repository of the registry; moved and changed; left where its URLs point.",
    }),
    from: nullable(Type.String(), "The repository that it is mounted from."),
  },
  strict,
);

export const Plan = Type.Object(
  {
    source: Type.Object({ digest: Type.String(), mediaType: Type.String() }, strict),
    destination: Type.Object(
      { exists: Type.Boolean(), digest: nullable(Type.String(), "Of what it names now.") },
      strict,
    ),
    manifests: Type.Array(Manifest, { description: "The images, then the list." }),
    blobs: Type.Array(Blob, { description: "Each once." }),
    bytes: Type.Object(
      {
        total: bytes("Of all blobs, as the source has them."),
        toCopy: bytes("Of those that will be moved."),
        toReuse: bytes("Of those that are there, or will be mounted."),
      },
      strict,
    ),
  },
  { ...strict, $id: "Plan", examples: [PLAN] },
);

/** What the job would fail with, by its code's own status. */
export const PLAN_PROBLEMS = {
  ...LOOKUP_PROBLEMS,
  ...problemsOf({
    401: "No valid API key was given (`unauthenticated`), or a registry refuses the credentials.",
    403: "The policy refuses the image.",
    404: "There is no such image, or the list has none for the platform.",
    409: "The tag exists at the destination.",
    413: STATUSES[413],
    422: "A reference is not valid, its path or host must not be used, what is there is no valid image, or the destination takes no such thing.",
    507: "The disk is full.",
  }),
};
