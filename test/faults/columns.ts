// The columns of the matrix: every request of a copy, with a scenario in which it is sent, and which faults can befall it.

import type { Fault } from "../support/fault-script.ts";
import type { Side } from "./bench.ts";
import { SCENARIOS, type Scenario } from "./scenarios.ts";

export interface Column {
  readonly side: Side;
  /** By `nameOf`. */
  readonly kind: string;
  readonly scenario: Scenario;
}

const column = (side: Side, kind: string, scenario: Scenario): Column => ({ side, kind, scenario });

const S = SCENARIOS;

export const nameOfColumn = ({ side, kind, scenario }: Column): string =>
  `${side} ${kind}${scenario === S.large ? ", large" : ""}`;

export const COLUMNS: readonly Column[] = [
  column("source", "GET token", S.fresh),
  column("source", "POST token", S.identity),
  column("source", "GET manifest by tag", S.list),
  column("source", "GET manifest by digest", S.list),
  column("source", "GET blob", S.list),
  column("source", "GET blob", S.large),
  column("source", "GET referrers", S.referrers),
  column("source", "GET tags", S.tags),
  column("destination", "GET token", S.fresh),
  column("destination", "POST token", S.identity),
  column("destination", "HEAD manifest by tag", S.guarded),
  column("destination", "GET tags", S.list),
  column("destination", "HEAD manifest by digest", S.used),
  column("destination", "HEAD blob", S.used),
  column("destination", "POST mount", S.mounted),
  column("destination", "POST upload", S.list),
  column("destination", "PUT upload", S.list),
  column("destination", "PUT upload", S.large),
  column("destination", "PATCH upload", S.converted),
  column("destination", "GET upload", S.asked),
  column("destination", "DELETE upload", S.given),
  column("destination", "PUT manifest by digest", S.list),
  column("destination", "PUT manifest by tag", S.list),
  column("destination", "GET referrers", S.referrer),
];

/** Whether the registry at the other end has such requests: without users no tokens, and not all list referrers. */
export const isPlain = ({ kind }: Column): boolean =>
  !kind.endsWith(" token") && kind !== "GET referrers";

/** Whether what is wrong with a body means the same at every registry: each writes its lists of tags in its own way. */
export const isPortable = (fault: Fault, { kind }: Column): boolean =>
  kind !== "GET tags" || (fault.type !== "flip" && fault.type !== "length");

/** Of `count` requests: the first, the middle and the last; fewer where there are fewer. */
export const occurrencesIn = (count: number): readonly number[] => [
  ...new Set([1, Math.ceil(count / 2), count]),
];

export const TIMES = [1, 3, Infinity] as const;

/** Who dials is not told by the dialling: of three dials that go wrong some may be others'. */
export const timesOf = (fault: Fault): readonly number[] =>
  fault.type === "dial" ? [1, Infinity] : TIMES;

/** Whether there is anything in the request or its answer that the fault can change. */
export function applies(fault: Fault, { kind, side }: Column): boolean {
  const [method = ""] = kind.split(" ");
  const hasAnswerBody = (method === "GET" && kind !== "GET upload") || kind === "POST token";
  const hasBody = method === "PUT" || method === "PATCH" || kind === "POST token";
  switch (fault.type) {
    case "status":
      return fault.early !== true || hasBody;
    case "break":
      return fault.at !== "body" || hasAnswerBody;
    case "upload":
      return hasBody;
    case "range":
      return kind === "GET blob" && side === "source";
    case "drip":
    case "flip":
    case "length":
    case "endless-chunks":
    case "gzip":
      return hasAnswerBody;
    default:
      return true;
  }
}
