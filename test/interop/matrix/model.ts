// The words of the matrix: what a case is, what it wants, and how it comes out.

import type { Digest } from "../../../src/image/digest.ts";
import type { Tree } from "../../support/readings.ts";
import type { Sample } from "../../support/samples.ts";
import type { InputName } from "./corpus.ts";
import type { ArchiveName, TarballName } from "./files.ts";

export const SOURCES = [
  "docker",
  "oci",
  "oci-archive",
  "dir",
  "docker-archive",
  "tarball",
  "docker-daemon",
] as const;
/** `distribution` is docker: with Debian's docker-registry at the other end, which is choosier than ours. */
export const DESTINATIONS = [
  "docker",
  "distribution",
  "oci",
  "oci-archive",
  "dir",
  "docker-archive",
  "docker-daemon",
] as const;
export type SourceName = (typeof SOURCES)[number];
export type DestinationName = (typeof DESTINATIONS)[number];

export interface Request {
  readonly options?: Readonly<Record<string, unknown>>;
  readonly sourceContext?: Readonly<Record<string, unknown>>;
  readonly destinationContext?: Readonly<Record<string, unknown>>;
}

export interface Option {
  /** Options of one group share a column of the table. */
  readonly group: string;
  readonly request?: Request;
  /** Of skopeo itself, and of `skopeo copy`. */
  readonly global?: readonly string[];
  readonly flags?: readonly string[];
  /** What it is tried with, for each kind of source. */
  readonly inputs: readonly InputName[];
  readonly archives?: readonly ArchiveName[];
  readonly tarballs?: readonly TarballName[];
  /** Where it has a meaning; absent: everywhere. */
  readonly from?: readonly SourceName[];
  readonly to?: readonly DestinationName[];
  /** Of the reference, or of what is around it. */
  readonly twist?:
    | "destination by digest"
    | "destination without a name"
    | "source by digest"
    | "source by place"
    | "source without a name"
    | "shared blobs at the source"
    | "shared blobs at the destination"
    /** An older image is where the new one is to go. */
    | "replaces"
    /** There is another image at the destination, of another name. */
    | "beside"
    /** The same image is there. */
    | "again"
    /** Something refers to the image at the source. */
    | "has referrers";
  /** In the place of `request`, where it depends on what is copied. */
  readonly requestFor?: (sample: Sample) => Request;
  /** skopeo cannot do this: what is there afterwards is judged by this instead. */
  readonly check?: Check;
}

export interface Case {
  /** `source → destination, input, option`: what it is called, and what its bytes are made from. */
  readonly name: string;
  readonly source: SourceName;
  readonly destination: DestinationName;
  readonly input: InputName | ArchiveName | TarballName;
  readonly optionName: string;
  readonly option: Option;
}

/** What came of a copy, before anybody has looked at what was made. */
export type Answer =
  | { readonly kind: "done"; readonly digest?: string }
  | { readonly kind: "refused"; readonly code?: string; readonly text: string }
  /** The program does not have what the case asks for. */
  | { readonly kind: "cannot"; readonly text: string };

/** What is wanted of a copy, in the service's words and in skopeo's. */
export interface Wish {
  readonly request: Request;
  readonly global: readonly string[];
  readonly flags: readonly string[];
}

/** What a copy has made. */
export interface Made {
  /** Absent where the transport keeps no manifests. */
  readonly sample?: Sample;
  /** Absent where the transport shows no files. */
  readonly tree?: Tree;
}

/** What a check is told. */
export interface Facts {
  readonly source: Sample;
  readonly before: Made;
  readonly made: Made;
  readonly answer: Answer;
  /** Requests that wrote something to the destination, if that is our registry. */
  readonly writes: number;
  /** Digests of what the destination names as referring to the image. */
  readonly referrers: readonly Digest[];
}

/** What is wrong; undefined: nothing. */
export type Check = (facts: Facts) => string | undefined;

export type Verdict =
  /** Equal digests and equal files. */
  | "same"
  /** Equal but for the bytes of layers that were compressed anew. */
  | "recompressed"
  /** Refused by both, for the same reason. */
  | "refused"
  /** skopeo cannot do it; it is as it should be. */
  | "checked"
  /** Different on purpose. */
  | "known"
  /** Different from this skopeo, and what the newest one does. */
  | "older"
  /** This skopeo cannot be asked for it. */
  | "cannot"
  | "different";

export interface Judgement {
  readonly verdict: Verdict;
  /** Of a difference: what it is. Of a refusal: what both say. */
  readonly why: string;
  /** Where docs/differences.md has the reason of the difference. */
  readonly row?: Row;
}

/** Of docs/differences.md: a row of its table, or its last paragraph. */
export type Row = number | "not there yet";

/** What one side has made of a case. */
export interface Result {
  readonly answer: Answer;
  /** What was at the destination before it. */
  readonly before: Made;
  /** What is there after it. */
  readonly made: Made;
}
