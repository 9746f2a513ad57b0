// The environment, read once: the contract's names, their defaults, and what is wrong with them, all at once.

import { statSync } from "node:fs";
import { resolve } from "node:path";
import { readApiKeys, readRegistryFiles, readText } from "./config-files.ts";
import { readEnvironment, type Environment } from "./environment.ts";
import { parseHosts, parseNetworks, type EgressRules } from "./host/egress.ts";
import { Sealer } from "./jobs/secrets.ts";
import { parsePolicyFile, type PolicyDocument } from "./signature/policy.ts";
import type { DockerSettings } from "./transport/docker-daemon/address.ts";
import type { RegistryFiles } from "./transport/docker/registries.ts";

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly redisUrl: string;
  readonly logLevel: NonNullable<Environment["LOG_LEVEL"]>;
  /** Absolute. */
  readonly dataDir: string;
  /** Tenants by the SHA-256 of their keys, in hexadecimal; undefined: no key is asked for. */
  readonly apiKeys: ReadonlyMap<string, string> | undefined;
  /** The text of the key file, for `Sealer.parse`. */
  readonly secretsKeys: string;
  /** Where the workers may connect to. */
  readonly egress: EgressRules;
  /** What the operator says of registries. The files were read once, and are good. */
  readonly registryFiles: RegistryFiles;
  /** What `docker-daemon:` is; looked at when a job asks for it. */
  readonly docker: DockerSettings;
  /** What every image must fulfil; undefined: nothing. */
  readonly policy: PolicyDocument | undefined;
  /** Blobs copied at once by all workers together. */
  readonly blobConcurrency: number;
  /** Jobs at once in one worker. */
  readonly workerConcurrency: number;
  /** Worker processes that `npm start` runs. */
  readonly workers: number;
}

/** Reads and checks the environment and the files it names. Throws one Error whose message lists everything that is wrong. */
export function loadConfig(env: NodeJS.ProcessEnv): Config {
  const faults: string[] = [];
  const given = readEnvironment(env, faults);
  const config: Config = {
    host: given.HOST ?? "",
    port: given.PORT ?? 0,
    redisUrl: given.REDIS_URL ?? "",
    logLevel: given.LOG_LEVEL ?? "info",
    dataDir: readDataDir(given.DATA_DIR ?? "", faults),
    apiKeys:
      given.API_KEYS_FILE === undefined ? undefined : readApiKeys(given.API_KEYS_FILE, faults),
    secretsKeys: readParsed("SECRETS_KEY_FILE", given, faults, secretsKeysIn) ?? "",
    egress: readEgress(given, faults),
    registryFiles: readRegistryFiles(given, env, faults),
    docker: dockerOf(given),
    policy: readParsed("POLICY_FILE", given, faults, (text) => parsePolicyFile(Buffer.from(text))),
    blobConcurrency: given.BLOB_CONCURRENCY ?? 0,
    workerConcurrency: given.WORKER_CONCURRENCY ?? 0,
    workers: given.WORKERS ?? 0,
  };
  if (given.HOST !== undefined && given.API_KEYS_FILE === undefined && !isLoopback(given.HOST)) {
    faults.push(
      `HOST is ${given.HOST}, which others can reach: without API_KEYS_FILE it must be a loopback address such as 127.0.0.1`,
    );
  }
  if (faults.length > 0)
    throw new Error(
      `the configuration is not valid:\n${faults.map((fault) => `- ${fault}`).join("\n")}`,
    );
  return Object.freeze(config);
}

/** Whoever can ask an engine has its machine: where there are tenants, the operator must have said that they may. */
function dockerOf(given: Environment): DockerSettings {
  const { DOCKER_HOST: host, DOCKER_CERT_PATH: certPath, API_KEYS_FILE: keys } = given;
  return {
    host: host ?? (keys === undefined ? "unix:///var/run/docker.sock" : undefined),
    ...(certPath !== undefined && { certPath: resolve(certPath) }),
  };
}

/** The folder need not be there yet; where it is, it must be one. */
function readDataDir(path: string, faults: string[]): string {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === false)
    faults.push(`DATA_DIR names ${path}, which is not a folder`);
  return resolve(path);
}

/** What `parse` makes of the file that a setting names; undefined where it names none, or there is a fault. */
function readParsed<T>(
  name: "SECRETS_KEY_FILE" | "POLICY_FILE",
  { [name]: path }: Environment,
  faults: string[],
  parse: (text: string) => T,
): T | undefined {
  try {
    const text = path === undefined ? undefined : readText(name, path, faults);
    return text === undefined ? undefined : parse(text);
  } catch (error) {
    faults.push(`${name} names ${path}: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

const secretsKeysIn = (text: string): string => (Sealer.parse(text), text);

/** Without API keys only this machine's users reach the service, and they reach its networks anyway; tenants do not. */
function readEgress(given: Environment, faults: string[]): EgressRules {
  const parsed = <T>(
    name: "ALLOWED_HOSTS" | "DENIED_HOSTS" | "PRIVATE_NETWORKS",
    parse: (text: string) => T,
  ): T => {
    try {
      return parse(given[name] ?? "");
    } catch (error) {
      faults.push(
        `${name} has something in it that it must not have: ${error instanceof Error ? error.message : String(error)}`,
      );
      return parse("");
    }
  };
  const allowed = parsed("ALLOWED_HOSTS", parseHosts);
  const networks = parsed("PRIVATE_NETWORKS", parseNetworks);
  const isOpen = given.PRIVATE_NETWORKS === undefined && given.API_KEYS_FILE === undefined;
  return {
    allowed: given.ALLOWED_HOSTS === undefined ? undefined : allowed,
    denied: parsed("DENIED_HOSTS", parseHosts),
    privateNetworks: isOpen ? "all" : networks,
  };
}

const isLoopback = (host: string): boolean =>
  host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
