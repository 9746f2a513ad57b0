// Differences that are meant: each is a row of docs/differences.md.

import type { Case, Judgement } from "./model.ts";

interface Known {
  /** Of docs/differences.md. */
  readonly row: number;
  /** Whether the row is why this case came out differently. */
  applies(wanted: Case, why: string): boolean;
}

const KNOWN: readonly Known[] = [];

/** The row that explains a difference. */
export const knownRow = (wanted: Case, { why }: Judgement): number | undefined =>
  KNOWN.find((known) => known.applies(wanted, why))?.row;
