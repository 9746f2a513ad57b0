// cosign and oras: who signs, attaches and verifies in our tests.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Without transparency log: cosign's flags for that differ between its two formats of signatures. */
const OFFLINE = ["--use-signing-config=false", "--tlog-upload=false", "--yes"];
/** Signatures under the tag `sha256-<hex>.sig`; without: bundles that refer to the image. */
const LEGACY = "--new-bundle-format=false";

export async function oras(...args: string[]): Promise<string> {
  return (await run("oras", args)).stdout;
}

/** A referrer, and what refers to it. */
export interface Tree {
  readonly digest: string;
  readonly referrers: readonly Tree[];
}

/** What oras finds: the digests, in one order. */
export async function discover(...args: string[]): Promise<Tree> {
  return sorted(JSON.parse(await oras("discover", "--format", "json", ...args)) as Tree);
}

const sorted = ({ digest, referrers }: Tree): Tree => ({
  digest,
  referrers: referrers.map(sorted).toSorted((a, b) => (a.digest < b.digest ? -1 : 1)),
});

/** A key of cosign's, in a folder of its own. */
export class Cosign implements AsyncDisposable {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  static async generate(): Promise<Cosign> {
    const cosign = new Cosign(await mkdtemp(join(tmpdir(), "transship-cosign-")));
    await cosign.#run("generate-key-pair", "--output-key-prefix", join(cosign.#folder, "key"));
    await writeFile(join(cosign.#folder, "predicate.json"), `{"SPDXID":"SPDXRef-DOCUMENT"}`);
    return cosign;
  }

  async sign(reference: string, format: "legacy" | "bundle"): Promise<void> {
    const key = ["--key", join(this.#folder, "key.key")];
    const flags = [...OFFLINE, ...(format === "legacy" ? [LEGACY] : [])];
    await this.#run("sign", "--allow-http-registry", ...key, ...flags, reference);
  }

  /** An attestation under the tag `sha256-<hex>.att`. */
  async attest(reference: string): Promise<void> {
    const key = ["--key", join(this.#folder, "key.key")];
    const predicate = ["--type", "spdxjson", "--predicate", join(this.#folder, "predicate.json")];
    await this.#run(
      "attest",
      "--allow-http-registry",
      ...key,
      ...OFFLINE,
      LEGACY,
      ...predicate,
      reference,
    );
  }

  /** Rejects with cosign's words where the signature is missing or not this key's. */
  async verify(reference: string, format: "legacy" | "bundle"): Promise<void> {
    await this.#verify("verify", reference, format === "legacy" ? [LEGACY] : []);
  }

  async verifyAttestation(reference: string): Promise<void> {
    await this.#verify("verify-attestation", reference, [LEGACY, "--type", "spdxjson"]);
  }

  async tree(reference: string): Promise<string> {
    return this.#run("tree", "--allow-http-registry", reference);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #verify(command: string, reference: string, flags: readonly string[]): Promise<void> {
    const key = ["--key", join(this.#folder, "key.pub"), "--insecure-ignore-tlog"];
    await this.#run(command, "--allow-http-registry", ...key, ...flags, reference);
  }

  async #run(...args: string[]): Promise<string> {
    const env = { ...process.env, COSIGN_PASSWORD: "" };
    return (await run("cosign", args, { env })).stdout;
  }
}
