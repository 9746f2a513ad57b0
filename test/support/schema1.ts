// Docker schema 1 images for tests, signed as docker's registry signed them (libtrust's JWS).

import { createHash, generateKeyPairSync, sign, type KeyObject } from "node:crypto";
import { digestOf, hexOf, type Digest } from "../../src/image/digest.ts";
import { SCHEMA1, SCHEMA1_SIGNED } from "../../src/image/media-types.ts";
import { makePackedLayer } from "./layers.ts";
import type { Sample } from "./samples.ts";

/** The layer of a line of history that changed no file: a gzipped tar of nothing. */
const EMPTY = Buffer.from(
  "1f8b080000096e8800ff621805a360148c5800080000ffff2eafb5ef00040000",
  "hex",
);

export interface Schema1Options {
  readonly seed: string;
  readonly signed: boolean;
  /** What the manifest says that it is called. */
  readonly name: string;
  readonly tag: string;
}

/** Two layers, and one line of history between them that changed nothing. */
export function makeSchema1(options: Schema1Options): Sample {
  const bottom = makePackedLayer(`${options.seed}/0`, "gzip").bytes;
  const top = makePackedLayer(`${options.seed}/1`, "gzip").bytes;
  const blobs = [bottom, EMPTY, top];
  const digests = blobs.map((bytes) => digestOf(bytes));
  const unsigned = Buffer.from(
    JSON.stringify(
      {
        schemaVersion: 1,
        name: options.name,
        tag: options.tag,
        architecture: "amd64",
        // The top comes first.
        fsLayers: digests.map((blobSum) => ({ blobSum })).toReversed(),
        history: historyOf(options.seed, digests).toReversed(),
      },
      undefined,
      3,
    ),
  );
  return {
    root: options.signed
      ? { mediaType: SCHEMA1_SIGNED, bytes: signed(unsigned) }
      : { mediaType: SCHEMA1, bytes: unsigned },
    manifests: new Map(),
    blobs: new Map(blobs.map((bytes, i) => [digests[i] as Digest, bytes])),
    signatures: new Map(),
  };
}

function historyOf(seed: string, digests: readonly Digest[]): { v1Compatibility: string }[] {
  const ids = digests.map((digest, i) => hexOf(digestOf(Buffer.from(`${seed} ${i} ${digest}`))));
  return digests.map((_, i) => {
    const top = i === digests.length - 1;
    const line = {
      id: ids[i],
      ...(i > 0 && { parent: ids[i - 1] }),
      created: `2015-01-01T00:00:0${i}Z`,
      container_config: { Cmd: ["/bin/sh", "-c", `#(nop) line ${i}`] },
      ...(i === 1 && { throwaway: true }),
      ...(top && {
        docker_version: "1.9.1",
        config: { Hostname: "build", Env: ["A=1"], Cmd: ["/bin/true"], Labels: { seed } },
        architecture: "amd64",
        os: "linux",
      }),
    };
    return { v1Compatibility: JSON.stringify(line) };
  });
}

let key: { readonly privateKey: KeyObject; readonly publicKey: KeyObject } | undefined;

/** The document with a signature over it, put in before its last brace. */
function signed(document: Buffer): Buffer {
  key ??= generateKeyPairSync("ec", { namedCurve: "P-256" });
  const text = document.toString();
  const end = text.lastIndexOf("\n}");
  const head = text.slice(0, end);
  const base64 = (bytes: Buffer | string) => Buffer.from(bytes).toString("base64url");
  const protectedPart = base64(
    JSON.stringify({
      formatLength: Buffer.byteLength(head),
      formatTail: base64(text.slice(end)),
      time: "2015-01-01T00:00:00Z",
    }),
  );
  const signature = sign("sha256", Buffer.from(`${protectedPart}.${base64(document)}`), {
    key: key.privateKey,
    dsaEncoding: "ieee-p1363",
  });
  const { crv, kty, x, y } = key.publicKey.export({ format: "jwk" });
  const signatures = [
    {
      header: { jwk: { crv, kid: keyId(key.publicKey), kty, x, y }, alg: "ES256" },
      signature: base64(signature),
      protected: protectedPart,
    },
  ];
  return Buffer.from(`${head},\n   "signatures": ${JSON.stringify(signatures)}${text.slice(end)}`);
}

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** libtrust's name of a key: 240 bits of its digest, in base32, in groups of four. */
function keyId(publicKey: KeyObject): string {
  const hash = createHash("sha256")
    .update(publicKey.export({ format: "der", type: "spki" }))
    .digest()
    .subarray(0, 30);
  const bits = Array.from(hash, (byte) => byte.toString(2).padStart(8, "0")).join("");
  const letters = Array.from(bits.match(/.{5}/g) ?? [], (five) => ALPHABET[parseInt(five, 2)]);
  return (letters.join("").match(/.{4}/g) ?? []).join(":");
}

/** What a schema 1 document's digest covers: all but its signatures. */
export function schema1Payload(document: Buffer): Buffer {
  const { signatures } = JSON.parse(document.toString()) as {
    signatures?: readonly { readonly protected: string }[];
  };
  const [first] = signatures ?? [];
  if (first === undefined) return document;
  const { formatLength, formatTail } = JSON.parse(
    Buffer.from(first.protected, "base64url").toString(),
  ) as { formatLength: number; formatTail: string };
  return Buffer.concat([document.subarray(0, formatLength), Buffer.from(formatTail, "base64url")]);
}
