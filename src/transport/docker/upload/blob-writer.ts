// A blob of known digest and size on its way out. Where it breaks off it goes on from the byte that the registry is at: what that has
// lost of the bytes that have passed comes again (upload-content.ts), the rest has not passed yet. So no byte is hashed twice, and none that
// is stored is sent again. That the pieces fit together the registry checks with the last request. What follows on what: upload-step.ts.

import { CopyError } from "../../../errors.ts";
import { headerOf, type Reply } from "../answer.ts";
import { isSessionLost } from "../failure-class.ts";
import { mayPass } from "../next-try.ts";
import { pause } from "../pause.ts";
import { Headway } from "./headway.ts";
import { UploadContent, type Keeping, type KnownBlob } from "./upload-content.ts";
import { failedBy, failedCheck, isFine, isStored, type Failed } from "./upload-failure.ts";
import { needsAfter, pieceOf, type UploadNeeds } from "./upload-mode.ts";
import type { Session, UploadRequests } from "./upload-requests.ts";
import { GONE, MISPLACED, nextStep, storedIn, type Trouble } from "./upload-step.ts";

export interface WriterWays {
  readonly requests: UploadRequests;
  readonly needs: UploadNeeds;
  readonly learn: (needs: UploadNeeds) => void;
  readonly keeping: Keeping;
  /** Hears of each address at which the upload goes on. */
  readonly onSession: (session: Session) => void;
}

export class BlobWriter implements AsyncDisposable {
  readonly #blob: KnownBlob;
  readonly #ways: WriterWays;
  readonly #signal: AbortSignal;
  readonly #content: UploadContent;
  /** What the registry needs, as far as it is sure, and what is tried in this session. */
  #learnt: UploadNeeds;
  #needs: UploadNeeds;
  #session: Session | undefined;
  readonly #headway = new Headway();
  /** The session had bytes before, and was gone on with where it said. */
  #isResumed = false;
  /** How many requests have brought what the session has. */
  #parts = 0;

  constructor(blob: KnownBlob, ways: WriterWays, signal: AbortSignal) {
    this.#blob = blob;
    this.#ways = ways;
    this.#learnt = this.#needs = ways.needs;
    this.#signal = signal;
    this.#content = new UploadContent(blob, ways.keeping, signal);
  }

