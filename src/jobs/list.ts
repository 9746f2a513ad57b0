// Lists of jobs: an index narrows them down, the records say which of those really match.

import type { Redis } from "ioredis";
import { CopyError } from "../errors.ts";
import { isId } from "./ids.ts";
import type { JobRecord, Status } from "./record.ts";
import { available, keys } from "./redis.ts";

export interface Filter {
  readonly status?: Status;
  readonly label?: { readonly key: string; readonly value: string };
  /** Prefixes of the references. */
  readonly source?: string;
  readonly destination?: string;
}

export interface Page {
  readonly items: readonly JobRecord[];
  readonly nextCursor: string | null;
}

/** A page is looked for in so many jobs at most; it may then be short and yet have a next one. */
const SCAN_LIMIT = 2000;
const SCAN_STEP = 200;

/** The tenant's jobs that match, newest first. Throws `invalid_request` for a cursor that is none of ours. */
export async function listJobs(
  redis: Redis,
  tenant: string,
  filter: Filter,
  page: { limit: number; cursor?: string },
): Promise<Page> {
  const index = indexFor(tenant, filter);
  const items: JobRecord[] = [];
  let after = page.cursor === undefined ? undefined : parseCursor(page.cursor);
  for (let scanned = 0; scanned < SCAN_LIMIT; scanned += SCAN_STEP) {
    const from = after === undefined ? "+" : `(${after}`;
    const ids = await available(redis.zrevrangebylex(index, from, "-", "LIMIT", 0, SCAN_STEP));
    for (const record of await readRecords(redis, ids)) {
      if (!matches(record, filter)) continue;
      if (items.length === page.limit) return { items, nextCursor: cursorOf(items.at(-1)?.id) };
      items.push(record);
    }
    after = ids.at(-1);
    if (after === undefined || ids.length < SCAN_STEP) return { items, nextCursor: null };
  }
  return { items, nextCursor: cursorOf(after) };
}

/** The records of those of the jobs that are still there, in the order of their ids here. */
export async function readRecords(
  redis: Redis,
  ids: readonly string[],
): Promise<readonly JobRecord[]> {
  const texts = await available(Promise.all(ids.map((id) => redis.hget(keys.job(id), "record"))));
  return texts.flatMap((text) => (text ? [parseRecord(text)] : []));
}

/** Records are written by `created` and the changes of job.ts alone. */
export const parseRecord = (text: string): JobRecord => JSON.parse(text) as JobRecord;

/** The shortest list that has all that match. */
function indexFor(tenant: string, { label, status }: Filter): string {
  if (label !== undefined) return keys.tenantLabel(tenant, label.key, label.value);
  return status === undefined ? keys.tenantJobs(tenant) : keys.tenantStatus(tenant, status);
}

function matches({ status, spec }: JobRecord, filter: Filter): boolean {
  const { label } = filter;
  return (
    (filter.status === undefined || status === filter.status) &&
    (label === undefined ||
      (Object.hasOwn(spec.labels, label.key) && spec.labels[label.key] === label.value)) &&
    spec.source.startsWith(filter.source ?? "") &&
    spec.destination.startsWith(filter.destination ?? "")
  );
}

const cursorOf = (id: string | undefined): string | null =>
  id === undefined ? null : Buffer.from(id).toString("base64url");

function parseCursor(cursor: string): string {
  const id = Buffer.from(cursor, "base64url").toString("latin1");
  if (isId(id) && cursorOf(id) === cursor) return id;
  const detail = "must be the nextCursor of an earlier page";
  throw new CopyError("invalid_request", `the cursor ${detail}`, {
    errors: [{ pointer: "/cursor", detail }],
  });
}
