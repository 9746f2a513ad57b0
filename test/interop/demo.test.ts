import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { missing } from "../support/peers.ts";

const skip = missing("apt-get", "dpkg-deb");

interface Demo extends AsyncDisposable {
  /** Resolves with what it printed so far, once that contains `text`. */
  shows(text: string): Promise<string>;
  /** Resolves with its exit code and all it printed. */
  readonly ended: Promise<{ code: number | null; output: string }>;
  interrupt(): void;
  /** What it left in its temporary folder, and command lines of processes that work there. */
  leftovers(): Promise<string[]>;
}

async function startDemo(...args: string[]): Promise<Demo> {
  const folder = await mkdtemp(join(tmpdir(), "demo-test-"));
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, "../../src/demo/main.ts"), ...args],
    {
      env: { ...process.env, TMPDIR: folder },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const exit = once(child, "close");
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  return {
    shows: async (text) => {
      while (!output.includes(text)) {
        const ended = await Promise.race([
          once(child.stdout, "data").then(() => false),
          exit.then(() => true),
        ]);
        assert.ok(!ended, `the demo ended before it showed ${text}:\n${output}`);
      }
      return output;
    },
    ended: exit.then(([code]) => ({ code: code as number | null, output })),
    interrupt: () => void child.kill("SIGINT"),
    leftovers: async () => [...(await readdir(folder)), ...(await commandLines(folder))],
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await exit;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Processes whose command line or working folder names `folder`. */
async function commandLines(folder: string): Promise<string[]> {
  const ids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    ids.map((id) => readFile(`/proc/${id}/cmdline`, "utf8").catch(() => "")),
  );
  return lines.filter((line) => line.includes(folder)).map((line) => line.replaceAll("\0", " "));
}

test(
  "the demo copies an image to a registry and to a folder, finds both whole, and leaves nothing behind",
  { skip },
  async () => {
    await using demo = await startDemo();
    const { code, output } = await demo.ended;
    assert.equal(code, 0, output);
    assert.match(output, /1\/2 {2}oci:image:1\.0 → /);
    assert.equal(output.match(/✔ verified: 3 manifests and 9 blobs/g)?.length, 2, output);
    assert.ok(!output.includes("\x1b"), "plain lines where there is no terminal");
    assert.deepEqual(await demo.leftovers(), []);
  },
);

test(
  "a demo that is interrupted in the middle of a copy leaves nothing behind either",
  { skip },
  async () => {
    await using demo = await startDemo("--link=1");
    await demo.shows("1/2");
    assert.notDeepEqual(await demo.leftovers(), [], "so that there is something to leave behind");
    demo.interrupt();
    const { code, output } = await demo.ended;
    assert.equal(code, 130, output);
    assert.deepEqual(await demo.leftovers(), []);
  },
);
