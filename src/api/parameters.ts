// What may stand in a request's address and headers.

import { Type, type Static } from "typebox";
import { strict } from "./option-schemas.ts";
import { REFERENCE_LIMIT } from "./schemas.ts";

/** Jobs on a page, if the request does not say. */
export const PAGE_SIZE = 50;

export const JobParams = Type.Object({
  id: Type.String({ maxLength: 128, description: "The job's `id`." }),
});

export const ListQuery = Type.Object(
  {
    limit: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 200,
        default: PAGE_SIZE,
        description: "Jobs on a page.",
      }),
    ),
    cursor: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 128,
        description: "`nextCursor` of the page before.",
      }),
    ),
    status: Type.Optional(
      Type.Enum(["queued", "active", "succeeded", "failed", "canceled"], {
        type: "string",
        description: "Only jobs in this state.",
      }),
    ),
    label: Type.Optional(
      Type.String({
        maxLength: 320,
        pattern: "^[^:]+:",
        description: "Only jobs with this label, as `key:value`.",
      }),
    ),
    source: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: REFERENCE_LIMIT,
        description: "Only jobs whose source begins with this.",
      }),
    ),
    destination: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: REFERENCE_LIMIT,
        description: "Only jobs whose destination begins with this.",
      }),
    ),
  },
  strict,
);
export type ListQuery = Static<typeof ListQuery>;

export const SubmitHeaders = Type.Object({
  "idempotency-key": Type.Optional(
    Type.String({
      description:
        "1 to 255 visible ASCII characters, chosen by the client. The same key and body answer the first job again, for a day.",
    }),
  ),
});

export const GetHeaders = Type.Object({
  "if-none-match": Type.Optional(
    Type.String({ description: "An `ETag` of the job: 304 if it is still the same." }),
  ),
  prefer: Type.Optional(
    Type.String({
      description:
        "`wait=N`: answer at the next change of `status`, after N seconds at the latest (60 at most). With If-None-Match: at the next change after the one it names.",
      examples: ["wait=30"],
    }),
  ),
});

export const StreamHeaders = Type.Object({
  "last-event-id": Type.Optional(
    Type.String({
      description: "The `id` of the last event that was received: the stream goes on after it.",
    }),
  ),
});
