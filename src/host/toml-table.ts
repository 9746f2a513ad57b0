// A TOML document that is read table by table, with everything that is wrong told at once.

import { parse, TomlError } from "smol-toml";
import { isObject } from "../image/json.ts";

/** All that is wrong with a file, each fault a line that names it. */
export class ConfFaults extends Error {
  override readonly name = "ConfFaults";
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    super(faults.join("\n"));
    this.faults = faults;
  }
}

/** The document of a file's text. Throws `ConfFaults` with line and column. */
export function parseToml(text: string, file: string): Readonly<Record<string, unknown>> {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [what = ""] = error.message.split("\n", 1);
    throw new ConfFaults([`${file}, line ${error.line}, column ${error.column}: ${what}`]);
  }
}

/** A table of the document. What is of another type than it should be is a fault, and counts as absent. */
export class Table {
  readonly #entries: ReadonlyMap<string, unknown>;
  readonly #where: string;
  readonly #faults: string[];
  readonly names: readonly string[];

  constructor(value: Readonly<Record<string, unknown>>, where: string, faults: string[]) {
    this.names = Object.keys(value);
    // containers/image reads keys in any spelling: a `Blocked = true` that went unheard would be worse than none.
    this.#entries = new Map(
      Object.entries(value).flatMap(([key, entry]) => [
        [key.toLowerCase(), entry] as const,
        [key, entry] as const,
      ]),
    );
    this.#where = where;
    this.#faults = faults;
  }

  fault(what: string): void {
    this.#faults.push(`${this.#where}: ${what}`);
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  string(key: string): string | undefined {
    return this.#typed(key, "a string", (value) => typeof value === "string") as string | undefined;
  }

  flag(key: string): boolean {
    const isFlag = (value: unknown) => typeof value === "boolean";
    return (this.#typed(key, "true or false", isFlag) as boolean | undefined) ?? false;
  }

  strings(key: string): readonly string[] | undefined {
    const areStrings = (value: unknown) =>
      Array.isArray(value) && value.every((entry) => typeof entry === "string");
    return this.#typed(key, "a list of strings", areStrings) as readonly string[] | undefined;
  }

  /** "" counts as absent. */
  oneOf<T extends string>(key: string, words: readonly T[]): T | undefined {
    const text = this.string(key);
    const word = words.find((known) => known === text);
    if (word === undefined && text !== undefined && text !== "")
      this.fault(`\`${key}\` must be ${words.join(", ")}, not \`${text}\``);
    return word;
  }

  table(key: string): Table | undefined {
    const value = this.#typed(key, "a table", isObject) as Record<string, unknown> | undefined;
    return value && new Table(value, `${this.#where}, [${key}]`, this.#faults);
  }

  tables(key: string): readonly Table[] {
    const areTables = (value: unknown) => Array.isArray(value) && value.every(isObject);
    const list = (this.#typed(key, "a list of tables", areTables) ?? []) as Record<
      string,
      unknown
    >[];
    return list.map((value, i) => {
      const about = value["prefix"] ?? value["location"];
      const named = typeof about === "string" ? ` (\`${about}\`)` : "";
      return new Table(value, `${this.#where}, [[${key}]] ${i + 1}${named}`, this.#faults);
    });
  }

  /** `host[:port][/path]` without slashes at its end. */
  location(text: string): string {
    const trimmed = text.replace(/\/+$/, "");
    if (/^https?:\/\//.test(trimmed))
      this.fault(`\`${text}\` must be without \`http://\` or \`https://\``);
    return trimmed;
  }

  #typed(key: string, type: string, is: (value: unknown) => boolean): unknown {
    const value = this.#entries.get(key);
    if (value === undefined || is(value)) return value;
    this.fault(`\`${key}\` must be ${type}`);
    return undefined;
  }
}
