// The operator's credentials: an auth file that is read again when it changes, and helpers that are not asked for each image.

import { readFileSync } from "node:fs";
import { CopyError } from "../errors.ts";
import { Recent } from "../recent.ts";
import { findLogin, parseAuthFile, type AuthFile, type Login } from "./auth-file.ts";
import { askHelper } from "./credential-helper.ts";
import { stampOf, Watched } from "./watched-file.ts";

export interface KeychainSettings {
  /** Of an auth file, absolute; undefined: there is none. */
  readonly path: string | undefined;
  /** What helper programs get for an environment. */
  readonly env: NodeJS.ProcessEnv;
}

interface Answer {
  readonly login: Promise<Login | undefined>;
  /** ms. */
  readonly until: number;
}

/** What registries.conf calls the auth file. */
const FILE = "containers-auth.json";
const NOBODY: AuthFile = parseAuthFile("{}");
/** For so long what a helper has said is not asked again. */
const KNOWN_MS = 300_000;
/** Clients name the servers. */
const ANSWERS = 1_000;

export class Keychain {
  readonly #env: NodeJS.ProcessEnv;
  readonly #file: { readonly current: AuthFile };
  readonly #order: () => readonly string[];
  readonly #now: () => number;
  readonly #answers = new Recent<Answer>(ANSWERS);

  /**
   * Reads the file. `order` is where to look, as registries.conf has it (`credential-helpers`): `containers-auth.json` is the file,
   * anything else a helper's name. `onFault` hears, once a change, that it cannot be used as it is now; what it said before stays in force. Throws
   * where it cannot be used from the start.
   */
  constructor(
    { path, env }: KeychainSettings,
    onFault: (error: unknown) => void,
    order: () => readonly string[] | undefined = () => undefined,
    now: () => number = () => performance.now(),
  ) {
    this.#env = env;
    this.#now = now;
    this.#order = () => order() ?? [FILE];
    const load = (path: string): AuthFile => {
      const file = read(path);
      this.#answers.clear();
      return file;
    };
    this.#file =
      path === undefined
        ? { current: NOBODY }
        : new Watched({ stamp: () => stampOf(path), load: () => load(path), onFault });
  }

  /**
   * What is known for a repository of a registry (`host[:port]`, as references have it); undefined: nothing. The first place that knows
   * something counts. Throws `internal`, with its cause for the log, where a helper fails and no other place knows.
   */
  async find(registry: string, repository: string): Promise<Login | undefined> {
    const failures: unknown[] = [];
    for (const place of this.#order()) {
      const look =
        place === FILE ? this.#findInFile(registry, repository) : this.#ask(place, registry);
      const login = await look.catch((error: unknown) => void failures.push(error));
      if (login !== undefined) return login;
    }
    if (failures.length === 0) return undefined;
    const what = `the service's own credentials for ${registry} cannot be looked up`;
    throw new CopyError("internal", what, { registry, phase: "token" }, failures[0]);
  }

  async #findInFile(registry: string, repository: string): Promise<Login | undefined> {
    const found = findLogin(this.#file.current, registry, repository);
    if (found === undefined) return undefined;
    return "login" in found ? found.login : this.#ask(found.helper, found.server);
  }

  #ask(helper: string, server: string): Promise<Login | undefined> {
    const key = `${helper} ${server}`;
    const known = this.#answers.get(key);
    if (known !== undefined && this.#now() < known.until) return known.login;
    const login = askHelper(helper, server, this.#env);
    this.#answers.set(key, { login, until: this.#now() + KNOWN_MS });
    login.catch(() => {
      if (this.#answers.get(key)?.login === login) this.#answers.delete(key);
    });
    return login;
  }
}

function read(path: string): AuthFile {
  try {
    return parseAuthFile(readFileSync(path, "utf8"));
  } catch (error) {
    throw new Error(`AUTH_FILE names ${path}: ${error instanceof Error ? error.message : ""}`);
  }
}
