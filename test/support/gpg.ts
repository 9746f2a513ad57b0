// Real GnuPG, with a home of its own: its keys, and messages of every kind that it makes.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface Gpg extends AsyncDisposable {
  /** GNUPGHOME for other programs. */
  readonly home: string;
  /** The fingerprint of a new RSA key. `more`: gpg's options, such as a time that is not now. */
  makeKey(name: string, expire?: string, more?: readonly string[]): Promise<string>;
  /** Runs gpg; what is written to its input comes last. */
  run(args: readonly string[], input?: string): Promise<string>;
  exported(...fingerprints: readonly string[]): Promise<Buffer>;
  /** What gpg makes of a text with these options, such as `--sign`. */
  make(text: string, ...args: readonly string[]): Promise<Buffer>;
}

export async function startGpg(): Promise<Gpg> {
  const home = await mkdtemp(join(tmpdir(), "transship-gpg-"));
  const base = ["--homedir", home, "--batch", "--yes", "--quiet", "--pinentry-mode", "loopback"];
  const gpg: Gpg = {
    home,
    run: async (args, input = "") => {
      const running = run("gpg", [...base, "--passphrase", "", ...args]);
      // gpg may have ended before it reads.
      running.child.stdin?.on("error", () => {}).end(input);
      return (await running).stdout;
    },
    makeKey: async (name, expire = "0", more = []) => {
      await gpg.run([...more, "--quick-gen-key", name, "rsa2048", "sign", expire]);
      const listed = await gpg.run(["--list-keys", "--with-colons", name]);
      return /^fpr:+([0-9A-F]+):/m.exec(listed)?.[1] ?? "";
    },
    exported: async (...fingerprints) => {
      const out = join(home, "exported");
      await gpg.run(["--output", out, "--export", ...fingerprints]);
      return readFile(out);
    },
    make: async (text, ...args) => {
      const [from, out] = [join(home, "text"), join(home, "made")];
      await writeFile(from, text);
      await gpg.run(["--trust-model", "always", "--output", out, ...args, from]);
      return readFile(out);
    },
    [Symbol.asyncDispose]: async () => {
      await run("gpgconf", ["--homedir", home, "--kill", "all"]).catch(() => {});
      await rm(home, { recursive: true, force: true });
    },
  };
  return gpg;
}
