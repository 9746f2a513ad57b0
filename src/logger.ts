// pino, with what must never be written taken out.

import { createRequire } from "node:module";
import { pino, type DestinationStream, type Logger } from "pino";
import { CopyError } from "./errors.ts";
import type { Config } from "./config.ts";

const SECRET_NAMES = [
  "authorization",
  "auth",
  "username",
  "password",
  "passphrase",
  "token",
  "identityToken",
  "registryToken",
  "key",
  "secret",
  "secrets",
];
/** pino's paths know no "at any depth". */
const DEPTHS = ["", "*.", "*.*.", "*.*.*."];

/** JSON lines on stdout, or on `destination`; lines for people if stdout is a terminal. `name` says which process it is. */
export function createLogger(
  config: Pick<Config, "logLevel">,
  name: string,
  destination?: DestinationStream,
): Logger {
  const options = {
    name,
    level: config.logLevel,
    redact: {
      paths: DEPTHS.flatMap((depth) => SECRET_NAMES.map((secret) => depth + secret)),
      censor: "[redacted]",
    },
    serializers: { err: describeError },
  };
  return pino(options, destination ?? forPeople() ?? toStdout());
}

/**
 * Not pino's own way to descriptor 1: where nobody reads the other end any more, that one spins for ever on its way out of the process.
 */
function toStdout(): DestinationStream {
  process.stdout.on("error", () => {});
  return process.stdout;
}

/** For a terminal, where pino-pretty is installed: it is not in the image. */
function forPeople(): DestinationStream | undefined {
  if (!process.stdout.isTTY) return undefined;
  try {
    const pretty = createRequire(import.meta.url)("pino-pretty") as (
      options: object,
    ) => DestinationStream;
    return pretty({
      ignore: "pid,hostname,tenant",
      translateTime: "SYS:HH:MM:ss",
      singleLine: true,
    });
  } catch {
    return undefined;
  }
}

/** An allow-list: errors of libraries carry what they were asked to do, a Redis client's for one the whole command. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  return {
    type: error.name,
    message: error.message,
    // What the contract has a word for needs no stack: it says where it happened.
    ...(!(error instanceof CopyError && error.code !== "internal") && { stack: error.stack }),
    ...("code" in error && { code: error.code }),
    ...(error instanceof CopyError && { context: error.context }),
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}
