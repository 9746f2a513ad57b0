// A thread that runs one codec from its first byte to its last.

import {
  parentPort,
  receiveMessageOnPort,
  workerData,
  type MessagePort,
} from "node:worker_threads";
import { CopyError } from "../errors.ts";
import { bunzip2 } from "./bzip2.ts";
import { writeChunked } from "./chunked/writer.ts";
import type { Answer, Codec, CodecStart, Request } from "./codec.ts";
import { unxz } from "./xz/xz.ts";

const start = workerData as CodecStart;
const port = parentPort as MessagePort;

const CODECS: Readonly<Record<CodecStart["name"], Codec>> = {
  bzip2: bunzip2,
  xz: unxz,
  "zstd:chunked": (flow) => writeChunked(flow, start.level),
};

function ask(request: Request): Answer {
  const answered = Atomics.load(start.answers, 0);
  port.postMessage(request, request.type === "write" ? [request.bytes.buffer] : []);
  Atomics.wait(start.answers, 0, answered);
  return (receiveMessageOnPort(port) as { message: Answer }).message;
}

let isAtEnd = false;

function read(): Uint8Array | undefined {
  if (isAtEnd) return undefined;
  const { bytes } = ask({ type: "read" });
  isAtEnd = bytes === undefined;
  return bytes;
}

try {
  const annotations = CODECS[start.name]({
    read,
    write: (bytes) => void ask({ type: "write", bytes: new Uint8Array(bytes) }),
  });
  port.postMessage({ type: "done", annotations } satisfies Request);
} catch (error) {
  if (!(error instanceof CopyError)) throw error;
  port.postMessage({ type: "invalid", message: error.message } satisfies Request);
}
