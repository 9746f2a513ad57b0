// Certificates that are made for a test, with openssl.

import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** PEM. */
export interface Certificates {
  readonly ca: string;
  /** For the loopback names. */
  readonly key: string;
  readonly cert: string;
  /** For whoever shows it. */
  readonly clientKey: string;
  readonly clientCert: string;
}

/** A private authority, and certificates of it for a server and a client, in files of the folder too. Throws where there is no openssl. */
export async function makeCertificates(dir: string): Promise<Certificates> {
  const request = async (name: string, subject: string, ...more: string[]) => {
    const made = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    const out = ["-keyout", join(dir, `${name}.key`), "-out", join(dir, `${name}.pem`)];
    await run("openssl", ["req", "-x509", ...made, "-subj", `/CN=${subject}`, ...more, ...out]);
    const read = (end: string) => readFile(join(dir, `${name}.${end}`), "utf8");
    return { key: await read("key"), cert: await read("pem") };
  };
  const constraint = (is: boolean) => [
    "-addext",
    `basicConstraints=critical,CA:${is ? "TRUE" : "FALSE"}`,
  ];
  const authority = await request("ca", "test authority", ...constraint(true));
  const signed = [...constraint(false), "-CA", join(dir, "ca.pem"), "-CAkey", join(dir, "ca.key")];
  const names = ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"];
  const server = await request("server", "localhost", ...signed, ...names);
  const client = await request("client", "a client", ...signed);
  return { ca: authority.cert, ...server, clientKey: client.key, clientCert: client.cert };
}
