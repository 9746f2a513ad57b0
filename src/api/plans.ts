// /v1/plans: what a job would do, without doing it.

import { planCopy } from "../copy/plan.ts";
import { LocalSemaphore } from "../copy/semaphore.ts";
import { openEnds } from "../jobs/ends.ts";
import { answer } from "./answers.ts";
import type { App, ServerDeps } from "./app.ts";
import { faultsOf } from "./faults.ts";
import { askerOf, LOOKUP_SECONDS, type Lookups } from "./lookups.ts";
import { PLAN_PROBLEMS } from "./plan-schemas.ts";
import { parseOrder } from "./request.ts";

/** Blobs that this process looks for at once. Plans move none, so they wait for no copy. */
const BLOBS = 32;

const SCHEMA = {
  tags: ["images"],
  operationId: "planJob",
  summary: "Plan a copy",
  description:
    "What a job with this body would copy, reuse, mount and convert, and how many bytes: the first half of the copy itself, at this moment. Nothing is written, and no job is made. Where the job would be refused, the answer is the problem that would be its `error`. `timeoutSeconds` holds up to a minute; credentials are used for this and forgotten.",
  body: { $ref: "JobRequest#" },
  response: { 200: answer("The plan.", "Plan#"), ...PLAN_PROBLEMS },
};

export function addPlanRoute(app: App, deps: ServerDeps, lookups: Lookups): void {
  const blobs = new LocalSemaphore(BLOBS);
  app.post("/plans", { schema: SCHEMA, attachValidation: true }, async (request, reply) => {
    const faults = faultsOf(request.validationError?.validation ?? []);
    const { spec, secrets } = parseOrder(request.body, faults, deps);
    const plan = async (signal: AbortSignal) => {
      await using ends = await openEnds({ tenant: request.tenant, spec, secrets }, deps, signal);
      return planCopy(ends, spec.options, { blobs, signal });
    };
    const seconds = Math.min(spec.timeoutSeconds, LOOKUP_SECONDS);
    return lookups.run(askerOf(request, reply), plan, seconds);
  });
}
