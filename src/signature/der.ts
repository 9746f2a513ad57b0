// What Node's X509Certificate does not tell: a certificate's extensions (RFC 5280, section 4.2), read from its DER.

/** One value; `body` is what is in it. */
interface Value {
  readonly tag: number;
  readonly body: Buffer;
}

export interface Extension {
  readonly critical: boolean;
  readonly value: Buffer;
}

/** By their OIDs. Throws an Error where the certificate is damaged, or has one twice. */
export function extensionsOf(certificate: Buffer): ReadonlyMap<string, Extension> {
  const [signed] = valuesIn(only(certificate, SEQUENCE));
  const wrapped = valuesIn(expect(signed, SEQUENCE)).find(({ tag }) => tag === EXTENSIONS);
  const extensions = new Map<string, Extension>();
  if (wrapped === undefined) return extensions;
  for (const each of valuesIn(only(wrapped.body, SEQUENCE))) {
    const [id, ...rest] = valuesIn(expect(each, SEQUENCE));
    const oid = oidOf(expect(id, OID));
    if (extensions.has(oid)) throw new Error(`a certificate has the extension ${oid} twice`);
    const critical = rest[0]?.tag === BOOLEAN && rest[0].body[0] !== 0;
    extensions.set(oid, { critical, value: expect(rest.at(-1), OCTETS) });
  }
  return extensions;
}

/** The mail addresses among the alternative names. */
export const emailsIn = (alternativeNames: Buffer): readonly string[] =>
  valuesIn(only(alternativeNames, SEQUENCE))
    .filter(({ tag }) => tag === EMAIL)
    .map(({ body }) => body.toString("latin1"));

/** How many authorities may come below this one; undefined: any number. */
export function pathLengthIn(basicConstraints: Buffer): number | undefined {
  const number = valuesIn(only(basicConstraints, SEQUENCE)).find(({ tag }) => tag === INTEGER);
  if (number === undefined) return undefined;
  if (number.body.length !== 1) throw new Error("a path length is out of bounds");
  return number.body.readInt8();
}

/** The text of a value that is a UTF8String and nothing more. */
export const utf8In = (value: Buffer): string =>
  new TextDecoder("utf-8", { fatal: true }).decode(only(value, UTF8));

const BOOLEAN = 0x01;
const INTEGER = 0x02;
const OCTETS = 0x04;
const OID = 0x06;
const UTF8 = 0x0c;
const SEQUENCE = 0x30;
/** `[3]` of TBSCertificate. */
const EXTENSIONS = 0xa3;
/** `[1]` of GeneralName. */
const EMAIL = 0x81;

function only(bytes: Buffer, tag: number): Buffer {
  const [value, ...others] = valuesIn(bytes);
  if (others.length > 0) throw new Error("something comes after an ASN.1 value");
  return expect(value, tag);
}

function expect(value: Value | undefined, tag: number): Buffer {
  if (value?.tag !== tag) throw new Error("an ASN.1 value is not of the type that it must be");
  return value.body;
}

function valuesIn(bytes: Buffer): readonly Value[] {
  const values: Value[] = [];
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at + 1] ?? 0x80;
    const more = first < 0x80 ? 0 : first & 0x7f;
    const start = at + 2 + more;
    if (first === 0x80 || more > 4 || start > bytes.length) throw new Error("ASN.1 is damaged");
    const length = more === 0 ? first : bytes.readUIntBE(at + 2, more);
    if (start + length > bytes.length) throw new Error("ASN.1 is cut short");
    values.push({ tag: bytes[at] ?? 0, body: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return values;
}

function oidOf(body: Buffer): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of body) {
    arc = arc * 128 + (byte & 0x7f);
    if (byte < 0x80) [arc] = [(arcs.push(arc), 0)];
  }
  const [first = 0, ...rest] = arcs;
  const top = Math.min(Math.floor(first / 40), 2);
  return [top, first - top * 40, ...rest].join(".");
}
