// What /v1/inspect and /v1/tags tell is what `skopeo inspect` and `skopeo list-tags` tell, field by field.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { promisify } from "node:util";
import type { Inspection, Tags } from "../../src/api/lookup-schemas.ts";
import { startTestApi, type TestApi } from "../support/api.ts";
import { makeDataDir } from "../support/folders.ts";
import { makeImage, makeList } from "../support/images.ts";
import { missing, startDockerRegistry } from "../support/peers.ts";
import { startRegistry } from "../support/registry.ts";

const skip = missing("skopeo", "docker-registry");
const insecure = { tlsVerify: false };
const PLATFORMS = [
  { os: "linux", architecture: "amd64" },
  { os: "linux", architecture: "arm64", variant: "v8" },
  { os: "linux", architecture: "arm", variant: "v7" },
] as const;
/** From a config that says everything to one that says next to nothing. */
const CONFIGS: readonly object[] = [
  {
    created: "2024-05-06T07:08:09.120000000+02:00",
    author: "somebody",
    docker_version: "27.1",
    config: { Env: ["PATH=/bin", "A=b=c"], Labels: { version: "1", é: "ü" }, Cmd: ["a"] },
  },
  { created: "2024-01-01T00:00:00.000000001Z", config: { Env: [], Labels: {} } },
  { created: undefined, config: undefined },
];

const run = async (...args: readonly string[]): Promise<string> =>
  (await promisify(execFile)("skopeo", ["--insecure-policy", ...args])).stdout;

interface SkopeoInspection {
  readonly Name?: string;
  readonly Created?: string;
  readonly RepoTags: readonly string[];
  readonly LayersData?: readonly object[];
}

/** Our answer in skopeo's words; what it leaves out, or has no word for, is left out. */
function inItsWords({ digest, layers, config }: Inspection, theirs: SkopeoInspection): object {
  const orNull = <T extends object>(value: T | undefined) =>
    value !== undefined && Object.keys(value).length > 0 ? value : null;
  return {
    ...(theirs.Name !== undefined && { Name: theirs.Name }),
    Digest: digest,
    RepoTags: theirs.RepoTags,
    Created: config?.created ?? null,
    DockerVersion: config?.dockerVersion ?? "",
    Labels: orNull(config?.labels),
    Architecture: config?.architecture ?? "",
    Os: config?.os ?? "",
    Layers: layers.map((layer) => layer.digest),
    // Debian's skopeo does not tell it yet.
    ...(theirs.LayersData !== undefined && {
      LayersData: layers.map((layer) => ({
        MIMEType: layer.mediaType ?? "",
        Digest: layer.digest,
        Size: layer.size ?? -1,
        Annotations: orNull(layer.annotations),
      })),
    }),
    Env: orNull(config?.env),
  };
}

/** To it a docker image without a time is from the year 1; an empty list or object means the same as none. */
const withoutEmpty = ({ Created, ...rest }: { readonly Created?: string }): object => ({
  Created: Created?.startsWith("0001-") === true ? null : Created,
  ...Object.fromEntries(
    Object.entries(rest).map(([key, field]: [string, unknown]) => {
      const isEmpty = typeof field === "object" && Object.keys(field ?? {}).length === 0;
      return [key, isEmpty && key !== "RepoTags" ? null : field];
    }),
  ),
});

async function assertSame(
  api: TestApi,
  ours: string,
  theirs: string,
  platform: { os: string; architecture: string } = PLATFORMS[0],
): Promise<void> {
  const { os, architecture } = platform;
  const choice = ["--override-os", os, "--override-arch", architecture];
  const flags = theirs.startsWith("docker:") ? ["--tls-verify=false"] : [];
  const text = await run(...choice, "inspect", ...flags, theirs);
  const expected = JSON.parse(text) as SkopeoInspection;
  const context = { os, architecture, ...(flags.length > 0 && insecure) };
  const { status, body } = await api.request<Inspection>("POST", "/v1/inspect", {
    body: { reference: ours, context },
  });
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual(inItsWords(body, expected), withoutEmpty(expected), `${ours} ${architecture}`);
  const raw = await api.request<string>("POST", "/v1/inspect", {
    body: { reference: ours, context, raw: true },
  });
  const bytes = typeof raw.body === "string" ? raw.body : JSON.stringify(raw.body);
  assert.equal(bytes, await run("inspect", "--raw", ...flags, theirs));
}

