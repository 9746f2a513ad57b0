// The config of an image when its manifest changes its format (semantics 3.7). Docker's and OCI's are nearly the same document: into
// OCI go the fields that OCI knows; schema 1 has the whole of it in its top layer's text.

import { CopyError } from "../../errors.ts";
import {
  goArray,
  goMap,
  goString,
  goStringMap,
  goStrings,
  goStruct,
  unlessEmpty,
  type Json,
} from "../go-json.ts";
import { GoStruct } from "../go-struct.ts";
import { parseJsonObject } from "../json.ts";
import { platformFields } from "./oci.ts";
import { invalid } from "./refused.ts";

/** Reads a config: what is wrong with its fields becomes `manifest_invalid`. */
export function readConfig<T>(config: Buffer, read: (fields: GoStruct) => T): T {
  try {
    return read(new GoStruct(parseJsonObject(config, { keys: "exact", numbers: "integers" })));
  } catch (error) {
    if (error instanceof CopyError) throw error;
    throw invalid(error instanceof Error ? error.message : String(error), error, "config");
  }
}

/** Docker's config in OCI's words (OCI image-spec, config.md): its other fields are lost. Byte for byte what containers/image makes. */
export const toOciConfig = (config: Buffer): Buffer => Buffer.from(readConfig(config, ociConfig));

function ociConfig(image: GoStruct): Json {
  return goStruct({
    created: unlessEmpty(image.time("created"), goString),
    author: unlessEmpty(image.string("author"), goString),
    ...platformFields({
      architecture: image.string("architecture"),
      os: image.string("os"),
      "os.version": image.string("os.version"),
      "os.features": image.strings("os.features") ?? [],
      variant: image.string("variant"),
    }),
    config: runConfig(image.struct("config")),
    rootfs: rootFs(image.struct("rootfs")),
    history: unlessEmpty(image.structs("history"), (entries) => goArray(entries.map(historyEntry))),
  });
}

const runConfig = (config: GoStruct): Json =>
  goStruct({
    User: unlessEmpty(config.string("User"), goString),
    ExposedPorts: unlessEmpty(config.set("ExposedPorts"), goSet),
    Env: unlessEmpty(config.strings("Env"), goStrings),
    Entrypoint: unlessEmpty(config.strings("Entrypoint"), goStrings),
    Cmd: unlessEmpty(config.strings("Cmd"), goStrings),
    Volumes: unlessEmpty(config.set("Volumes"), goSet),
    WorkingDir: unlessEmpty(config.string("WorkingDir"), goString),
    Labels: unlessEmpty(config.stringMap("Labels"), goStringMap),
    StopSignal: unlessEmpty(config.string("StopSignal"), goString),
    ArgsEscaped: config.flag("ArgsEscaped") ? "true" : undefined,
  });

export const goSet = (keys: readonly string[]): Json => goMap(keys.map((key) => [key, "{}"]));

function rootFs(fields: GoStruct): Json {
  const diffIds = fields.strings("diff_ids");
  return goStruct({
    type: goString(fields.string("type")),
    diff_ids: diffIds === undefined ? "null" : goStrings(diffIds),
  });
}

const historyEntry = (entry: GoStruct): Json =>
  goStruct({
    created: unlessEmpty(entry.time("created"), goString),
    created_by: unlessEmpty(entry.string("created_by"), goString),
    author: unlessEmpty(entry.string("author"), goString),
    comment: unlessEmpty(entry.string("comment"), goString),
    empty_layer: entry.flag("empty_layer") ? "true" : undefined,
  });
