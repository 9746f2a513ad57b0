import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import type { FastifyInstance } from "fastify";
import { Compile } from "typebox/schema";
import { parse } from "yaml";
import { OPENAPI_FILE, openapiYaml } from "../scripts/openapi.ts";
import { CODES } from "../src/codes.ts";
import { CopyError } from "../src/errors.ts";
import { digestOf } from "../src/image/digest.ts";
import { failed, progressed, retrying, started, succeeded } from "../src/jobs/job.ts";
import { problemOf } from "../src/jobs/view.ts";
import { now, ORDER, startTestApi } from "./support/api.ts";
import { makeArtifact } from "./support/artifacts.ts";
import { makeImage, makeList, type TestImage } from "./support/images.ts";
import { startRegistry } from "./support/registry.ts";
import { sse } from "./support/sse.ts";

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly description?: string;
  readonly security?: readonly unknown[];
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
}
interface Document {
  readonly info: { readonly description: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

const document = parse(await readFile(OPENAPI_FILE, "utf8")) as Document;

/** Fails unless the value is what the document says. */
function conforms(schema: string, value: unknown): void {
  const { components } = document;
  const [valid, errors] = Compile({
    $ref: `#/components/schemas/${schema}`,
    components,
  } as object).Errors(value);
  assert.ok(valid, `${schema}: ${JSON.stringify(errors)} in ${JSON.stringify(value)}`);
}

test("openapi.yaml is what `npm run openapi` writes", async () => {
  assert.equal(await readFile(OPENAPI_FILE, "utf8"), await openapiYaml());
});

test("openapi.yaml has exactly the codes that there are, each with what to do", () => {
  const { enum: codes } = (
    document.components.schemas["Problem"] as { properties: { code: { enum: string[] } } }
  ).properties.code;
  assert.deepEqual(codes.toSorted(), Object.keys(CODES).toSorted());
  const rows = document.info.description.split("\n").filter((line) => line.includes('id="code-'));
  assert.equal(rows.length, codes.length);
  for (const [code, { status, retryable, remedy }] of Object.entries(CODES)) {
    const row = rows.find((line) => line.includes(`\`${code}\` |`));
    assert.ok(
      row?.includes(
        `| ${status} | ${retryable === "once" ? "once" : retryable ? "yes" : "no"} |`,
      ) && row.includes(remedy),
      code,
    );
  }
});

/** Not of the contract: the document itself, and the page that shows it. */
const PAGES = /^\/(docs(\/.*)?|openapi\.json)$/;

test("openapi.yaml has every route of the server, and no other", async () => {
  const routes = new Set<string>();
  const listen = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance };
    fastify.addHook("onRoute", ({ method, url }) => {
      for (const one of [method].flat()) if (!PAGES.test(url)) routes.add(`${one} ${url}`);
    });
  };
  subscribe("fastify.initialization", listen);
  await openapiYaml();
  unsubscribe("fastify.initialization", listen);
  const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.keys(operations).map(
      (method) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ":$1")}`,
    ),
  );
  // HEAD is GET without a body, which needs no word.
  const named = [...routes].filter((route) => !route.startsWith("HEAD "));
  assert.deepEqual(named.toSorted(), documented.toSorted());
});

test("every operation says what it does, what it answers, and whether it asks for a key", () => {
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const name = `${method} ${path}`;
      assert.ok(operation.operationId && operation.summary && operation.description, name);
      assert.ok(
        Object.values(operation.responses).every(({ description }) => description.length > 3),
        name,
      );
      assert.equal(operation.security === undefined, path.startsWith("/v1/"), name);
      if (path.startsWith("/v1/"))
        assert.ok(operation.responses["401"] && operation.responses["503"], name);
    }
  }
});

test("answers and events are what the document says", async () => {
  await using api = await startTestApi();
  const { id, links } = await api.submit({
    ...ORDER,
    options: { imageListSelection: "specific", platforms: ["linux/amd64"] },
    labels: { a: "b" },
  });
  const look = async (schema: string, path: string) =>
    conforms(schema, (await api.request("GET", path)).body);
  const start = () =>
    api.change(id, (record) =>
      started(record, { owner: "w", run: record.run, attempt: 1, now: now() }),
    );
  const digest = digestOf(Buffer.from("x"));
  const artifact = { digest, size: 1, mediaType: "a/b", kind: "layer", index: 0 } as const;
  const error = problemOf(
    new CopyError("registry_unavailable", "no", {
      side: "source",
      phase: "blob",
      registry: "r.example",
      digest,
      upstream: { status: 500, code: "UNKNOWN" },
    }),
    links.self,
  );
  await look("Job", links.self);
  await start();
  await look("Job", links.self);
  await api.change(id, (record) => retrying(record, error));
  await start();
  await api.change(id, (record) =>
    progressed(record, record.progress, digest, [
      { type: "blob-new", artifact },
      { type: "blob-read", artifact, offset: 1, offsetUpdate: 1 },
      { type: "blob-done", artifact, offset: 1, bytesStored: 1 },
      { type: "blob-skipped", artifact, reason: "exists" },
      { type: "report", message: "hello" },
    ]),
  );
  await api.change(id, (record) => failed(record, error, now()));
  await look("Job", links.self);
  await api.request("POST", `${links.self}/retry`);
  await start();
  const result = {
    sourceDigest: digest,
    manifestDigest: digest,
    manifestMediaType: "a/b",
    signatures: 0,
    referrers: 0,
    skipped: false,
    durationMs: 1,
    bytesCopied: 1,
  };
  await api.change(id, (record) => succeeded(record, result, now()));
  await look("Job", links.self);
  await look("JobPage", "/v1/jobs?limit=1");
  await look("Health", "/healthz");
  await look("Readiness", "/readyz");
  await look("Problem", "/v1/jobs/x");
  conforms("Problem", (await api.request("POST", "/v1/jobs", { body: {} })).body);
  const message = (event: { id: string; type: string; data: unknown }) => ({
    id: event.id,
    event: event.type,
    data: event.data,
  });
  const events = (await Array.fromAsync(sse(`${api.url}${links.events}`))).map(message);
  const old = (
    await Array.fromAsync(sse(`${api.url}${links.events}`, { lastEventId: "99999" }))
  ).map(message);
  assert.deepEqual(
    new Set([...events, ...old].map(({ event }) => event)),
    new Set([
      "queued",
      "active",
      "retrying",
      "blob-new",
      "blob-read",
      "blob-done",
      "blob-skipped",
      "report",
      "failed",
      "succeeded",
      "snapshot",
    ]),
  );
  conforms("JobEvents", events);
  conforms("JobEvents", old);
  conforms(
    "TenantEvents",
    events.filter(({ data }) => "job" in (data as object)),
  );
});

test("answers about images are what the document says", async () => {
  await using api = await startTestApi();
  await using registry = await startRegistry();
  const images = [makeImage(), makeImage({ platform: { os: "linux", architecture: "arm64" } })];
  registry.put("app", "list", makeList(images));
  registry.put("app", "artifact", makeArtifact(images[0] as TestImage));
  const context = { tlsVerify: false };
  for (const [path, schema, reference] of [
    ["/v1/tags", "Tags", "app"],
    ["/v1/inspect", "Inspection", "app:list"],
    ["/v1/inspect", "Inspection", "app:artifact"],
  ] as const) {
    const body = { reference: `docker://${registry.host}/${reference}`, context };
    conforms(schema, (await api.request("POST", path, { body })).body);
  }
  const options = { imageListSelection: "all" };
  const ends = { source: `docker://${registry.host}/app:list`, destination: "dir:x" };
  const order = { ...ends, options, sourceContext: context };
  conforms("Plan", (await api.request("POST", "/v1/plans", { body: order })).body);
});

test("the check of answers sees what is not in the document", () => {
  const [job] = (document.components.schemas["Job"] as { examples: Record<string, unknown>[] })
    .examples;
  conforms("Job", job);
  assert.throws(() => conforms("Job", { ...job, password: "x" }));
  assert.throws(() => conforms("Job", { ...job, status: "done" }));
  assert.throws(() =>
    conforms("JobEvents", [{ id: "1", event: "report", data: { jobId: "x", time: now() } }]),
  );
  for (const request of (document.components.schemas["JobRequest"] as { examples: unknown[] })
    .examples)
    conforms("JobRequest", request);
});
