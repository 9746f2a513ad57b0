// Whether a repository is new to its registry: then nothing in it needs to be looked for.

import { CopyError } from "../../errors.ts";
import type { DockerReference } from "../../image/reference/docker.ts";
import type { RegistryClient } from "./http.ts";
import type { Recent } from "../../recent.ts";

export class Emptiness {
  readonly #client: RegistryClient;
  readonly #repository: string;
  readonly #scopes: readonly string[];
  readonly #filled: Recent<true>;
  readonly #place: string;
  #answer: Promise<boolean> | undefined;

  /** `filled`: repositories, as `registry/repository`, of which the process knows that there is something in them. */
  constructor(
    client: RegistryClient,
    { registry, repository }: Pick<DockerReference, "registry" | "repository">,
    scopes: readonly string[],
    filled: Recent<true>,
  ) {
    this.#client = client;
    this.#repository = repository;
    this.#scopes = scopes;
    this.#filled = filled;
    this.#place = `${registry}/${repository}`;
  }

  /** Something of the repository was seen. */
  disprove(): void {
    this.#filled.set(this.#place, true);
  }

  /**
   * The registry knows nothing of the repository; it is asked once, and not where that is known. Where it does not say, it is not empty.
   * Throws what the token service refuses: without a token nobody gets further.
   */
  isEmpty(signal: AbortSignal): Promise<boolean> {
    this.#answer ??= this.#ask(signal).catch((error: unknown) => {
      const isAnswered = error instanceof CopyError && error.context.phase !== "token";
      if (isAnswered && !signal.aborted) return false;
      throw error;
    });
    return this.#answer;
  }

  async #ask(signal: AbortSignal): Promise<boolean> {
    if (this.#filled.get(this.#place) === true) return false;
    const to = `/v2/${this.#repository}/tags/list?n=1`;
    const out = { method: "GET", to, scopes: this.#scopes, phase: "tags" } as const;
    // It only spares other questions: nobody is to wait while it is asked again.
    const { status } = await this.#client.sendOnce(out, signal);
    if (status === 200) this.disprove();
    return status === 404;
  }
}
