// Marked credentials in every field that takes one: they must turn up nowhere but in the sealed record.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CopyError } from "../../src/errors.ts";
import { failed } from "../../src/jobs/job.ts";
import { problemOf, type JobView } from "../../src/jobs/view.ts";
import { createLogger } from "../../src/logger.ts";
import { now, ORDER, startTestApi, type TestApi } from "../support/api.ts";

const MARK = "m4rk3d";
const secret = (name: string) => `${MARK}-${name}`;
const KEY = secret("api-key");
const headers = { authorization: `Bearer ${KEY}` };

const KINDS = [
  { username: secret("user"), password: secret("password") },
  { identityToken: secret("identity") },
  { registryToken: secret("registry") },
] as const;

/** Bodies that are refused, with secrets all over: what is wrong is told without what is in them. */
const REFUSED: readonly unknown[] = [
  {
    ...ORDER,
    sourceContext: {
      auth: { username: secret("u"), password: secret("p"), registryToken: secret("t") },
    },
  },
  { ...ORDER, sourceContext: { auth: { username: secret("u:v"), password: secret("p") } } },
  { ...ORDER, sourceContext: { auth: { password: secret("p") } } },
  { ...ORDER, sourceContext: { auth: { registryToken: `${secret("t")}\n` } } },
  { ...ORDER, sourceContext: { auth: secret("not an object") } },
  { ...ORDER, sourceContext: { auth: { username: [secret("list")] } } },
  { ...ORDER, options: { signPassphrase: secret("passphrase") } },
  { ...ORDER, sourceContext: { caCertificates: `-----BEGIN PRIVATE KEY-----\n${secret("pem")}` } },
  `{"sourceContext":{"auth":{"password":"${secret("broken")}"}`,
  `{"sourceContext":{"auth":{"password":${secret("unquoted")}}}}`,
];

/** The mark as it is, in hexadecimal, and in Base64 wherever in a text it begins: without the ends that its neighbours share. */
const encodings = [
  MARK,
  Buffer.from(MARK).toString("hex"),
  ...["", "x", "xx"].map((before) => {
    const start = Math.ceil((before.length * 8) / 6);
    const end = Math.floor(((before.length + MARK.length) * 8) / 6);
    return Buffer.from(before + MARK)
      .toString("base64")
      .slice(start, end);
  }),
];
const shows = (text: string): boolean => encodings.some((encoding) => text.includes(encoding));

test("credentials come back in no answer, event or log line, and lie sealed in the store", async () => {
  await using api = await startTestApi({ tenants: { t: KEY } });
  const answers: string[] = [];
  const say = async (
    method: string,
    path: string,
    body?: unknown,
    more: Record<string, string> = {},
  ) => {
    const answer = await api.request<JobView>(method, path, {
      headers: { ...headers, ...more },
      ...(body !== undefined && { body }),
    });
    answers.push(JSON.stringify([answer.body, [...answer.headers]]));
    return answer;
  };
  for (const auth of KINDS) {
    const body = { ...ORDER, sourceContext: { auth }, destinationContext: { auth } };
    const key = { "idempotency-key": Object.keys(auth).join() };
    const { status, body: job } = await say("POST", "/v1/jobs", body, key);
    assert.equal(status, 202);
    const { id } = job;
    await say("GET", `/v1/jobs/${id}`);
    await api.change(id, (record) =>
      failed(
        record,
        problemOf(new CopyError("source_unauthorized", "no", { side: "source" }), ""),
        now(),
      ),
    );
    await say("GET", `/v1/jobs/${id}/events`);
    await say("POST", `/v1/jobs/${id}/retry`);
    await say("DELETE", `/v1/jobs/${id}`);
  }
  for (const body of REFUSED) assert.ok((await say("POST", "/v1/jobs", body)).status >= 400);
  await say("GET", `/v1/jobs?token=${secret("query")}`, undefined);
  await say("GET", `/nothing?token=${secret("query")}`);
  await say("GET", "/v1/jobs", undefined, { authorization: `Bearer ${secret("wrong")}` });
  for (const answer of answers) assert.ok(!shows(answer), answer);
  assert.ok(api.log.length > 20);
  for (const line of api.log) assert.ok(!shows(line), line);
  const kept = await everything(api);
  assert.ok(kept.length > 0);
  for (const text of kept) assert.ok(!shows(text), text);
  const sealed = await api.redis.keys("*:secrets");
  assert.equal(sealed.length, KINDS.length, "not all was sealed, so not all was shown");
});

test("the check finds a secret where there is one", async () => {
  await using api = await startTestApi();
  await api.submit({ ...ORDER, labels: { leak: secret("label") } });
  assert.ok((await everything(api)).some(shows));
  assert.ok(shows(Buffer.from(`x${MARK}`).toString("hex")));
  for (const before of ["", "a", "bc", "def"])
    assert.ok(shows(Buffer.from(`${before}${MARK}:pass`).toString("base64")), before);
});

test("a secret that is logged by mistake is not written", () => {
  const lines: string[] = [];
  const logger = createLogger({ logLevel: "info" }, "test", {
    write: (line) => void lines.push(line),
  });
  logger.info(
    {
      password: secret("a"),
      auth: { username: secret("b") },
      request: { headers: { authorization: secret("c") } },
      a: { b: { registryToken: secret("d") } },
    },
    "oops",
  );
  const error = Object.assign(new Error("refused"), { command: { args: [secret("e")] } });
  logger.error({ err: new Error("outer", { cause: error }) }, "failed");
  assert.ok(!shows(lines.join("")), lines.join(""));
  assert.match(lines.join(""), /\[redacted\].*\n.*refused/);
});

/** The text of all that is in the store. */
async function everything({ redis }: TestApi): Promise<string[]> {
  const texts: string[] = [];
  for (const key of await redis.keys("*")) {
    const type = await redis.type(key);
    if (type === "string") texts.push((await redis.get(key)) ?? "");
    if (type === "hash") texts.push(JSON.stringify(await redis.hgetall(key)));
    if (type === "stream") texts.push(JSON.stringify(await redis.xrange(key, "-", "+")));
    if (type === "zset") texts.push(JSON.stringify(await redis.zrange(key, 0, "-1")));
    if (type === "list") texts.push(JSON.stringify(await redis.lrange(key, 0, -1)));
    texts.push(key);
  }
  return texts;
}
