// What the bytes of an image cost by themselves: the measure of how much a copy adds to them.

import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { cpuOf, type Cost } from "./measure.ts";

/** An order to bytes-process.ts. */
export interface Load {
  /** Addresses of repositories, as `http://host:port/v2/name`. */
  readonly from: string;
  readonly to: string;
  readonly blobs: readonly { readonly digest: string; readonly size: number }[];
  readonly atOnce: number;
}

export interface Bytes extends AsyncDisposable {
  copy(load: Load): Promise<Cost>;
}

/** A process that stays up, as a worker does. */
export function startBytes(): Bytes {
  const child = fork(join(import.meta.dirname, "bytes-process.ts"));
  const pid = child.pid ?? 0;
  return {
    copy: async (load) => {
      const [cpu, begun] = [cpuOf(pid), performance.now()];
      child.send(load);
      const [answer] = await Promise.race([once(child, "message"), once(child, "exit")]);
      if (answer !== "done") throw new Error("the bytes did not arrive");
      return { wall: (performance.now() - begun) / 1000, cpu: cpuOf(pid) - cpu };
    },
    [Symbol.asyncDispose]: async () => {
      const exited = once(child, "exit");
      child.kill();
      await exited;
    },
  };
}
