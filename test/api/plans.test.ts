// POST /v1/plans over real HTTP: what a job would do is told, and nothing is done.

import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import type { CopyPlan } from "../../src/copy/plan.ts";
import { RedisBlobInfoCache } from "../../src/jobs/blob-info-cache.ts";
import { DOCKER_CONFIG, OCI_INDEX, OCI_MANIFEST, SCHEMA2 } from "../../src/image/media-types.ts";
import { problemIn, startTestApi, type TestApi } from "../support/api.ts";
import { accessTo, filesBelow, makeDataDir, write } from "../support/folders.ts";
import { makeImage, makeList, type TestImage } from "../support/images.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";

const insecure = { tlsVerify: false };
const contexts = { sourceContext: insecure, destinationContext: insecure };
const image = makeImage({ layers: [100_000, 5_000] });
const sizeOf = ({ layers, config }: TestImage): number =>
  [config, ...layers].reduce((sum, { size }) => sum + size, 0);

const plan = async (api: TestApi, job: object): Promise<CopyPlan> => {
  const answer = await api.request<CopyPlan>("POST", "/v1/plans", { body: job });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
};
const actions = ({ blobs }: CopyPlan) => blobs.map(({ kind, action }) => `${kind} ${action}`);
const assertUntouched = ({ requests }: TestRegistry): void =>
  assert.deepEqual(
    requests.filter(({ method }) => method !== "GET" && method !== "HEAD"),
    [],
  );

test("a copy to an empty registry moves everything, and the plan writes nothing", async () => {
  await using api = await startTestApi();
  await using source = await startRegistry();
  await using destination = await startRegistry();
  source.put("app", "1", image);
  const total = sizeOf(image);
  const kept = await api.redis.keys("*");
  const blob = ({ digest, size, mediaType }: TestImage["config"], kind: "config" | "layer") =>
    ({ digest, size, mediaType, kind, action: "copy", from: null }) as const;
  assert.deepEqual(
    await plan(api, {
      source: `docker://${source.host}/app:1`,
      destination: `docker://${destination.host}/mirror/app:1`,
      ...contexts,
    }),
    {
      source: { digest: image.digest, mediaType: OCI_MANIFEST },
      destination: { exists: false, digest: null },
      manifests: [
        {
          digest: image.digest,
          mediaType: OCI_MANIFEST,
          platform: null,
          action: "copy",
          to: null,
          reason: null,
        },
      ],
      blobs: [...image.layers.map((layer) => blob(layer, "layer")), blob(image.config, "config")],
      bytes: { total, toCopy: total, toReuse: 0 },
    },
  );
  assertUntouched(destination);
  assertUntouched(source);
  assert.equal(await api.countJobs(), 0);
  assert.deepEqual(await api.redis.keys("*"), kept);
});

test("blobs that are there are reused, others moved", async () => {
  await using api = await startTestApi();
  await using source = await startRegistry();
  await using destination = await startRegistry();
  source.put("app", "1", image);
  const [first] = image.layers;
  destination.content.addBlob("app", first!.digest, image.blobs.get(first!.digest)!);
  const planned = await plan(api, {
    source: `docker://${source.host}/app:1`,
    destination: `docker://${destination.host}/app:1`,
    ...contexts,
  });
  assert.deepEqual(actions(planned), ["layer reuse", "layer copy", "config copy"]);
  const { total, toCopy, toReuse } = planned.bytes;
  assert.deepEqual([total, toCopy, toReuse], [sizeOf(image), sizeOf(image) - 100_000, 100_000]);
  assertUntouched(destination);
});

test("blobs of the same registry are mounted from their repository", async () => {
  await using api = await startTestApi();
  await using registry = await startRegistry();
  registry.put("team/app", "1", image);
  const planned = await plan(api, {
    source: `docker://${registry.host}/team/app:1`,
    destination: `docker://${registry.host}/mirror:1`,
    ...contexts,
  });
  assert.deepEqual(
    planned.blobs.map(({ action, from }) => [action, from]),
    [
      ["mount", "team/app"],
      ["mount", "team/app"],
      ["mount", "team/app"],
    ],
  );
  assert.deepEqual(planned.bytes, { total: sizeOf(image), toCopy: 0, toReuse: sizeOf(image) });
  assertUntouched(registry);
});

