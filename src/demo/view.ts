// How a running copy looks on a terminal: lines of text out of its state. Pure.

import { stripVTControlCharacters, styleText } from "node:util";
import type { DemoBlob } from "./image.ts";
import type { BlobProgress, CopyProgress } from "./progress.ts";

const WIDEST = 100;
const DONE = {
  copied: "copied",
  exists: "is there already",
  mounted: "mounted",
  foreign: "stays where it is",
} as const;

/** A line a blob and one for the sum, none wider than `columns`. `shown` are the bytes to show of a blob, at most what it has. */
export function viewLines(
  progress: CopyProgress,
  shown: (row: BlobProgress) => number,
  columns: number,
): string[] {
  const width = Math.min(columns, WIDEST) - 1;
  const done = progress.blobs.reduce((sum, row) => sum + shown(row), 0);
  const complete = progress.status === "succeeded" && done >= progress.bytesTotal;
  return [
    ...progress.blobs.map((row) => blobLine(row, shown(row), width)),
    line(
      "total",
      "",
      done / progress.bytesTotal,
      `${mib(done)} / ${mib(progress.bytesTotal)} MiB`,
      progress.rate > 0 ? perSecond(progress.rate) : "",
      width,
      complete ? "green" : "cyan",
    ),
  ];
}

function blobLine(row: BlobProgress, bytes: number, width: number): string {
  const { blob, state } = row;
  const size = blob.kind === "config" ? `${blob.size} B` : `${mib(blob.size)} MiB`;
  if (state === "waiting")
    return styleText(
      "dim",
      stripVTControlCharacters(line(whose(blob), blob.name, 0, size, "", width, "dim")),
    );
  const arrived = bytes >= blob.size;
  if (state === "moving" || !arrived) {
    const amount = blob.kind === "config" ? size : `${mib(bytes)} / ${mib(blob.size)} MiB`;
    return line(
      whose(blob),
      blob.name,
      bytes / blob.size,
      amount,
      row.rate > 0 ? perSecond(row.rate) : "",
      width,
      "cyan",
    );
  }
  return line(
    whose(blob),
    blob.name,
    1,
    size,
    `${styleText("green", "✔")} ${DONE[state]}`,
    width,
    "green",
  );
}

const AMOUNT = 16;
const REMARK = 18;

function line(
  owner: string,
  name: string,
  share: number,
  amount: string,
  remark: string,
  width: number,
  colour: "cyan" | "green" | "dim",
): string {
  const left = `  ${owner.padEnd(12)} ${name.padEnd(7)} `;
  const right = ` ${amount.padStart(AMOUNT)}`;
  const tail = width >= 74 ? `  ${remark}` : "";
  const room = width - left.length - right.length - (width >= 74 ? REMARK + 2 : 0);
  return room < 4
    ? `${left}${right}`.slice(0, width)
    : `${left}${bar(share, room, colour)}${right}${tail}`;
}

function bar(share: number, width: number, colour: "cyan" | "green" | "dim"): string {
  const full = Math.floor(Math.max(0, Math.min(1, share)) * width);
  return styleText(colour, "━".repeat(full)) + styleText("dim", "─".repeat(width - full));
}

/** `both` where every platform has the blob. */
export const whose = ({ platforms }: DemoBlob): string =>
  platforms.length > 1 ? "both" : (platforms[0] ?? "");

/** Bytes as MiB, with one decimal. */
export const mib = (bytes: number): string => (bytes / 1024 ** 2).toFixed(1);

const perSecond = (rate: number): string => `${mib(rate)} MiB/s`;

/** A finished blob as one plain line. */
export function plainLine({ blob, state }: BlobProgress): string {
  const size = blob.kind === "config" ? `${blob.size} B` : `${mib(blob.size)} MiB`;
  return `  ${whose(blob).padEnd(12)} ${blob.name.padEnd(7)} ${size.padStart(9)}  ${state === "waiting" || state === "moving" ? state : DONE[state]}`;
}
