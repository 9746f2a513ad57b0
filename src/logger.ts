// pino, with what must never be written taken out.

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

/** JSON lines on stdout, or on `destination`. `name` says which process it is. */
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
  return destination === undefined ? pino(options) : pino(options, destination);
}

/** An allow-list: errors of libraries carry what they were asked to do, a Redis client's for one the whole command. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  return {
    type: error.name,
    message: error.message,
    stack: error.stack,
    ...("code" in error && { code: error.code }),
    ...(error instanceof CopyError && { context: error.context }),
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}
