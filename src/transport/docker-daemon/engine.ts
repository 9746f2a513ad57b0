// The operator's docker engine, over its API: what `docker save` and `docker load` do.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import { Agent } from "undici";
import type { Bytes } from "../../bytes.ts";
import { CopyError, type Side } from "../../errors.ts";
import type { Answer, HttpRequest, Reply } from "../docker/answer.ts";
import { codeIn } from "../docker/failures.ts";
import { exchange } from "../docker/undici.ts";
import { fromRegion, type RegularFile } from "../files.ts";
import { engineAddress, type DockerSettings, type EngineAddress } from "./address.ts";
import { messageIn, refusalIn } from "./words.ts";

const CONNECT_MS = 30_000;
/** Bytes of an answer that is read as a whole. */
const ANSWER_LIMIT = 4 * 1024 * 1024;

/** Connections of one process. Nothing is opened before it is needed. */
export class DockerEngine implements AsyncDisposable {
  readonly #settings: DockerSettings;
  #agent: Agent | undefined;

  constructor(settings: DockerSettings) {
    this.#settings = settings;
  }

  /**
   * The archive of one image; it is asked for when it is poured. Throws `source_not_found`, `registry_unavailable`, `host_denied` then. `side`: which end
   * of the copy wants it.
   */
  save(name: string, side: Side): Bytes {
    const path = `/images/get?${new URLSearchParams({ names: name }).toString()}`;
    return {
      pour: async (sink, signal) => {
        const answer = await this.#ask({ method: "GET", path }, side, signal);
        if (answer.status === 200) return this.#blamed(side, () => answer.pour(sink, signal));
        const reply = await this.#read(answer, side, signal);
        if (reply.status !== 404) throw this.#unavailable(`answered ${messageIn(reply)}`, side);
        throw new CopyError(
          "source_not_found",
          `the docker engine has no image \`${name}\`: it answered ${messageIn(reply)}`,
          { side, phase: "manifest" },
        );
      },
    };
  }

  /** Throws `manifest_rejected` where the engine refuses what is in the archive, `registry_unavailable`, `host_denied`. */
  async load(archive: RegularFile, signal: AbortSignal): Promise<void> {
    const side = "destination";
    const { size } = archive;
    const body = fromRegion(archive, { offset: 0, size });
    const headers = { "content-type": "application/x-tar", "content-length": String(size) };
    const request = { method: "POST", path: "/images/load?quiet=1", headers, body } as const;
    const reply = await this.#read(await this.#ask(request, side, signal), side, signal);
    if (reply.status !== 200) throw this.#unavailable(`answered ${messageIn(reply)}`, side);
    const refusal = refusalIn(reply.body);
    if (refusal === undefined) return;
    throw new CopyError(
      "manifest_rejected",
      `the docker engine does not take the image: ${refusal}`,
      { side, phase: "commit" },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.destroy();
  }

  #ask(
    {
      path,
      ...request
    }: Pick<HttpRequest, "method" | "body"> & {
      readonly path: string;
      readonly headers?: HttpRequest["headers"];
    },
    side: Side,
    signal: AbortSignal,
  ): Promise<Answer> {
    return this.#blamed(side, async () => {
      const address = engineAddress(this.#settings);
      if ("reason" in address)
        throw new CopyError(
          "host_denied",
          `\`docker-daemon:\` cannot be used: the operator's DOCKER_HOST ${address.reason}`,
          { side, phase: "connect" },
        );
      this.#agent ??= await this.#connect(address, side);
      const url = new URL(path, address.origin);
      return exchange(this.#agent, { headers: {}, ...request, url }, signal);
    });
  }

  #read(answer: Answer, side: Side, signal: AbortSignal): Promise<Reply> {
    return this.#blamed(side, () => answer.read(ANSWER_LIMIT, signal));
  }

  /** The engine packs and unpacks layers before it says a word: how long that may take is for the job's own limit to say. */
  async #connect({ socketPath, tls }: EngineAddress, side: Side): Promise<Agent> {
    return new Agent({
      allowH2: false,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: {
        timeout: CONNECT_MS,
        ...(socketPath !== undefined && { socketPath }),
        ...(tls && { secureContext: await this.#secureContext(side) }),
      },
    });
  }

  async #secureContext(side: Side): Promise<SecureContext> {
    const { certPath = "" } = this.#settings;
    const read = (name: string) => readFile(join(certPath, name), "utf8");
    try {
      const [ca, cert, key] = await Promise.all(["ca.pem", "cert.pem", "key.pem"].map(read));
      return createSecureContext({ ca: [...getCACertificates("default"), ca ?? ""], cert, key });
    } catch (error) {
      const why = `is asked over TLS, and DOCKER_CERT_PATH has no \`ca.pem\`, \`cert.pem\` and \`key.pem\` that can be used`;
      throw this.#unavailable(why, side, error);
    }
  }

  async #blamed<T>(side: Side, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      const code = codeIn(error);
      // Without a code: an abort's reason, a failing disk, a bug.
      if (error instanceof CopyError || code === "") throw error;
      throw this.#unavailable(`does not answer (${code}): see that it runs`, side, error);
    }
  }

  #unavailable(why: string, side: Side, cause?: unknown): CopyError {
    return new CopyError(
      "registry_unavailable",
      `the docker engine, which the operator's DOCKER_HOST says is at \`${this.#settings.host ?? ""}\`, ${why}`,
      { side, phase: "connect" },
      cause,
    );
  }
}