test("images and lists are told as skopeo tells them, wherever they are", { skip }, async () => {
  await using data = await makeDataDir();
  await using api = await startTestApi({ dataDir: data.path });
  await using registry = await startDockerRegistry();
  await using origin = await startRegistry();
  const local = (reference: string) => reference.replace(":", `:${data.path}/`);
  for (const mediaTypes of ["oci", "docker"] as const)
    for (const [i, config] of CONFIGS.entries()) {
      const name = `${mediaTypes}-${i}`;
      const image = makeImage({ mediaTypes, config, seed: name });
      const list = makeList(
        PLATFORMS.map((platform) => makeImage({ mediaTypes, platform, config, seed: name })),
        mediaTypes,
      );
      for (const [kind, content] of [
        ["image", image],
        ["list", list],
      ] as const) {
        origin.put(name, kind, content);
        const there = `docker://${registry.host}/${name}:${kind}`;
        const copy = (to: string, ...flags: readonly string[]) =>
          run(
            "copy",
            "--all",
            "--src-tls-verify=false",
            ...flags,
            `docker://${origin.host}/${name}:${kind}`,
            to,
          );
        await copy(there, "--dest-tls-verify=false");
        for (const platform of kind === "image" ? PLATFORMS.slice(0, 1) : PLATFORMS)
          await assertSame(api, there, there, platform);
        const kept = `dir:${name}-${kind}`;
        await copy(local(kept));
        await assertSame(api, kept, local(kept));
        if (mediaTypes === "docker") continue;
        const laid = `oci:layout-${name}:${kind}`;
        await copy(local(laid));
        await assertSame(api, laid, local(laid));
      }
    }
});

test("a docker schema 1 image is told as skopeo tells it", { skip }, async () => {
  await using data = await makeDataDir();
  await using api = await startTestApi({ dataDir: data.path });
  await using origin = await startRegistry();
  for (const [i, config] of CONFIGS.entries()) {
    origin.put("app", `${i}`, makeImage({ mediaTypes: "docker", config, seed: `schema1 ${i}` }));
    const from = `docker://${origin.host}/app:${i}`;
    const to = `dir:${data.path}/schema1-${i}`;
    await run("copy", "--src-tls-verify=false", "--format", "v2s1", from, to);
    await assertSame(api, `dir:schema1-${i}`, to);
  }
});

test("tags are listed as skopeo lists them", { skip }, async () => {
  await using api = await startTestApi();
  await using registry = await startDockerRegistry();
  await using origin = await startRegistry();
  const image = makeImage();
  const from = `docker://${origin.host}/app:1`;
  origin.put("app", "1", image);
  for (const tag of ["latest", "1.0", "V2_x", "a-b.c"]) {
    const to = `docker://${registry.host}/team/app:${tag}`;
    await run("copy", "--src-tls-verify=false", "--dest-tls-verify=false", from, to);
  }
  const reference = `docker://${registry.host}/team/app`;
  const { body } = await api.request<Tags>("POST", "/v1/tags", {
    body: { reference, context: insecure },
  });
  const listed = JSON.parse(await run("list-tags", "--tls-verify=false", reference));
  assert.deepEqual({ Repository: body.repository, Tags: body.tags }, listed);
});

test("the comparison sees a difference", { skip }, async () => {
  await using data = await makeDataDir();
  await using api = await startTestApi({ dataDir: data.path });
  await using origin = await startRegistry();
  origin.put("app", "1", makeImage());
  origin.put("app", "2", makeImage({ config: { docker_version: "1" } }));
  for (const tag of ["1", "2"])
    await run(
      "copy",
      "--src-tls-verify=false",
      `docker://${origin.host}/app:${tag}`,
      `dir:${data.path}/${tag}`,
    );
  await assertSame(api, "dir:1", `dir:${data.path}/1`);
  await assert.rejects(assertSame(api, "dir:1", `dir:${data.path}/2`), assert.AssertionError);
});
