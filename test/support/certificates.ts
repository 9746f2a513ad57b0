// Authorities, signers' certificates and Rekor's promises, made on the spot: DER by hand, for Node only reads it.

import {
  createHash,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
  type KeyObject,
} from "node:crypto";

export interface Pair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

export const makePair = (): Pair => generateKeyPairSync("ec", { namedCurve: "P-256" });

const DAY = 24 * 60 * 60 * 1000;

export interface Wish {
  readonly subject?: string;
  readonly from?: Date;
  readonly to?: Date;
  /** An authority; how many may come below it. */
  readonly authority?: boolean;
  readonly pathLength?: number;
  readonly email?: string;
  readonly hostname?: string;
  /** OIDs of the extended key usage; absent: no such extension. */
  readonly usages?: readonly string[];
  /** By OID. */
  readonly extensions?: readonly {
    readonly oid: string;
    readonly value: Buffer;
    readonly critical?: boolean;
  }[];
}

export interface Issued extends Pair {
  readonly certificate: X509Certificate;
  readonly pem: string;
}

export const CODE_SIGNING = "1.3.6.1.5.5.7.3.3";
export const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";

/** A certificate by an issuer, or by itself. */
export function issue(wish: Wish, issuer?: Issued, keys: Pair = makePair()): Issued {
  const {
    subject = "a test",
    from = new Date(Date.now() - DAY),
    to = new Date(Date.now() + DAY),
  } = wish;
  const issuerName = issuer === undefined ? name(subject) : subjectOf(issuer.certificate);
  const tbs = sequence(
    tagged(0xa0, tagged(0x02, Buffer.from([2]))),
    tagged(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA,
    issuerName,
    sequence(time(from), time(to)),
    name(subject),
    keys.publicKey.export({ type: "spki", format: "der" }),
    tagged(0xa3, sequence(...extensionsOf(wish))),
  );
  const signature = sign("sha256", tbs, (issuer ?? keys).privateKey);
  const der = sequence(tbs, ECDSA, bits(signature));
  const pem = pemOf("CERTIFICATE", der);
  return { ...keys, certificate: new X509Certificate(der), pem };
}

/** The certificate's subject, as its DER has it. */
const subjectOf = ({ subject }: X509Certificate): Buffer => name(subject.replace(/^CN=/, ""));

function extensionsOf(wish: Wish): readonly Buffer[] {
  const { authority = false, pathLength, email, hostname, usages, extensions = [] } = wish;
  const constraints = authority
    ? sequence(
        tagged(0x01, Buffer.from([0xff])),
        ...(pathLength === undefined ? [] : [tagged(0x02, Buffer.from([pathLength]))]),
      )
    : sequence();
  const names = [
    ...(email === undefined ? [] : [tagged(0x81, Buffer.from(email))]),
    ...(hostname === undefined ? [] : [tagged(0x82, Buffer.from(hostname))]),
  ];
  return [
    extension("2.5.29.19", constraints, true),
    ...(names.length === 0 ? [] : [extension("2.5.29.17", sequence(...names), true)]),
    ...(usages === undefined ? [] : [extension("2.5.29.37", sequence(...usages.map(oid)))]),
    ...extensions.map((each) => extension(each.oid, each.value, each.critical)),
  ];
}

const extension = (id: string, value: Buffer, critical = false): Buffer =>
  sequence(oid(id), ...(critical ? [tagged(0x01, Buffer.from([0xff]))] : []), tagged(0x04, value));

export function tagged(tag: number, body: Buffer): Buffer {
  const { length } = body;
  const size =
    length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), body]);
}

const sequence = (...parts: readonly Buffer[]): Buffer => tagged(0x30, Buffer.concat(parts));
const bits = (bytes: Buffer): Buffer => tagged(0x03, Buffer.concat([Buffer.from([0]), bytes]));
const name = (text: string): Buffer =>
  sequence(tagged(0x31, sequence(oid("2.5.4.3"), tagged(0x0c, Buffer.from(text)))));
const time = (date: Date): Buffer =>
  tagged(0x18, Buffer.from(`${date.toISOString().replace(/[-:T]|\.\d+/g, "")}`));

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const parts = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      parts.unshift(128 + (left % 128));
    return parts;
  });
  return tagged(0x06, Buffer.from(bytes));
}

/** ECDSA over SHA-256. */
const ECDSA = sequence(oid("1.2.840.10045.4.3.2"));

const pemOf = (label: string, der: Buffer): string =>
  `-----BEGIN ${label}-----\n${der.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END ${label}-----\n`;

export const publicPem = ({ publicKey }: Pair): string =>
  publicKey.export({ type: "spki", format: "pem" }) as string;

/** A log entry, as far as tests spoil it. */
interface Entry {
  readonly kind: string;
  readonly apiVersion: string;
  readonly spec: { readonly data: object; readonly signature: object };
}

/** A Rekor SET, as cosign keeps it: who signed what, and when it was logged. `change` may spoil what is signed, or what is sent. */
export function makeSet(
  rekor: Pair,
  entry: { readonly signer: string; readonly signature: Buffer; readonly payload: Buffer },
  more: {
    readonly seconds?: number;
    readonly body?: (body: Entry) => unknown;
    readonly signed?: (payload: Record<string, unknown>) => unknown;
    readonly sent?: (set: {
      readonly SignedEntryTimestamp: string;
      readonly Payload: unknown;
    }) => unknown;
  } = {},
): string {
  const same = (value: unknown): unknown => value;
  const { body: spoilBody = same, signed: spoilSigned = same, sent = same } = more;
  const base64 = (bytes: Buffer | string) => Buffer.from(bytes).toString("base64");
  const body = spoilBody({
    apiVersion: "0.0.1",
    kind: "hashedrekord",
    spec: {
      data: {
        hash: {
          algorithm: "sha256",
          value: createHash("sha256").update(entry.payload).digest("hex"),
        },
      },
      signature: { content: base64(entry.signature), publicKey: { content: base64(entry.signer) } },
    },
  });
  const payload = spoilSigned({
    body: base64(JSON.stringify(body)),
    integratedTime: more.seconds ?? Math.floor(Date.now() / 1000),
    logID: "c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d",
    logIndex: 1,
  });
  const timestamp = sign("sha256", Buffer.from(JSON.stringify(payload)), rekor.privateKey);
  return JSON.stringify(sent({ SignedEntryTimestamp: base64(timestamp), Payload: payload }));
}
