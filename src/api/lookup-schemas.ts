// What the requests may hold that look at images and change nothing, and what their answers hold.

import { Type, type Static } from "typebox";
import { problemsOf, STATUSES } from "./answers.ts";
import { strict } from "./option-schemas.ts";
import { reference, side } from "./schemas.ts";

export const TagsRequest = Type.Object(
  {
    reference: reference(
      "A repository without tag and digest, or an `oci:` layout without a name.",
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
      description: "`host[:port]/path`; null for a layout.",
    }),
    tags: Type.Array(Type.String(), {
      description:
        "In the registry's order. Of a layout: the names of its images, and `@n`, the place, of one without a name; both can stand in a reference as they are.",
    }),
  },
  {
    ...strict,
    $id: "Tags",
    examples: [{ repository: "registry.example.com/team/app", tags: ["1.0", "1.1"] }],
  },
);
export type Tags = Static<typeof Tags>;

export const LOOKUP_SCHEMAS = [TagsRequest, Tags] as const;

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
