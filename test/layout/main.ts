// npm run layout: 32 processes write 32 tags into one OCI layout, 50 rounds, while some are killed and some are frozen; then the same in small
// without the lock, which must lose some. Ends 0 only if every tag was there at the end of its round, every image is there at the end, no
// reader ever saw half an index, and skopeo and umoci agree.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { missing, skopeo } from "../support/peers.ts";
import { storm, type StormReport } from "./storm.ts";
import { imageOf } from "./writer.ts";

const run = promisify(execFile);
const say = (line: string) => void process.stdout.write(`${line}\n`);
const [writers, rounds] = [32, 50];
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

async function judge(layout: string): Promise<void> {
  const absent = missing("skopeo", "umoci");
  if (absent !== false) return say(`not judged by others: ${absent}`);
  for (const n of [0, 7, 19, writers - 1]) {
    const raw = await skopeo("inspect", "--raw", `oci:${layout}:tag-${n}`);
    const { manifest } = imageOf(`round ${rounds - 1}, tag ${n}`);
    assert.equal(raw, manifest.bytes.toString(), `skopeo reads another image under tag-${n}`);
  }
  const { stdout } = await run("umoci", ["list", "--layout", layout]);
  const tags = stdout.split("\n").filter((line) => line.startsWith("tag-"));
  assert.equal(tags.length, writers, `umoci lists ${tags.length} tags`);
  say("skopeo reads the images of the last round, umoci lists all tags");
}

const faultsOf = (report: StormReport): readonly string[] => [
  ...(report.tags === report.expected ? [] : ["tags were lost"]),
  ...(report.images === report.expected ? [] : ["images are missing at the end"]),
  ...(report.unreadable === 0 ? [] : ["the index was not always readable"]),
  ...(report.dangling === 0 ? [] : ["the index named what was not there"]),
  ...(report.vanished === 0 ? [] : ["images vanished"]),
];

const report = await storm({ writers, rounds, kills: 4, freezes: 1, say, judge });
const faults = [...faultsOf(report), ...(report.kills >= rounds ? [] : ["too few were killed"])];
const control = await storm({ writers: 8, rounds: 5, lockless: true });
if (faultsOf(control).length === 0) faults.push("the control without a lock lost nothing");
say(
  `without the lock: ${control.tags} of ${control.expected} tags, ${control.images} images, ${control.vanished} vanished`,
);
for (const fault of faults) say(fault);
say(
  `with it: ${report.tags} of ${report.expected} tags, ${report.images} images at the end; ${report.kills} killed, ${report.freezes} frozen, ${report.retries} begun again; ${report.reads} reads, ${report.unreadable} unreadable, ${report.dangling} dangling; ${report.seconds.toFixed(1)} s`,
);
process.exitCode = faults.length === 0 ? 0 : 1;
