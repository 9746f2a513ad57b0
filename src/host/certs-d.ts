// certs.d: a folder with one of its own for each host, of authorities to trust there and certificates to show there (semantics 8.3).

import { createHash, createPrivateKey, X509Certificate } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { Recent } from "../recent.ts";
import { stampOfFolder, Watched } from "./watched-file.ts";

/** A client certificate, perhaps with its chain, and its key; PEM. */
interface Pair {
  readonly cert: string;
  readonly key: string;
}

/** What the operator has for one host. The keys leave it only for OpenSSL: nothing that is written anywhere can hold them. */
export class HostCertificates {
  /** Differs whenever what is in the files differs. Tells nothing of it. */
  readonly fingerprint: string;
  readonly #host: string;
  readonly #authorities: readonly string[];
  readonly #pairs: readonly Pair[];

  /** `host`: its name, without the port. */
  constructor(host: string, authorities: readonly string[], pairs: readonly Pair[]) {
    this.#host = host;
    this.#authorities = authorities;
    this.#pairs = pairs;
    const all = JSON.stringify([host, authorities, pairs]);
    this.fingerprint = createHash("sha256").update(all).digest("hex");
  }

  /** The same for a connection to some host on its behalf: another host is not shown who we are. */
  for(hostname: string): HostCertificates {
    const isOwn = hostname === this.#host || this.#pairs.length === 0;
    return isOwn ? this : new HostCertificates(this.#host, this.#authorities, []);
  }

  /** For a secure context; `trusted` are the authorities that are trusted anyway. OpenSSL keeps one certificate of each type of key. */
  contextOptions(trusted: readonly string[]): SecureContextOptions {
    return {
      ca: [...trusted, ...this.#authorities],
      cert: this.#pairs.map(({ cert }) => cert),
      key: this.#pairs.map(({ key }) => key),
    };
  }
}

/**
 * Reads the folder of one host; undefined where there is none, or where it may not be read. Throws an Error that names the first file that
 * is wrong, in containers/image's words where it has any.
 */
export function readHostCertificates(folder: string, host: string): HostCertificates | undefined {
  const names = namesIn(folder);
  if (names === undefined) return undefined;
  const read = (name: string) => readPem(folder, name);
  const withSuffix = (suffix: string) => names.filter((name) => name.endsWith(suffix));
  for (const key of withSuffix(".key"))
    if (!names.includes(certificateOf(key)))
      throw new Error(`missing client certificate ${certificateOf(key)} for key ${key}`);
  const authorities = withSuffix(".crt").map((name) => checkAuthority(name, read(name)));
  const pairs = withSuffix(".cert").map((name): Pair => {
    const key = name.replace(/\.cert$/, ".key");
    if (!names.includes(key))
      throw new Error(
        `missing key ${key} for client certificate ${name}. Note that CA certificates should use the extension .crt`,
      );
    return checkPair(name, key, { cert: read(name), key: read(key) });
  });
  return authorities.length + pairs.length === 0
    ? undefined
    : new HostCertificates(host, authorities, pairs);
}

const certificateOf = (key: string): string => key.replace(/\.key$/, ".cert");

function namesIn(folder: string): readonly string[] | undefined {
  try {
    return readdirSync(folder).toSorted();
  } catch (error) {
    if (["ENOENT", "EACCES", "EPERM", "ENOTDIR"].includes(codeIn(error))) return undefined;
    throw new Error(`the folder cannot be read (${codeIn(error)})`, { cause: error });
  }
}

function readPem(folder: string, name: string): string {
  try {
    return readFileSync(join(folder, name), "utf8");
  } catch (error) {
    throw new Error(`${name} cannot be read (${codeIn(error)})`, { cause: error });
  }
}

function checkAuthority(name: string, pem: string): string {
  try {
    new X509Certificate(pem);
    return pem;
  } catch {
    throw new Error(`${name} is not a certificate in PEM`);
  }
}

/** What OpenSSL says of a key that it cannot read may quote it: it is not passed on. */
function checkPair(certName: string, keyName: string, pair: Pair): Pair {
  checkAuthority(certName, pair.cert);
  let fits: boolean;
  try {
    fits = new X509Certificate(pair.cert).checkPrivateKey(createPrivateKey(pair.key));
  } catch {
    throw new Error(`${keyName} is not a private key in PEM, without a passphrase`);
  }
  if (!fits) throw new Error(`${keyName} is not the key of ${certName}`);
  try {
    // A pair may fit and be too weak to be shown to anybody.
    createSecureContext(pair);
    return pair;
  } catch (error) {
    throw new Error(`${certName} and ${keyName} cannot be used (${codeIn(error)})`);
  }
}

const codeIn = (error: unknown): string =>
  error instanceof Error && "code" in error ? String(error.code) : "unknown error";

/** Hosts whose folders are remembered: clients choose them. */
const REMEMBERED = 1_000;

/** The folder as a whole. What is in it is read when a host is contacted for the first time, and again when it has changed. */
export class CertsDir {
  readonly #path: string;
  readonly #onFault: (error: unknown) => void;
  readonly #hosts = new Recent<Watched<HostCertificates | undefined>>(REMEMBERED);

  /** `onFault` hears of a change after which a host's folder cannot be used; what was in it before stays in force. */
  constructor(path: string, onFault: (error: unknown) => void) {
    this.#path = path;
    this.#onFault = onFault;
  }

  /**
   * What there is for a registry, `host[:port]` as references have it: `docker.io` for Docker Hub. Throws an Error where there is something
   * that cannot be used, and was not usable before.
   */
  of(registry: string): HostCertificates | undefined {
    const known = this.#hosts.get(registry);
    if (known !== undefined) return known.current;
    const watched = this.#watch(registry);
    this.#hosts.set(registry, watched);
    return watched.current;
  }

  #watch(registry: string): Watched<HostCertificates | undefined> {
    const folder = join(this.#path, registry);
    const host = registry === "docker.io" ? "registry-1.docker.io" : registry.replace(/:\d+$/, "");
    return new Watched({
      stamp: () => stampOfFolder(folder),
      load: () => readHostCertificates(folder, host),
      onFault: (error) => this.#onFault(new Error(`${folder}: ${messageOf(error)}`)),
    });
  }
}

/** All that is wrong in a certs.d, a line for each host; an empty list: nothing. */
export function faultsInCertsDir(path: string): readonly string[] {
  let hosts: readonly string[];
  try {
    hosts = readdirSync(path).toSorted();
  } catch (error) {
    return [`${path}, which cannot be read (${codeIn(error)})`];
  }
  return hosts.flatMap((host) => {
    try {
      readHostCertificates(join(path, host), host);
      return [];
    } catch (error) {
      return [`${join(path, host)}: ${messageOf(error)}`];
    }
  });
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
