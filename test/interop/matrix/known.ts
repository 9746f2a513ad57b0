// Differences that are meant: each is a row of docs/differences.md.

import type { Case, Judgement, Row } from "./model.ts";

export interface Known {
  readonly row: Row;
  /** By the name of the case, and by how it differs. */
  readonly name: RegExp;
  readonly why: RegExp;
}

export const KNOWN: readonly Known[] = [
  { row: 7, name: /layer of another size/, why: /we \(size_mismatch\)/ },
  { row: 13, name: /key twice/, why: /we \(manifest_invalid\)/ },
  { row: 33, name: /uncompressed annotated/, why: /only we have (annotations|org\.)/ },
  { row: 47, name: /(bzip2|xz) tar/, why: /./ },
  { row: 52, name: /sha512/, why: /we copy it/ },
  { row: 65, name: /^dir .*manifest of nobody/, why: /we \(manifest_invalid\)/ },
  {
    row: 68,
    name: /→ docker-daemon, windows list, windows/,
    why: /skopeo copies it; .*cannot load windows image/,
  },
  {
    row: 69,
    name: /→ oci(-archive)?, foreign (s2|oci), format v2s1/,
    why: /skopeo copies it; we \(manifest_rejected\)/,
  },
  {
    row: "not there yet",
    name: /^dir → docker, (signed (s2|oci)|list of signed)/,
    why: /skopeo copies it; we \(signing_failed\)/,
  },
];

/** The row that explains a difference. */
export const knownRow = (wanted: Case, { why }: Judgement): Row | undefined =>
  KNOWN.find((known) => known.name.test(wanted.name) && known.why.test(why))?.row;
