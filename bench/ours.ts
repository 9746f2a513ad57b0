// A copy by our service, with a worker that is up.

import type { Service } from "../test/support/service.ts";
import { cpuOf, type Cost } from "./measure.ts";

export interface Order {
  readonly source: string;
  readonly destination: string;
  readonly options?: object;
  readonly sourceContext?: object;
  readonly destinationContext?: object;
}

/** The one worker's process. */
export const workerOf = ({ workers }: Service): number => [...workers][0]?.pid ?? 0;

/** From the POST to the job's end, and what the worker's process used meanwhile. */
export async function copyOurs(service: Service, order: Order): Promise<Cost> {
  const pid = workerOf(service);
  const cpu = cpuOf(pid);
  const begun = performance.now();
  const { id } = await service.submit(order);
  const job = await ended(service, id);
  const cost = { wall: (performance.now() - begun) / 1000, cpu: cpuOf(pid) - cpu };
  if (job.status !== "succeeded") throw new Error(`the copy failed: ${JSON.stringify(job.error)}`);
  return cost;
}

async function ended(service: Service, id: string) {
  for (;;) {
    const response = await fetch(`${service.url}/v1/jobs/${id}`, {
      headers: { prefer: "wait=60" },
    });
    const job = (await response.json()) as Awaited<ReturnType<Service["get"]>>;
    if (job.finishedAt !== null) return job;
  }
}
