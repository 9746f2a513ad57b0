// An image between two formats (semantics 3.7): its manifest in one of them, and what is still to be put into it.

import type { OciManifest } from "./oci.ts";
import type { Schema1Manifest } from "./schema1.ts";
import type { Schema2Manifest } from "./schema2.ts";
import type { LayerUpdate } from "./updates.ts";

export type Format = "schema1" | "schema2" | "oci";
export type Draft = Schema1Draft | Schema2Draft | OciDraft;

interface Common {
  /** One a layer; undefined: the layers are what they were. */
  readonly updates: readonly LayerUpdate[] | undefined;
  /** The config's bytes, where they are known. */
  readonly config: Buffer | undefined;
  /** Whether the config was made here. */
  readonly newConfig: boolean;
}

export interface Schema1Draft extends Common {
  readonly format: "schema1";
  readonly manifest: Schema1Manifest;
}
export interface Schema2Draft extends Common {
  readonly format: "schema2";
  readonly manifest: Schema2Manifest;
}
export interface OciDraft extends Common {
  readonly format: "oci";
  readonly manifest: OciManifest;
}

/** That a config is there is the caller's promise. */
export function known(config: Buffer | undefined): Buffer {
  if (config === undefined) throw new Error("the conversion needs the bytes of the config");
  return config;
}
