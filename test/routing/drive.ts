// One case, by us or by skopeo, against a registry of its own: what has its sentinel seen?

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Destination } from "../../src/copy/interfaces.ts";
import type { AccessContext } from "../../src/transport/access.ts";
import { Registries } from "../../src/transport/docker/registries.ts";
import { listDockerTags } from "../../src/transport/docker/tags.ts";
import { parseDockerReference } from "../../src/image/reference/docker.ts";
import { LOOPBACK_TOO } from "../support/egress.ts";
import { makeImage } from "../support/images.ts";
import { startRegistry, type TestRegistry } from "../support/registry.ts";
import {
  never,
  openDestination,
  openSource,
  putImage,
  readBlob,
  streamOf,
} from "../transport/docker-setup.ts";
import { authOf, SECRETS, type Case } from "./cases.ts";
import { secretsIn, Sentinel } from "./sentinel.ts";

const run = promisify(execFile);
const image = makeImage({ layers: [2_000], seed: "routing" });
const layer = image.layers[0]!;

export interface Seen {
  /** Requests that came to the sentinel. */
  readonly requests: number;
  /** What they showed. */
  readonly secrets: readonly string[];
  /** What the registry itself was shown, and its own token service: the control that there was something to be shown. */
  readonly atHome: readonly string[];
  /** What failed, in words that are told to the user. */
  readonly told: string;
}

export const asUs = (c: Case): Promise<Seen> => watch(c, drive);
export const asSkopeo = (c: Case): Promise<Seen> => watch(c, driveSkopeo);

interface Stage {
  readonly registry: TestRegistry;
  readonly sentinel: Sentinel;
  /** A folder of this case's own. */
  readonly dir: string;
}

type Driver = (c: Case, stage: Stage) => Promise<readonly PromiseSettledResult<unknown>[]>;

async function watch(c: Case, driver: Driver): Promise<Seen> {
  const dir = await mkdtemp(join(tmpdir(), "transship-routing-"));
  try {
    await using sentinel = await Sentinel.start(c.asks, c.host);
    await using registry = await startRegistry({ auth: authOf(c, sentinel) });
    registry.put("a", "v1", image);
    c.prepare?.(registry, sentinel);
    const outcomes = await driver(c, { registry, sentinel, dir });
    const failures = outcomes.filter((outcome) => outcome.status === "rejected");
    return {
      requests: sentinel.shown.length,
      secrets: distinct(sentinel.shown.flatMap((shown) => secretsIn(shown, SECRETS))),
      atHome: distinct(registry.requests.flatMap((request) => secretsIn(request, SECRETS))),
      told: failures.map(({ reason }) => String(reason)).join("\n"),
    };
  } finally {
    await rm(dir, { recursive: true });
  }
}

const distinct = (words: readonly string[]): readonly string[] => [...new Set(words)];

function credentialsOf({ kind }: Case): NonNullable<AccessContext["credentials"]> {
  const { username, password, identityToken, registryToken } = SECRETS;
  if (kind === "identityToken") return { identityToken };
  return kind === "registryToken" ? { registryToken } : { username, password };
}

const drive: Driver = async (c, { registry, sentinel, dir }) => {
  const registriesConf = join(dir, "registries.conf");
  const mirror = `[[registry.mirror]]\nlocation = "${sentinel.host}/m"\ninsecure = true`;
  await writeFile(
    registriesConf,
    `[[registry]]\nlocation = "${registry.host}"\n${c.act === "mirror" ? mirror : ""}`,
  );
  await using registries = new Registries(
    LOOPBACK_TOO,
    { breakMs: 1, retryMs: 1 },
    { registriesConf },
  );
  const access = { registries, credentials: credentialsOf(c) };
  const settle = (...acts: readonly (() => Promise<unknown>)[]) => inTurn(acts);
  if (c.act === "tags") {
    const reference = parseDockerReference(`${registry.host}/a`, "");
    const whole = { side: "source", tlsVerify: false, ...access } as unknown as AccessContext;
    return await settle(() => listDockerTags(reference, whole, never));
  }
  if (c.act === "push" || c.act === "patch") {
    await using destination = await openDestination(`${registry.host}/to:v1`, access);
    return await settle(...(c.act === "push" ? pushing(destination) : patching(destination)));
  }
  return await settle(async () => {
    await using source = await openSource(`${registry.host}/a:v1`, access);
    if (c.act === "referrers") return await source.getReferrers(image.digest, never);
    const read = () => source.getManifest(undefined, never);
    if (c.act !== "foreign")
      return await inTurn([read, () => readBlob(source, layer)]).then(failIfAny);
    await read();
    registry.fail("GET blobs", { status: 404 });
    return await readBlob(source, { ...layer, urls: [`${sentinel.url}/layer`] });
  });
};

const pushing = (destination: Destination) => [
  () => destination.findManifest(undefined, never),
  () => destination.findBlob(layer, never),
  () => putImage(destination, image),
];

/** The digest is what the registry is told last. */
const patching = (destination: Destination) => [
  () =>
    destination.putBlob({ ...streamOf(image, layer), info: { mediaType: layer.mediaType } }, never),
];

/** One after the other, whatever comes of them. */
async function inTurn(
  acts: readonly (() => Promise<unknown>)[],
): Promise<readonly PromiseSettledResult<unknown>[]> {
  const outcomes: PromiseSettledResult<unknown>[] = [];
  for (const act of acts) outcomes.push(...(await Promise.allSettled([act()])));
  return outcomes;
}

function failIfAny(outcomes: readonly PromiseSettledResult<unknown>[]): void {
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

const driveSkopeo: Driver = async (c, { registry, dir }) => {
  const { username, identityToken } = SECRETS;
  const authFile = join(dir, "auth.json");
  const entry = {
    auth: Buffer.from(`${username}:${c.kind === "identityToken" ? "" : SECRETS.password}`).toString(
      "base64",
    ),
    ...(c.kind === "identityToken" && { identitytoken: identityToken }),
  };
  await writeFile(authFile, JSON.stringify({ auths: { [registry.host]: entry } }));
  const there = `docker://${registry.host}`;
  const policy = ["--insecure-policy"];
  const tls = (side: string) => `--${side}tls-verify=false`;
  if (c.act === "tags")
    return inTurn([
      () => run("skopeo", ["list-tags", tls(""), "--authfile", authFile, `${there}/a`]),
    ]);
  if (c.act === "pull")
    return inTurn([
      () =>
        run("skopeo", [
          ...policy,
          "copy",
          tls("src-"),
          "--src-authfile",
          authFile,
          `${there}/a:v1`,
          `dir:${dir}/out`,
        ]),
    ]);
  await using open = await startRegistry();
  open.put("a", "v1", image);
  return await inTurn([
    () =>
      run("skopeo", [
        ...policy,
        "copy",
        tls("src-"),
        tls("dest-"),
        "--dest-authfile",
        authFile,
        `docker://${open.host}/a:v1`,
        `${there}/to:v1`,
      ]),
  ]);
};
