// A blob of which neither digest nor size are known before it has passed: PATCH with all of it, or in pieces, then a PUT that says its digest.

import { collect, type Bytes } from "../../../bytes.ts";
import type { BlobStream } from "../../../copy/interfaces.ts";
import { CopyError } from "../../../errors.ts";
import type { Descriptor } from "../../../image/blob-info.ts";
import type { Digest } from "../../../image/digest.ts";
import { digesting } from "../../../image/digesting.ts";
import type { Reply } from "../answer.ts";
import { mayPass } from "../next-try.ts";
import { Relay } from "./relay.ts";
import { lapsed } from "./upload-failure.ts";
import { heldPieceOf, needsAfter, type UploadNeeds } from "./upload-mode.ts";
import type { Session, UploadRequests } from "./upload-requests.ts";

interface Ways {
  readonly needs: UploadNeeds;
  readonly learn: (needs: UploadNeeds) => void;
}

/** Sends it. The bytes come once, so nothing is tried again, and the session is given back where it fails. */
export async function putStream(
  requests: UploadRequests,
  ways: Ways,
  { content, info }: BlobStream,
  begun: Session | undefined,
  signal: AbortSignal,
): Promise<Descriptor> {
  let session = begun ?? (await requests.begin(info.digest, "again", signal));
  const patch = async (body: Bytes | Buffer, headers: Readonly<Record<string, string>>) => {
    const reply = await requests.patch(session, body, info.digest, headers, signal);
    if (!isTaken(reply)) {
      const refusal = requests.refusal(reply, info.digest);
      throw reply.hasOtherToken === true ? lapsed(refusal) : refusal;
    }
    session = { ...session, ...requests.next(reply, info.digest) };
  };
  const measured = digesting(content);
  const piece = heldPieceOf(info.size, ways.needs, session.leastBytes);
  try {
    if (piece === undefined) await patch(measured.content, {});
    else await inPieces(measured.content, piece, patch, signal);
    const size = measured.size();
    const digest = info.digest ?? measured.digest();
    await close(requests, session, { digest, size }, signal);
    if (piece !== undefined && size > piece) await requests.checkStored(digest, size, signal);
    return { ...info, digest, size };
  } catch (error) {
    await requests.cancel(session);
    throw worthAnother(error, piece, ways);
  }
}

const isTaken = ({ status }: Reply): boolean => status >= 200 && status < 300;

/** One piece at a time is held, since a PATCH must say how long it is. */
async function inPieces(
  content: Bytes,
  piece: number,
  patch: (body: Buffer, headers: Readonly<Record<string, string>>) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  await using relay = new Relay(content, signal);
  for (let at = 0; ;) {
    const body = await collect(relay.take(piece), signal);
    if (body.length < piece) await relay.ended();
    if (body.length === 0) return;
    await patch(body, {
      "content-length": String(body.length),
      "content-range": `${at}-${at + body.length - 1}`,
    });
    at += body.length;
    if (body.length < piece) return;
  }
}

/** Where the answer got lost, the blob itself tells. */
async function close(
  requests: UploadRequests,
  session: Session,
  { digest, size }: { readonly digest: Digest; readonly size: number },
  signal: AbortSignal,
): Promise<void> {
  try {
    const reply = await requests.close(session, digest, signal);
    if (reply.status !== 201) throw requests.refusal(reply, digest);
  } catch (error) {
    const isLost = error instanceof CopyError && mayPass(error) && !signal.aborted;
    if (!isLost || (await requests.look(digest, size, signal).catch(() => {})) !== "stored")
      throw error;
  }
}

/** What was refused for its size goes in smaller pieces the next time, so that it is worth one. */
function worthAnother(error: unknown, piece: number | undefined, { needs, learn }: Ways): unknown {
  if (!(error instanceof CopyError) || error.context.upstream === undefined) return error;
  const { message, context } = error;
  const bytes = piece ?? Infinity;
  const isPiece = piece !== undefined;
  const refused = { ...error.context.upstream, bytes, isWhole: false, isPiece };
  const other = needsAfter(refused, needs);
  if (other === undefined) return error;
  learn(other);
  return new CopyError("registry_unavailable", message, context, error);
}
