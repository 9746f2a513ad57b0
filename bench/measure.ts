// Wall time, processor time and memory of processes, as the kernel counts them.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";

export interface Cost {
  /** Seconds. */
  readonly wall: number;
  /** Seconds of user and system time. */
  readonly cpu: number;
  /** The same of the registries meanwhile. */
  readonly registries?: number;
  /** Of what was written, where that differs. */
  readonly bytes?: number;
}

const TICKS = 100; // USER_HZ, of every Linux that Node runs on

/** User and system seconds of a running process so far (proc_pid_stat(5)). */
export function cpuOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/** The most memory (MiB) that a process ever had in RAM. */
export function peakMemoryOf(pid: number): number {
  const line = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Number(line?.[1] ?? 0) / 1024;
}

/** Runs a command to its end; throws what it said if it fails. */
export async function timed(command: string, args: readonly string[]): Promise<Cost> {
  const script =
    'TIMEFORMAT="%R %U %S"; { time "$@" >/dev/null 2>"$LOG"; } 2>&1; status=$?; [ $status = 0 ] || cat "$LOG"; exit $status';
  const { stdout } = await promisify(execFile)("bash", [
    "-c",
    `LOG=$(mktemp); trap 'rm -f "$LOG"' EXIT; ${script}`,
    "bash",
    command,
    ...args,
  ]);
  const [wall, user, system] = stdout.trim().split(" ").map(Number);
  if (wall === undefined || user === undefined || system === undefined)
    throw new Error(`no times in ${stdout}`);
  return { wall, cpu: user + system };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? 0)
    : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** `median (least–most)`, to two digits. */
export const spread = (values: readonly number[]): string =>
  `${median(values).toFixed(2)} (${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)})`;
