// What goes wrong, and at which request.

import type { DialFault } from "./dialling.ts";

/** What happens to a request, or to its answer. */
export type Fault =
  /** Answered with this; the registry hears nothing of it. */
  | {
      readonly type: "status";
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      /** In the spec's JSON error. */
      readonly code?: string;
      /** Before the request's body was read, which nobody reads any more. */
      readonly early?: boolean;
    }
  /**
   * The connection is reset, ended, or nothing more comes: before the registry hears of the request, after it has done what it was
   * asked, within the answer's head, or in the middle of its body.
   */
  | {
      readonly type: "break";
      readonly how: "reset" | "end" | "stall";
      readonly at: "request" | "answer" | "head" | "body";
    }
  /** The same in the middle of the request's body, of which the registry hears nothing. */
  | { readonly type: "upload"; readonly how: "reset" | "stall" }
  /** The answer's body comes a byte at a time, with so many ms between. */
  | { readonly type: "drip"; readonly ms: number }
  /** One bit in the middle of the body is turned over. */
  | { readonly type: "flip" }
  /** `Content-Length` is wrong by so much; where it promises more, the connection ends. */
  | { readonly type: "length"; readonly by: number }
  /** Two lengths that differ; a length and chunks; chunks without an end. */
  | { readonly type: "two-lengths" | "length-and-chunks" | "endless-chunks" }
  /** An answer to nothing that was asked, after the one that was. */
  | { readonly type: "extra" }
  | { readonly type: "gzip" }
  /** To the same address. */
  | { readonly type: "redirect" }
  /** The registry hears nothing, all connections to it are lost, and others do not come about. */
  | { readonly type: "dial"; readonly how: DialFault }
  /** The body breaks off in the middle; whoever asks for the rest gets this. */
  | { readonly type: "range"; readonly rest: "whole" | "shifted" | "other-total" | "refused" };

/** What is meant by "the n-th request of a kind", and what counts as the same request once more. */
export interface Naming {
  readonly kind: string;
  /** Requests of one kind with the same subject are tries of the same; undefined: they are told apart only by their order. */
  readonly subject: string | undefined;
}

export interface Script {
  readonly kind: string;
  /** From 1: which subject of that kind. */
  readonly nth: number;
  /** Of a "dial" it is the dials that are counted: one request meets it. */
  readonly times: number;
  readonly fault: Fault;
}

/** A script while it is played. */
export class Scene {
  /** Requests that met the fault. */
  met = 0;
  readonly #script: Script;
  readonly #subjects = new Set<string>();
  #target: Naming | undefined;

  constructor(script: Script) {
    this.#script = script;
  }

  /** `order`: tells a request without a subject from all others. */
  faultFor(naming: Naming, order: string): Fault | undefined {
    const { kind, nth, times, fault } = this.#script;
    if (naming.kind !== kind) return undefined;
    this.#subjects.add(naming.subject ?? order);
    if (this.#subjects.size === nth) this.#target ??= naming;
    if (this.#target === undefined || naming.subject !== this.#target.subject) return undefined;
    // The break itself is not one of the wrong answers to it.
    const most = fault.type === "dial" ? 1 : times + (fault.type === "range" ? 1 : 0);
    if (this.met >= most) return undefined;
    this.met++;
    return fault;
  }
}
