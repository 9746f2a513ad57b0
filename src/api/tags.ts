// /v1/tags: what a repository, or a layout, has.

import { accessTo } from "../transport/access.ts";
import { listTags } from "../transport/open.ts";
import { answer } from "./answers.ts";
import type { App, ServerDeps } from "./app.ts";
import { faultsOf } from "./faults.ts";
import { parseTagsRequest } from "./lookup-request.ts";
import { LOOKUP_PROBLEMS, type Tags } from "./lookup-schemas.ts";
import { askerOf, type Lookups } from "./lookups.ts";

export function addTagsRoute(app: App, deps: ServerDeps, lookups: Lookups): void {
  const schema = {
    tags: ["images"],
    operationId: "listTags",
    summary: "List tags",
    description:
      "All tags of a repository, or the names in a layout or archive: read now, and all of them or none. Credentials are used for this and forgotten.",
    body: { $ref: "TagsRequest#" },
    response: { 200: answer("The tags.", "Tags#"), ...LOOKUP_PROBLEMS },
  };
  app.post("/tags", { schema, attachValidation: true }, async (request, reply): Promise<Tags> => {
    const faults = faultsOf(request.validationError?.validation ?? []);
    const { reference, wish } = parseTagsRequest(request.body, faults, deps);
    const access = accessTo("source", wish, deps);
    const tags = await lookups.run(askerOf(request, reply), (signal) =>
      listTags(reference, access, signal),
    );
    const isDocker = reference.transport === "docker";
    return {
      repository: isDocker ? `${reference.registry}/${reference.repository}` : null,
      tags: [...tags],
    };
  });
}
