// Layers that are kept elsewhere (semantics 4.3): a descriptor's `urls` say where. An image has chosen these addresses, so nobody's
// credentials go there, and the egress rule is all that keeps it from the service's own network (reliability T09).

import type { Bytes, Span } from "../bytes.ts";
import type { BlobStream } from "../copy/interfaces.ts";
import { CopyError } from "../errors.ts";
import type { NamedBlob } from "../image/blob-info.ts";
import type { AccessContext } from "./access.ts";
import { Answer, hasBlob } from "./docker/answer.ts";
import { BlobReader, type BlobPlace } from "./docker/blob-reader.ts";
import { ERROR_LIMIT, networkFailure, type Blame } from "./docker/failures.ts";
import { refusalOf } from "./docker/refusals.ts";
import { follow } from "./docker/redirects.ts";
import { sendAgain } from "./docker/retry.ts";

/** Of one layer; a manifest may name thousands. */
const ADDRESSES = 16;
const FAILURES_TOLD = 3;

/** What `read` gives, or where that is `source_not_found` and the blob has URLs, what is there: the first that answers wins. */
export function orForeign(
  read: (span?: Span) => Bytes,
  blob: NamedBlob,
  access: AccessContext,
): BlobStream {
  const addresses = addressesOf(blob);
  const readAnywhere = (span?: Span): Bytes => ({
    pour: async (sink, signal) => {
      try {
        return await read(span).pour(sink, signal);
      } catch (error) {
        const isMissing = error instanceof CopyError && error.code === "source_not_found";
        if (!isMissing || addresses.length === 0) throw error;
        await new BlobReader(placeOf(addresses, blob, access), span).pour(sink, signal);
      }
    },
  });
  return { info: blob, content: readAnywhere(), again: readAnywhere };
}

/** The first address that answers; a layer that has begun is gone on with there. */
function placeOf(addresses: readonly URL[], blob: NamedBlob, access: AccessContext): BlobPlace {
  let chosen: URL | undefined;
  return {
    open: async (headers, sends, signal) => {
      const asked = { blob, access, headers, sends };
      if (chosen !== undefined) return download(chosen, asked, signal);
      const found = await openFirst(addresses, asked, signal);
      chosen = found.url;
      return found.answer;
    },
    size: blob.size,
    timing: access.registries.timing,
    get blame() {
      return blameOf(chosen ?? (addresses[0] as URL), blob, access);
    },
  };
}

/** One request for a layer, to whichever address. */
interface Asked {
  readonly blob: NamedBlob;
  readonly access: AccessContext;
  readonly headers: Readonly<Record<string, string>>;
  readonly sends: "once" | "again";
}

/** Those that may be asked at all, as far as their words tell. */
const addressesOf = ({ urls = [] }: NamedBlob): readonly URL[] =>
  urls
    .slice(0, ADDRESSES)
    .map((text) => URL.parse(text))
    .filter((url) => url !== null)
    .filter(({ protocol }) => protocol === "https:" || protocol === "http:")
    .filter(({ username, password }) => username === "" && password === "");

async function openFirst(
  addresses: readonly URL[],
  asked: Asked,
  signal: AbortSignal,
): Promise<{ readonly url: URL; readonly answer: Answer }> {
  const { blob, access } = asked;
  const failures: CopyError[] = [];
  for (const url of addresses) {
    try {
      return { url, answer: await download(url, asked, signal) };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof CopyError)) throw error;
      failures.push(error);
    }
  }
  const told = failures.slice(0, FAILURES_TOLD).map(({ message }) => message);
  if (failures.length > told.length) told.push(`and ${failures.length - told.length} more`);
  // What may pass by itself decides what becomes of the job.
  const worst = failures.find((failure) => failure.retryable) ?? failures[0];
  throw new CopyError(
    worst?.code ?? "source_not_found",
    `the layer ${blob.digest} is kept elsewhere, and no address has it: ${told.join("; ")}`,
    { ...worst?.context, side: access.side, digest: blob.digest },
  );
}

async function download(
  first: URL,
  { blob, access, sends, headers: asked }: Asked,
  signal: AbortSignal,
): Promise<Answer> {
  const blame = blameOf(first, blob, access);
  const { registries } = access;
  const headers = { "user-agent": "transship", ...asked };
  const { timing } = registries;
  const known = { headers, answerMs: timing.stallMs, stall: timing, expects: blob.size ?? 0 };
  const ask = (url: URL) =>
    registries.connections(access, url).request({ method: "GET", url, ...known }, signal);
  const broken = (what: string) =>
    new CopyError("source_not_found", `${first.host} ${what}`, blame);
  const once = async () => {
    const answer = await follow(first, ask, broken, signal);
    return hasBlob(answer) ? answer : answer.read(ERROR_LIMIT, signal);
  };
  const sent = sends === "once" ? once() : sendAgain(once, registries.timing.retryMs, signal);
  const answer = await sent.catch((error: unknown) => {
    throw networkFailure(error, blame);
  });
  if (answer instanceof Answer) return answer;
  // What a stranger's host says is not for the client to read; that it asks who we are means that it does not give the layer away.
  const refusal = refusalOf({ ...answer, body: Buffer.alloc(0) }, blame, []);
  throw refusal.code === "source_unauthorized"
    ? new CopyError("source_not_found", refusal.message, refusal.context)
    : refusal;
}

const blameOf = (url: URL, { digest }: NamedBlob, { side }: AccessContext): Blame => ({
  side,
  registry: url.host,
  phase: "blob",
  digest,
});