  /** To be called once. `begun`: a session without bytes; `left`: one that somebody else has begun, and perhaps brought far. */
  async write(begun: Session | undefined, left: URL | undefined): Promise<void> {
    const { requests } = this.#ways;
    if (left !== undefined) await this.#takeUp(left);
    if (this.#session === undefined)
      this.#moveTo(begun ?? (await requests.begin(this.#blob.digest, "again", this.#signal)));
    else if (begun !== undefined) await requests.cancel(begun);
    for (;;) {
      const failed = await this.#sendRest();
      if (failed === undefined || (await this.#recover(failed)) === "stored") return;
    }
  }

  /** Gives the session back. */
  async cancel(): Promise<void> {
    if (this.#session !== undefined) await this.#ways.requests.cancel(this.#session);
  }

  /** Ends the content, if it has not. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#content[Symbol.asyncDispose]();
  }

  async #takeUp(left: URL): Promise<void> {
    this.#session = { url: left };
    const stored = await this.#ask();
    if (typeof stored === "number" && stored <= this.#blob.size) {
      this.#headway.stands(stored);
      this.#isResumed = true;
      this.#parts = stored > 0 ? 1 : 0;
      return;
    }
    if (stored === "unclear" || typeof stored === "number") await this.cancel();
    this.#session = undefined;
  }

  #moveTo(session: Session): void {
    this.#session = { ...this.#session, ...session };
    this.#ways.onSession(session);
  }

  /** Undefined: all is sent, and the registry has stored it. */
  async #sendRest(): Promise<Failed | undefined> {
    const { requests } = this.#ways;
    const { size, digest } = this.#blob;
    const piece = this.#piece;
    await this.#content.skipTo(this.#headway.at);
    if (this.#headway.at === 0 && piece === undefined && this.#needs.closesEmpty !== true) {
      const body = this.#content.body(0, size);
      const put = (to: Session) => requests.putWhole(to, body, this.#blob, this.#signal);
      return this.#try(size, put, isStored);
    }
    while (this.#headway.at < size) {
      const failed = await this.#sendPiece(Math.min(size, this.#headway.at + (piece ?? size)));
      if (failed !== undefined) return failed;
    }
    await this.#content.ended();
    const close = (to: Session) => requests.close(to, digest, this.#signal);
    const failed = await this.#try(0, close, isStored);
    if (failed !== undefined || this.#parts < 2) return failed;
    return failedCheck(requests.checkStored(digest, size, this.#signal));
  }

  async #sendPiece(to: number): Promise<Failed | undefined> {
    const [{ requests }, { digest }] = [this.#ways, this.#blob];
    const from = this.#headway.at;
    const headers = { "content-length": String(to - from), "content-range": `${from}-${to - 1}` };
    const body = this.#content.body(from, to);
    const send = (session: Session) => requests.patch(session, body, digest, headers, this.#signal);
    return this.#try(to - from, send, (reply) => {
      if (!isFine(reply)) return false;
      this.#moveTo(requests.next(reply, digest));
      this.#headway.stands(to);
      this.#parts++;
      return true;
    });
  }

  /** What went wrong with a request, if it can be gone on after; throws what cannot. */
  async #try(
    bytes: number,
    send: (session: Session) => Promise<Reply>,
    takes: (reply: Reply) => boolean,
  ): Promise<Failed | undefined> {
    try {
      const reply = await send(this.#session as Session);
      if (takes(reply)) return undefined;
      const isLapsed = reply.hasOtherToken === true && this.#headway.mayHaveLapsed();
      return failedBy(this.#ways.requests.refusal(reply, this.#blob.digest), bytes, isLapsed);
    } catch (error) {
      return { error: this.#passing(error), trouble: { kind: "broken" }, bytes };
    }
  }

  /** The error, if it may pass and nobody but the registry or the network is to blame; else it is thrown. */
  #passing(error: unknown): CopyError {
    if (this.#content.failure !== undefined) throw this.#content.failure.error;
    if (this.#signal.aborted || !(error instanceof CopyError) || !mayPass(error)) throw error;
    return error;
  }

  /** Finds out where to go on, after a pause. Throws the failure where there is no going on. */
  async #recover({ error, trouble, bytes }: Failed): Promise<"stored" | "to be sent"> {
    const other = this.#otherAfter(trouble, bytes);
    const next = nextStep(trouble, {
      canRepeat: this.#content.canRepeat,
      isResumed: this.#isResumed,
      isPiece: this.#piece !== undefined,
      hasOther: other !== undefined,
      beginsAnew: this.#learnt.beginsAnew === true,
    });
    if (next === "fail") throw error;
    await this.#pause(error);
    if (next === "anew") return this.#beginAnew(trouble);
    const stored = await this.#ask();
    if (typeof stored === "object") return this.#recover(stored);
    if (stored === "lost") return this.#beginAnew(GONE);
    // Where there is more than was sent, somebody else has written there, or it counts wrongly.
    if (stored === "unclear" || stored > this.#content.at) return this.#beginAnew(trouble);
    if (next !== "check" || stored === this.#headway.at) {
      if (next === "check" && other === undefined) return this.#beginAnew(trouble);
      this.#needs = other ?? this.#needs;
    }
    this.#headway.stands(stored);
    // What came of a request that broke off may be there though the session says that it has nothing.
    this.#isResumed = stored > 0 || trouble.kind === "broken";
    this.#parts = stored > 0 ? Math.max(this.#parts, 1) : 0;
    return "to be sent";
  }

  /** Another way of sending, where that may be what is wrong. It is learnt, unless where the bytes belong may be what was wrong. */
  #otherAfter(trouble: Trouble, bytes: number): UploadNeeds | undefined {
    if (trouble.kind !== "refused") return undefined;
    const isPiece = this.#piece !== undefined;
    const isWhole = bytes === this.#blob.size && !isPiece && this.#needs.closesEmpty !== true;
    const other = needsAfter({ ...trouble, bytes, isWhole, isPiece }, this.#needs);
    if (trouble === MISPLACED) this.#learn({ ...this.#learnt, beginsAnew: true });
    else if (other !== undefined && !(trouble.status === 416 && this.#isResumed))
      this.#learn(other);
    return other;
  }

  #learn(needs: UploadNeeds): void {
    this.#learnt = needs;
    this.#ways.learn(needs);
  }

  async #pause(error: CopyError): Promise<void> {
    const { breakMs } = this.#ways.requests.client.timing;
    const delay = this.#headway.pauseMs(error.context.retryAfterMs, breakMs);
    if (delay === undefined) throw error;
    await pause(delay, this.#signal);
  }

  /** How many bytes the session has; `unclear`: it is there, as far as anybody knows, but cannot be gone on with. */
  async #ask(): Promise<number | "lost" | "unclear" | Failed> {
    const [{ requests }, { digest }] = [this.#ways, this.#blob];
    let told: Reply | undefined;
    const ask = (session: Session) => requests.ask(session, digest, this.#signal);
    const failed = await this.#try(0, ask, (reply) => {
      if (isFine(reply)) told = reply;
      return told !== undefined;
    });
    if (failed?.trouble.kind === "broken") return failed;
    if (told === undefined) return failed && isSessionLost(failed.trouble) ? "lost" : "unclear";
    const { headers } = told;
    if (headerOf(headers, "location") !== undefined) this.#moveTo(requests.next(told, digest));
    return storedIn(headerOf(headers, "range")) ?? "unclear";
  }

  /** The session leads nowhere; but if that is because its blob is stored, all is well: an answer got lost. */
  async #beginAnew(trouble: Trouble): Promise<"stored" | "to be sent"> {
    const { requests } = this.#ways;
    const { digest, size } = this.#blob;
    try {
      if (trouble !== MISPLACED && this.#content.at === size)
        if ((await requests.look(digest, size, this.#signal)) === "stored") return "stored";
      if (trouble !== MISPLACED && trouble !== GONE) await this.cancel();
      this.#moveTo(await requests.begin(digest, "once", this.#signal));
    } catch (error) {
      return this.#recover({ error: this.#passing(error), trouble: GONE, bytes: 0 });
    }
    this.#needs = this.#learnt;
    this.#headway.stands(0);
    this.#isResumed = false;
    this.#parts = 0;
    return "to be sent";
  }

  get #piece(): number | undefined {
    return pieceOf(this.#blob.size, this.#needs, this.#session?.leastBytes);
  }
}
