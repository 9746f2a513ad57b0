import assert from "node:assert/strict";
import { test } from "node:test";
import { makeImage } from "../support/images.ts";
import { startRegistry } from "../support/registry.ts";
import { startService } from "../support/service.ts";
import { sse, type SseEvent } from "../support/sse.ts";

const insecure = { tlsVerify: false };

/** Follows a job to its last event, cut off after a random number of bytes each time; returns what came, and how often it was cut. */
async function follow(
  url: string,
  afterCut: (cut: number) => Promise<void>,
): Promise<{ events: SseEvent[]; cuts: number }> {
  const events: SseEvent[] = [];
  for (let cuts = 0; ; await afterCut(++cuts)) {
    const cutAfter = Math.random() < 0.3 ? 2500 : 100 + Math.floor(Math.random() * 400);
    try {
      for await (const event of sse(url, { lastEventId: events.at(-1)?.id, cutAfter }))
        events.push(event);
    } catch {
      // The API died: a client comes back, as after any other cut.
    }
    if (events.at(-1)?.type === "succeeded") return { events, cuts };
  }
}

test("a client that is cut off 100 times, the API killed in between, has every event once and in order", async () => {
  await using source = await startRegistry({ delayMs: 60 });
  await using destination = await startRegistry();
  await using service = await startService({ blobConcurrency: 2 });
  const image = makeImage({ layers: 150, seed: "events" });
  source.put("app", "1", image);
  const { id } = await service.submit({
    source: `docker://${source.host}/app:1`,
    destination: `docker://${destination.host}/app:1`,
    options: { progressIntervalMs: 100 },
    sourceContext: insecure,
    destinationContext: insecure,
  });
  const url = `${service.url}/v1/jobs/${id}/events`;

  const { events, cuts } = await follow(url, async (cut) => {
    if (cut === 10 || cut === 40 || cut === 70) await service.restartApi();
  });
  assert.ok(cuts >= 100, `only ${cuts} cuts`);
  const whole: SseEvent[] = [];
  for await (const event of sse(url)) whole.push(event);
  assert.deepEqual(events, whole);
  assert.deepEqual(
    events.map((event) => event.id),
    whole.map((_, i) => String(i + 1)),
  );
  assert.equal(events[0]?.type, "queued");
  assert.equal(events.at(-1)?.type, "succeeded");
  assert.equal(events.filter((event) => event.type === "blob-done").length, image.blobs.size);
  assert.ok(
    events.every((event) => event.data["jobId"] === id && typeof event.data["time"] === "string"),
  );
});
