// Docker's image as its own code writes it (docker's `V1Image` and `container.Config`), with all fields that have no `omitempty`: what
// docker before 1.8.3 left out of it must be there (semantics 3.7.1).

import { goString, goStringMap, goStrings, goStruct, unlessEmpty, type Json } from "../go-json.ts";
import type { GoStruct } from "../go-struct.ts";
import { goSet } from "./config.ts";

/** The fields that belong to a config, in no order. Throws where docker could not read them. */
export function dockerImageFields(image: GoStruct): readonly (readonly [string, Json])[] {
  const fields = {
    comment: unlessEmpty(image.string("comment"), goString),
    created: goString(image.timeOrZero("created")),
    container: unlessEmpty(image.string("container"), goString),
    container_config: containerConfig(image.struct("container_config")),
    docker_version: unlessEmpty(image.string("docker_version"), goString),
    author: unlessEmpty(image.string("author"), goString),
    config: image.has("config") ? containerConfig(image.struct("config")) : undefined,
    architecture: unlessEmpty(image.string("architecture"), goString),
    variant: unlessEmpty(image.string("variant"), goString),
    os: unlessEmpty(image.string("os"), goString),
  };
  return Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value] as const],
  );
}

const containerConfig = (config: GoStruct): Json =>
  goStruct({
    Hostname: goString(config.string("Hostname")),
    Domainname: goString(config.string("Domainname")),
    User: goString(config.string("User")),
    AttachStdin: String(config.flag("AttachStdin")),
    AttachStdout: String(config.flag("AttachStdout")),
    AttachStderr: String(config.flag("AttachStderr")),
    ExposedPorts: unlessEmpty(config.set("ExposedPorts"), goSet),
    Tty: String(config.flag("Tty")),
    OpenStdin: String(config.flag("OpenStdin")),
    StdinOnce: String(config.flag("StdinOnce")),
    Env: orNull(config.strings("Env"), goStrings),
    Cmd: orNull(config.command("Cmd"), goStrings),
    Healthcheck: config.has("Healthcheck") ? healthcheck(config.struct("Healthcheck")) : undefined,
    ArgsEscaped: config.flag("ArgsEscaped") ? "true" : undefined,
    Image: goString(config.string("Image")),
    Volumes: orNull(config.set("Volumes"), goSet),
    WorkingDir: goString(config.string("WorkingDir")),
    Entrypoint: orNull(config.command("Entrypoint"), goStrings),
    NetworkDisabled: config.flag("NetworkDisabled") ? "true" : undefined,
    MacAddress: unlessEmpty(config.string("MacAddress"), goString),
    OnBuild: orNull(config.strings("OnBuild"), goStrings),
    Labels: orNull(config.stringMap("Labels"), goStringMap),
    StopSignal: unlessEmpty(config.string("StopSignal"), goString),
    StopTimeout: config.has("StopTimeout") ? String(config.integer("StopTimeout")) : undefined,
    Shell: unlessEmpty(config.command("Shell"), goStrings),
  });

const healthcheck = (check: GoStruct): Json =>
  goStruct({
    Test: unlessEmpty(check.strings("Test"), goStrings),
    StartPeriod: unlessZero(check.integer("StartPeriod")),
    StartInterval: unlessZero(check.integer("StartInterval")),
    Interval: unlessZero(check.integer("Interval")),
    Timeout: unlessZero(check.integer("Timeout")),
    Retries: unlessZero(check.integer("Retries")),
  });

const unlessZero = (value: number): Json | undefined => (value === 0 ? undefined : String(value));

const orNull = <T>(value: T | undefined, encode: (value: T) => Json): Json =>
  value === undefined ? "null" : encode(value);
