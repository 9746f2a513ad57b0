// The files that settings name: read, and what is wrong with them told as the fault of the setting.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseAuthFile } from "./host/auth-file.ts";
import { helperEnvironment } from "./host/credential-helper.ts";
import { faultsInCertsDir } from "./host/certs-d.ts";
import { readRegistriesConf } from "./host/registries-conf-reader.ts";
import { ConfFaults } from "./host/toml-table.ts";
import {
  NO_SERVICES,
  parseTokenServices,
  type TokenServices,
} from "./transport/docker/auth/realms.ts";
import type { RegistryFiles } from "./transport/docker/registries.ts";

/** A tenant's name is part of names in Redis; a key is what fits into a header. */
const TENANT = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/;
const KEY = /^[\x21-\x7e]{1,1024}$/;

/** One `tenant:key` a line; a tenant may have several. Empty lines and those that begin with # are skipped. */
export function readApiKeys(path: string, faults: string[]): ReadonlyMap<string, string> {
  const keys = new Map<string, string>();
  const text = readText("API_KEYS_FILE", path, faults);
  if (text === undefined) return keys;
  for (const [index, line] of text
    .split("\n")
    .map((l) => l.trim())
    .entries()) {
    if (line === "" || line.startsWith("#")) continue;
    const at = `API_KEYS_FILE names ${path}, line ${index + 1}:`;
    const colon = line.indexOf(":");
    const [tenant, key] = [line.slice(0, colon), line.slice(colon + 1)];
    const hash = hashOfKey(key);
    if (colon < 0 || !TENANT.test(tenant))
      faults.push(
        `${at} it must be tenant:key, with a tenant of letters, digits, \`_\`, \`.\` and \`-\``,
      );
    else if (!KEY.test(key))
      faults.push(`${at} the key must be visible ASCII characters, without spaces`);
    else if (keys.has(hash)) faults.push(`${at} the key occurs twice`);
    else keys.set(hash, tenant);
  }
  if (keys.size === 0) faults.push(`API_KEYS_FILE names ${path}, which has no usable key`);
  return keys;
}

/** What is kept of an API key; api/tenants.ts makes the same of the one it is given. */
const hashOfKey = (key: string): string => createHash("sha256").update(key).digest("hex");

/** What settings name of registries; `env` is what credential helpers may be given of. */
export function readRegistryFiles(
  given: {
    readonly REGISTRIES_CONF?: string;
    readonly CERTS_DIR?: string;
    readonly AUTH_FILE?: string;
    readonly TLS_VERIFY?: string;
    readonly API_KEYS_FILE?: string;
    readonly TOKEN_SERVICES?: string;
  },
  env: NodeJS.ProcessEnv,
  faults: string[],
): RegistryFiles {
  const { REGISTRIES_CONF: conf, CERTS_DIR: certs, AUTH_FILE: auth } = given;
  const { TOKEN_SERVICES: services } = given;
  if (certs !== undefined)
    faults.push(...faultsInCertsDir(certs).map((fault) => `CERTS_DIR names ${fault}`));
  if (conf !== undefined) checkRegistriesConf(resolve(conf), faults);
  if (auth !== undefined) checkAuthFile(auth, faults);
  // A tenant who may have certificates unchecked may have the operator's credentials shown to whoever stands in between.
  const isLent = given.API_KEYS_FILE !== undefined && (auth ?? certs ?? conf) !== undefined;
  const verify = given.TLS_VERIFY ?? (isLent ? "required" : "optional");
  return {
    mustVerify: verify === "required",
    ...(conf !== undefined && { registriesConf: resolve(conf) }),
    ...(certs !== undefined && { certsDir: resolve(certs) }),
    ...(services !== undefined && { tokenServices: readTokenServices(services, faults) }),
    // registries.conf may name helpers by itself.
    ...((auth ?? conf) !== undefined && {
      keychain: { path: auth && resolve(auth), env: helperEnvironment(env) },
    }),
  };
}

function checkRegistriesConf(path: string, faults: string[]): void {
  try {
    readRegistriesConf(path);
  } catch (error) {
    if (!(error instanceof ConfFaults)) throw error;
    faults.push(...error.faults.map((fault) => `REGISTRIES_CONF names ${fault}`));
  }
}

function readTokenServices(text: string, faults: string[]): TokenServices {
  try {
    return parseTokenServices(text);
  } catch (error) {
    faults.push(`TOKEN_SERVICES: ${error instanceof Error ? error.message : "unknown"}`);
    return NO_SERVICES;
  }
}

function checkAuthFile(path: string, faults: string[]): void {
  const text = readText("AUTH_FILE", path, faults);
  try {
    if (text !== undefined) parseAuthFile(text);
  } catch (error) {
    faults.push(`AUTH_FILE names ${path}: ${error instanceof Error ? error.message : "unknown"}`);
  }
}

/** A file's text; undefined: it is a fault. */
export function readText(name: string, path: string, faults: string[]): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const why = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    faults.push(`${name} names ${path}, which cannot be read (${why})`);
    return undefined;
  }
}
