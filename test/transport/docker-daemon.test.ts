import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { copyFile, readdir, readFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "../../src/image/digest.ts";
import { manifestDigest } from "../../src/image/manifest/manifest.ts";
import { SCHEMA2 } from "../../src/image/media-types.ts";
import { engineAddress } from "../../src/transport/docker-daemon/address.ts";
import { DockerEngine } from "../../src/transport/docker-daemon/engine.ts";
import { openSource } from "../../src/transport/open.ts";
import { parseReference } from "../../src/image/reference.ts";
import {
  destinationOf,
  makePlainImage,
  oldSave,
  put,
  read,
  sourceOf,
} from "../support/archives.ts";
import { startTestEngine } from "../support/docker-engine.ts";
import { accessTo, failure, filesBelow, makeDataDir, never } from "../support/folders.ts";
import { missing } from "../support/peers.ts";
import { memberOf } from "../support/raw-tar.ts";

const image = makePlainImage("a");
const saved = oldSave([{ image, tags: ["busybox:1"] }]);

/** A data folder, an engine, and the way to it. */
async function setUp() {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(await makeDataDir());
  const docker = stack.use(await startTestEngine());
  const engine = stack.use(new DockerEngine({ host: docker.host }));
  const owned = stack.move();
  return { dir, docker, more: { engine }, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test("an image is read out of the engine, by its name, its digest or its id", async (t) => {
  await using all = await setUp();
  const { dir, docker, more } = all;
  const digest = digestOf(Buffer.from("x"));
  for (const [which, asked] of [
    ["busybox:1", "docker.io/library/busybox:1"],
    [`one.example/app@${digest}`, `one.example/app@${digest}`],
    [digest, digest],
  ] as const)
    await t.test(which, async () => {
      docker.images.set(asked, saved);
      await using source = await sourceOf(dir.path, `docker-daemon:${which}`, more);
      assert.deepEqual(await read(source), image);
      // What the engine gave has no name on the disk, and is gone with the source.
      assert.deepEqual(await filesBelow(dir.path), []);
    });
});

test("an image is loaded as a whole at the commit, and nothing before", async () => {
  await using all = await setUp();
  const { dir, docker, more } = all;
  {
    await using destination = await destinationOf(dir.path, "docker-daemon:busybox:2", more);
    assert.equal(destination.traits.layers, "preserve");
    await put(destination, image);
    assert.deepEqual(docker.requests, []);
    await destination.commit(never);
  }
  assert.deepEqual(docker.requests, ["POST /images/load?quiet=1"]);
  const [archive = Buffer.alloc(0)] = docker.loaded;
  const [item] = JSON.parse(memberOf(archive, "manifest.json")?.toString() ?? "");
  assert.deepEqual(item.RepoTags, ["docker.io/library/busybox:2"]);
  assert.deepEqual(await readdir(join(dir.path, ".transship")), []);
  {
    await using destination = await destinationOf(dir.path, "docker-daemon:busybox:3", more);
    await put(destination, image);
  }
  assert.equal(docker.loaded.length, 1);
});

test("it is told what the engine has under the name", async () => {
  await using all = await setUp();
  const { dir, docker, more } = all;
  await using destination = await destinationOf(dir.path, "docker-daemon:busybox:1", more);
  assert.equal(await destination.findManifest(undefined, never), undefined);
  docker.images.set("docker.io/library/busybox:1", saved);
  assert.deepEqual(await destination.findManifest(undefined, never), {
    digest: manifestDigest(image.manifest),
    mediaType: SCHEMA2,
  });
});

test("what the engine says against an image is repeated", async (t) => {
  await using all = await setUp();
  const { dir, docker, more } = all;
  const load = async () => {
    await using destination = await destinationOf(dir.path, "docker-daemon:busybox:2", more);
    await put(destination, image);
    await destination.commit(never);
  };
  for (const [what, status, body, code, words] of [
    [
      "a line of its progress",
      200,
      '{"stream":"Loading"}\r\n{"errorDetail":{"message":"no space\\nleft"},"error":"x"}\r\n',
      "manifest_rejected",
      /no space left$/,
    ],
    [
      "a line of its progress, as containerd's store has it",
      200,
      '{"stream":"Loaded image: x\\n"}\r\n{"stream":"Error unpacking image x: wrong diff id\\n"}\r\n',
      "manifest_rejected",
      /Error unpacking image x: wrong diff id$/,
    ],
    ["a detail without words", 200, '{"errorDetail":{}}', "manifest_rejected", /does not say why/],
    ["a refusal", 500, '{"message":"broken pipe"}', "registry_unavailable", /500: broken pipe/],
    [
      "an answer that is no JSON",
      502,
      "<html>",
      "registry_unavailable",
      /answered 502;|answered 502$/,
    ],
  ] as const)
    await t.test(what, async () => {
      docker.answer = (request, response) => {
        request.resume().on("end", () => {
          response.statusCode = status;
          response.end(body);
        });
      };
      await assert.rejects(load, failure(code, words));
    });
});

test("an image that is not there, and an engine that is not there, are told apart", async () => {
  await using all = await setUp();
  const { dir, docker, more } = all;
  await assert.rejects(
    () => sourceOf(dir.path, "docker-daemon:busybox:1", more),
    failure("source_not_found", /No such image/),
  );
  docker.answer = (_, response) => response.writeHead(500).end('{"message":"oh"}');
  await assert.rejects(
    () => sourceOf(dir.path, "docker-daemon:busybox:1", more),
    failure("registry_unavailable", /500: oh/),
  );
  await using away = new DockerEngine({ host: `unix://${dir.path}/nobody.sock` });
  await assert.rejects(
    () => sourceOf(dir.path, "docker-daemon:busybox:1", { engine: away }),
    failure("registry_unavailable", /nobody\.sock.*does not answer \(ENOENT\).*/),
  );
  assert.deepEqual(await readdir(join(dir.path, ".transship")), []);
});

test("an answer that breaks off is the engine's failure", async () => {
  await using all = await setUp();
  const { dir, docker, more } = all;
  docker.answer = (_, response) => {
    response.writeHead(200, { "content-length": saved.length });
    response.write(saved.subarray(0, 1000), () => response.destroy());
  };
  await assert.rejects(
    () => sourceOf(dir.path, "docker-daemon:busybox:1", more),
    failure("registry_unavailable", /does not answer/),
  );
});

test(
  "an abort closes the connection, whichever way the bytes go",
  { timeout: 10_000 },
  async () => {
    await using all = await setUp();
    const { dir, docker, more } = all;
    const reason = new Error("enough");
    const asked = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    docker.answer = (request, response) => {
      response.on("close", closed.resolve);
      if (request.method === "GET") response.write(saved.subarray(0, 1000));
      asked.resolve();
    };
    const stop = new AbortController();
    const opening = openSource(
      parseReference("docker-daemon:busybox:1"),
      accessTo(dir.path, "source", more),
      stop.signal,
    );
    await asked.promise;
    stop.abort(reason);
    await assert.rejects(opening, reason);
    await closed.promise;

    const sent = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    docker.answer = (_, response) => {
      response.on("close", gone.resolve);
      sent.resolve();
    };
    const end = new AbortController();
    await using destination = await destinationOf(dir.path, "docker-daemon:busybox:2", more);
    await put(destination, image);
    const committing = destination.commit(end.signal);
    await sent.promise;
    end.abort(reason);
    await assert.rejects(committing, reason);
    await gone.promise;
  },
);

test("DOCKER_HOST is a socket, this machine, or another one over TLS", async (t) => {
  const address = (host: string | undefined, certPath?: string) =>
    engineAddress({ host, ...(certPath !== undefined && { certPath }) });
  for (const [host, expected] of [
    [
      "unix:///var/run/docker.sock",
      { origin: "http://docker", socketPath: "/var/run/docker.sock", tls: false },
    ],
    ["tcp://127.0.0.1:2375", { origin: "http://127.0.0.1:2375", tls: false }],
    ["tcp://localhost:2375", { origin: "http://localhost:2375", tls: false }],
    ["tcp://[::1]:2375", { origin: "http://[::1]:2375", tls: false }],
  ] as const)
    await t.test(host, () => assert.deepEqual(address(host), expected));
  assert.deepEqual(address("tcp://docker.example:2376", "/certs"), {
    origin: "https://docker.example:2376",
    tls: true,
  });
  assert.equal("reason" in address("tcp://docker.example:2375"), true);
  assert.equal("reason" in address(undefined), true);
  for (const host of [
    "ssh://a",
    "unix://",
    "tcp://",
    "tcp://a",
    "tcp://a:1/x",
    "tcp://u@a:1",
    "a",
    "",
  ])
    await t.test(`${host} is refused`, () =>
      assert.equal("reason" in address(host, "/certs"), true),
    );
  await using dir = await makeDataDir();
  await using none = new DockerEngine({ host: undefined });
  await assert.rejects(
    () => sourceOf(dir.path, "docker-daemon:busybox:1", { engine: none }),
    failure("host_denied", /DOCKER_HOST is not set/),
  );
  await using engine = new DockerEngine({ host: "tcp://127.0.0.1:1", certPath: dir.path });
  await assert.rejects(
    () => sourceOf(dir.path, "docker-daemon:busybox:1", { engine }),
    failure("registry_unavailable", /DOCKER_CERT_PATH/),
  );
});

test(
  "an engine elsewhere is asked over TLS, and shown who asks",
  { skip: missing("openssl") },
  async () => {
    await using dir = await makeDataDir();
    const at = (name: string) => join(dir.base, name);
    // One certificate for both sides, which is its own authority.
    const words =
      "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1";
    execFileSync(
      "openssl",
      words.split(" ").concat("-keyout", at("key.pem"), "-out", at("cert.pem")),
    );
    await copyFile(at("cert.pem"), at("ca.pem"));
    const [key, cert] = await Promise.all([readFile(at("key.pem")), readFile(at("cert.pem"))]);
    const server = createServer({ key, cert, ca: cert, requestCert: true }, (_, response) => {
      response.end(saved);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const host = `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      await using engine = new DockerEngine({ host, certPath: dir.base });
      await using source = await sourceOf(dir.path, "docker-daemon:busybox:1", { engine });
      assert.deepEqual(await read(source), image);
      await using plainly = new DockerEngine({ host });
      await assert.rejects(
        () => sourceOf(dir.path, "docker-daemon:busybox:1", { engine: plainly }),
        failure("registry_unavailable"),
      );
    } finally {
      server.closeAllConnections();
      server.close();
    }
  },
);
