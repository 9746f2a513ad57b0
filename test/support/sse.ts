// A client of Server-Sent Events that can be cut off anywhere.

export interface SseEvent {
  readonly id: string;
  readonly type: string;
  readonly data: Record<string, unknown>;
}

export interface SseOptions {
  readonly lastEventId?: string | undefined;
  readonly headers?: Record<string, string>;
  /** The connection is cut after so many bytes; absent: never. */
  readonly cutAfter?: number;
  readonly signal?: AbortSignal;
}

/** The events of one connection, each as soon as it is whole. Ends with the stream, or where the connection is cut. */
export async function* sse(url: string, options: SseOptions = {}): AsyncGenerator<SseEvent> {
  const cut = new AbortController();
  const signal =
    options.signal === undefined ? cut.signal : AbortSignal.any([cut.signal, options.signal]);
  const headers = {
    accept: "text/event-stream",
    ...options.headers,
    ...(options.lastEventId !== undefined && { "last-event-id": options.lastEventId }),
  };
  const response = await fetch(url, { headers, signal });
  if (response.status !== 200 || response.body === null)
    throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
  const decoder = new TextDecoder();
  let left = options.cutAfter ?? Infinity;
  let text = "";
  try {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += decoder.decode(chunk.subarray(0, Math.max(0, left)), { stream: true });
      left -= chunk.length;
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const event = parseFrame(text.slice(0, end));
        text = text.slice(end + 2);
        if (event !== undefined) yield event;
      }
      if (left <= 0) return;
    }
  } finally {
    cut.abort();
  }
}

/** A frame; undefined for comments and `retry`. */
function parseFrame(frame: string): SseEvent | undefined {
  const fields = new Map(
    frame
      .split("\n")
      .map(
        (line) =>
          [
            line.slice(0, line.indexOf(":")),
            line.slice(line.indexOf(":") + 1).trimStart(),
          ] as const,
      ),
  );
  const data = fields.get("data");
  if (data === undefined) return undefined;
  return {
    id: fields.get("id") ?? "",
    type: fields.get("event") ?? "message",
    data: JSON.parse(data) as Record<string, unknown>,
  };
}
