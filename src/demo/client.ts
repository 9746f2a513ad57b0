// The demo as a client of the service: what it does, anybody can do with curl.

export interface JobRequest {
  readonly source: string;
  readonly destination: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly sourceContext?: Readonly<Record<string, unknown>>;
  readonly destinationContext?: Readonly<Record<string, unknown>>;
}

/** An event of a job's stream; `data` as the contract has it. */
export interface JobEvent {
  readonly type: string;
  readonly data: EventData;
}

export interface EventData {
  readonly artifact?: { readonly digest: string; readonly size: number };
  readonly offset?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly job?: {
    readonly status: string;
    readonly result: { readonly manifestDigest: string; readonly durationMs: number } | null;
    readonly error: { readonly code: string; readonly detail: string } | null;
  };
}

/** Orders a copy; returns the job's address. Throws what the service has against it. */
export async function postJob(api: string, job: JobRequest, signal: AbortSignal): Promise<string> {
  const response = await fetch(`${api}/v1/jobs`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(job),
    signal,
  });
  const location = response.headers.get("location");
  if (response.status !== 202 || location === null)
    throw new Error(`the job was not accepted: ${response.status} ${await response.text()}`);
  return new URL(location, api).href;
}

/** The job's events from the first to the last. Throws if the stream breaks off before. */
export async function* eventsOf(job: string, signal: AbortSignal): AsyncGenerator<JobEvent> {
  const response = await fetch(`${job}/events`, {
    headers: { accept: "text/event-stream" },
    signal,
  });
  if (!response.ok || response.body === null)
    throw new Error(`no events: ${response.status} ${await response.text()}`);
  for await (const { type, data } of parseEvents(
    response.body.pipeThrough(new TextDecoderStream()),
  )) {
    yield { type, data: JSON.parse(data) as EventData };
    if (type === "succeeded" || type === "failed" || type === "canceled") return;
  }
  throw new Error("the events broke off before the job's end");
}

/** Server-Sent Events out of pieces of text (WHATWG HTML, "9.2.6 Interpreting an event stream"), less what the service never sends. */
export async function* parseEvents(
  pieces: AsyncIterable<string>,
): AsyncGenerator<{ readonly type: string; readonly data: string }> {
  let rest = "";
  let type = "message";
  let data: string[] = [];
  for await (const piece of pieces) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (data.length > 0) yield { type, data: data.join("\n") };
        [type, data] = ["message", []];
      } else if (line.startsWith("event:")) type = line.slice(6).trim();
      else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
    }
  }
}
