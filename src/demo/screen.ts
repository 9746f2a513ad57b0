// Shows a copy while it runs: bars that move, on a terminal; elsewhere a line for each blob that is finished.

import type { WriteStream } from "node:tty";
import type { BlobProgress, Progress } from "./progress.ts";
import { plainLine, viewLines } from "./view.ts";

export interface Show extends Disposable {
  /** Something changed; `finished` is the blob that is done now. */
  update(finished: BlobProgress | undefined): void;
}

const FRAME_MS = 40;
/** Events come a few times a second. What is shown follows what is known by this share each frame, and never runs ahead of it. */
const FOLLOW = 0.22;

/** Bars where `out` is a terminal that can move its cursor. Disposing of it draws the last state and gives the cursor back. */
export function showProgress(progress: Progress, out: WriteStream): Show {
  return out.isTTY && process.env["TERM"] !== "dumb" ? showBars(progress, out) : showLines(out);
}

function showLines(out: WriteStream): Show {
  return {
    update: (finished) => {
      if (finished !== undefined) out.write(`${plainLine(finished)}\n`);
    },
    [Symbol.dispose]: () => {},
  };
}

function showBars(progress: Progress, out: WriteStream): Show {
  const shown = new Map<string, number>();
  let drawn = 0;
  const draw = (bytes: (row: BlobProgress) => number) => {
    const lines = viewLines(progress.view(), bytes, out.columns);
    const up = drawn === 0 ? "" : `\x1b[${drawn}A`;
    out.write(up + lines.map((line) => `\x1b[2K${line}\n`).join(""));
    drawn = lines.length;
  };
  const follow = ({ blob, offset }: BlobProgress) => {
    const before = shown.get(blob.digest) ?? 0;
    const gap = offset - before;
    const bytes = gap < blob.size / 200 ? offset : before + gap * FOLLOW;
    shown.set(blob.digest, bytes);
    return bytes;
  };
  out.write("\x1b[?25l");
  draw(follow);
  const timer = setInterval(() => draw((row) => follow(row)), FRAME_MS);
  return {
    update: () => {},
    [Symbol.dispose]: () => {
      clearInterval(timer);
      draw(({ offset }) => offset);
      out.write("\x1b[?25h");
    },
  };
}