test("a list is planned with its images", async () => {
  await using api = await startTestApi();
  await using source = await startRegistry();
  await using destination = await startRegistry();
  const arm = makeImage({ platform: { os: "linux", architecture: "arm64" }, seed: "arm" });
  const list = makeList([image, arm]);
  source.put("app", "1", list);
  destination.put("app", "arm", arm);
  const planned = await plan(api, {
    source: `docker://${source.host}/app:1`,
    destination: `docker://${destination.host}/app:1`,
    options: { imageListSelection: "all" },
    ...contexts,
  });
  assert.deepEqual(planned.source, { digest: list.digest, mediaType: OCI_INDEX });
  const about = planned.manifests.map(({ digest, action, platform }) => [
    digest,
    action,
    platform?.architecture ?? null,
  ]);
  assert.deepEqual(about.at(-1), [list.digest, "copy", null]);
  assert.deepEqual(about[0], [image.digest, "copy", "amd64"]);
  assert.deepEqual([about[1]?.[0], about[1]?.[2]], [arm.digest, "arm64"]);
  assert.equal(planned.bytes.toReuse, sizeOf(arm));
});

test("a docker image for a layout is planned to be converted", async () => {
  await using data = await makeDataDir();
  await using api = await startTestApi({ dataDir: data.path });
  await using source = await startRegistry();
  const docker = makeImage({ mediaTypes: "docker" });
  source.put("app", "1", docker);
  const planned = await plan(api, {
    source: `docker://${source.host}/app:1`,
    destination: "oci:layout:1",
    sourceContext: insecure,
  });
  const [manifest] = planned.manifests;
  assert.deepEqual(
    [manifest?.mediaType, manifest?.action, manifest?.to],
    [SCHEMA2, "convert", OCI_MANIFEST],
  );
  assert.ok(planned.blobs.some(({ mediaType }) => mediaType === DOCKER_CONFIG));
  assert.deepEqual(await readdir(data.path), []);
});

test("what is at the destination stays as it is", async () => {
  await using data = await makeDataDir();
  await using api = await startTestApi({ dataDir: data.path });
  await using source = await startRegistry();
  source.put("app", "1", image);
  const old = makeImage({ seed: "old" });
  await write("oci:layout:1", old, accessTo(data.path, "destination"));
  await write("dir:folder", old, accessTo(data.path, "destination"));
  const before = await filesBelow(data.path);
  for (const destination of ["oci:layout:1", "dir:folder"]) {
    const planned = await plan(api, {
      source: `docker://${source.host}/app:1`,
      destination,
      sourceContext: insecure,
    });
    assert.deepEqual(planned.destination, { exists: true, digest: old.digest });
  }
  assert.deepEqual(await filesBelow(data.path), before);
});

test("a tag that is to be left alone means that nothing is done", async () => {
  await using api = await startTestApi();
  await using registry = await startRegistry();
  registry.put("app", "1", image);
  registry.put("mirror", "1", makeImage({ seed: "old" }));
  const planned = await plan(api, {
    source: `docker://${registry.host}/app:1`,
    destination: `docker://${registry.host}/mirror:1`,
    options: { ifTagExists: "skip" },
    ...contexts,
  });
  assert.deepEqual(planned.blobs, []);
  assert.deepEqual(planned.bytes, { total: 0, toCopy: 0, toReuse: 0 });
  assert.deepEqual(
    planned.manifests.map(({ action }) => action),
    ["keep"],
  );
});

