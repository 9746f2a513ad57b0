import { CopyError } from "../../../errors.ts";
import type { Answer, Reply } from "../answer.ts";
import type { Blame } from "../failures.ts";
import { limitsOf } from "./limits.ts";
import type { Pace } from "./pace.ts";

/** What a registry takes from those whom it knows by one name: a host and a credential. */
export class Budget {
  readonly #pace: Pace;
  readonly #key: string;

  /** `fingerprint`: of the credential. */
  constructor(pace: Pace, host: string, fingerprint: string) {
    this.#pace = pace;
    this.#key = `${host} ${fingerprint}`;
  }

  /**
   * Waits until the registry takes a request more. `count`: given for what may count as a pull, it asks the registry how many are left.
   * Throws `registry_rate_limited` where it would be a long wait.
   */
  async turn(
    blame: Blame,
    count: (() => Promise<Reply>) | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const isPull = count !== undefined;
    let turn = await this.#pace.turn(this.#key, isPull, signal);
    if (turn === "ask" && count !== undefined) {
      await this.heard(await count());
      turn = await this.#pace.turn(this.#key, isPull, signal);
    }
    if (typeof turn === "string") return;
    const what = `${blame.registry} is to be left alone for a while: it has asked for that, or few pulls are left`;
    throw new CopyError("registry_rate_limited", what, { ...blame, ...turn });
  }

  /** Takes in what an answer of the registry says of its limits. Never rejects. */
  async heard<T extends Answer | Reply>(answer: T): Promise<T> {
    const { status } = answer;
    const refused = status === 429 || status === 503 ? status : undefined;
    await this.#pace.heard(this.#key, refused, limitsOf(answer, Date.now()));
    return answer;
  }
}