test("the plan knows what the tenant's cache knows, and no other tenant's", async () => {
  await using api = await startTestApi({ tenants: { a: "key-a", b: "key-b" } });
  await using source = await startRegistry();
  await using destination = await startRegistry();
  source.put("app", "1", image);
  destination.put("elsewhere", "1", image);
  const cache = new RedisBlobInfoCache({ redis: api.redis, tenant: "a", onError: () => {} });
  for (const { digest, size } of [...image.layers, image.config])
    await cache.record({
      digest,
      size,
      at: { registry: destination.host, repository: "elsewhere" },
    });
  const ask = async (key: string) => {
    const body = {
      source: `docker://${source.host}/app:1`,
      destination: `docker://${destination.host}/app:1`,
      ...contexts,
    };
    const headers = { authorization: `Bearer ${key}` };
    return actions((await api.request<CopyPlan>("POST", "/v1/plans", { body, headers })).body);
  };
  assert.deepEqual(await ask("key-a"), ["layer mount", "layer mount", "config mount"]);
  assert.deepEqual(await ask("key-b"), ["layer copy", "layer copy", "config copy"]);
});

test("a plan that takes longer than the job may ends with `timeout`", async () => {
  await using api = await startTestApi();
  await using registry = await startRegistry();
  registry.put("app", "1", image);
  registry.fail("GET manifests", { stall: 0 });
  const answer = await api.request("POST", "/v1/plans", {
    body: {
      source: `docker://${registry.host}/app:1`,
      destination: `docker://${registry.host}/b:1`,
      timeoutSeconds: 1,
      ...contexts,
    },
  });
  assert.deepEqual([answer.status, problemIn(answer).code], [504, "timeout"]);
});

test("a body that is no job is refused as a job is", async () => {
  await using api = await startTestApi();
  for (const body of [
    undefined,
    "{",
    [],
    { source: "docker://a.example/b:1" },
    { source: "x", destination: "dir:../y", more: 1 },
    { source: "dir:a", destination: "dir:b", options: { instances: [], platforms: ["x"] } },
    { source: "dir:a", destination: "dir:b", sourceContext: { auth: { username: "u" } } },
    '{"source":"dir:a","destination":"dir:b","__proto__":{"polluted":1}}',
  ]) {
    const asked = body === undefined ? {} : { body };
    const [planned, ordered] = await Promise.all(
      ["/v1/plans", "/v1/jobs"].map(async (path) =>
        problemIn(await api.request("POST", path, asked)),
      ),
    );
    assert.deepEqual(planned, { ...ordered, instance: "/v1/plans" });
    assert.equal(planned?.status, 400);
  }
  assert.equal(Reflect.get({}, "polluted"), undefined);
});

test("credentials of both sides are used, and turn up nowhere", async () => {
  await using api = await startTestApi();
  const users = ["source", "destination"].map((side) => ({
    username: `m4rk3d-${side}`,
    password: `m4rk3d-${side}-password`,
  })) as [{ username: string; password: string }, { username: string; password: string }];
  await using source = await startRegistry({ auth: { kind: "bearer", ...users[0] } });
  await using destination = await startRegistry({ auth: { kind: "basic", ...users[1] } });
  source.put("app", "1", image);
  const ask = (auths: readonly object[]) =>
    api.request("POST", "/v1/plans", {
      body: {
        source: `docker://${source.host}/app:1`,
        destination: `docker://${destination.host}/app:1`,
        sourceContext: { ...insecure, auth: auths[0] },
        destinationContext: { ...insecure, auth: auths[1] },
      },
    });
  const answers = [
    await ask(users),
    await ask([users[1], users[1]]),
    await ask([users[0], users[0]]),
  ];
  assert.deepEqual(
    answers.map(({ status, body }) => [status, body["code"]]),
    [
      [200, undefined],
      [401, "source_unauthorized"],
      [401, "destination_unauthorized"],
    ],
  );
  const shown = answers.map(({ body, headers }) => [body, [...headers]]);
  const text = JSON.stringify([shown, api.log, await api.redis.keys("*")]);
  assert.ok(!text.includes("m4rk3d") && !text.includes(Buffer.from("m4rk3d").toString("base64")));
});
