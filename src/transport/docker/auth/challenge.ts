// `WWW-Authenticate`, read in linear time and believed only where it is unambiguous (RFC 9110 11.6.1; reliability T11).

/** How a registry wants to be shown who asks. */
export type Challenge =
  | { readonly scheme: "basic" }
  /** It has been asked, and does not say: requests go as they are. */
  | { readonly scheme: "none" }
  | { readonly scheme: "bearer"; readonly realm: string; readonly service: string | undefined };

interface Parsed {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** The first challenge that we can answer; undefined where there is none, or where the header is malformed. */
export function chooseChallenge(
  header: string | readonly string[] | undefined,
): Challenge | undefined {
  const values = header === undefined ? [] : typeof header === "string" ? [header] : header;
  for (const { scheme, parameters } of values.flatMap((value) => parseChallenges(value) ?? [])) {
    if (scheme === "basic") return { scheme };
    const realm = parameters.get("realm");
    if (scheme === "bearer" && realm) return { scheme, realm, service: parameters.get("service") };
  }
  return undefined;
}

/**
 * The scopes that a bearer challenge names because a token had too few of them (RFC 6750 3.1); none where that is not what it says, or
 * where they are more than a registry has reason to ask for. `delete` is never asked for: Quay's token service fails on the word, and
 * all that it would do for a copy is to end a session that lapses by itself.
 */
export const scopesMissing = (header: Header): readonly string[] =>
  insufficient(header).filter((scope) => !DELETES.test(scope));

/** Whether that is the right to delete, so that another token would not do either. */
export const lacksDeletion = (header: Header): boolean =>
  insufficient(header).some((scope) => DELETES.test(scope));

type Header = string | readonly string[] | undefined;

const DELETES = /[:,]delete\b/;

function insufficient(header: Header): readonly string[] {
  const values = header === undefined ? [] : typeof header === "string" ? [header] : header;
  const found = values
    .flatMap((value) => parseChallenges(value) ?? [])
    .find(({ scheme, parameters }) => scheme === "bearer" && parameters.has("realm"));
  if (found?.parameters.get("error") !== "insufficient_scope") return [];
  const scopes = (found.parameters.get("scope") ?? "").split(" ").filter((scope) => scope !== "");
  const isAsked = scopes.length <= SCOPES && scopes.every((scope) => SCOPE.test(scope));
  return isAsked ? scopes : [];
}

const SCOPES = 8;
/** `type:name:actions`, where the name may have colons of its own (a port). */
const SCOPE = /^[a-z()]{1,32}:[\x21-\x7e]{1,512}:[A-Za-z0-9*,_-]{1,64}$/;

/** All challenges of one header value, or undefined if any part of it is malformed or said twice. */
function parseChallenges(value: string): readonly Parsed[] | undefined {
  const text = new Scanner(value);
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  for (;;) {
    while (text.skip(",")) continue;
    if (text.atEnd) return challenges;
    const word = text.token();
    if (word === "") return undefined;
    if (!text.skip("=")) {
      challenges.push({ scheme: word.toLowerCase(), parameters: new Map() });
      continue;
    }
    const parameters = challenges.at(-1)?.parameters;
    if (text.skip("=")) {
      // Padding, as of Negotiate's token (`token68`, RFC 9110 11.2).
      if (parameters === undefined || (!text.atEnd && !text.skip(","))) return undefined;
      continue;
    }
    const parameter = text.quoted() ?? text.token();
    if (parameters === undefined || parameters.has(word.toLowerCase())) return undefined;
    parameters.set(word.toLowerCase(), parameter);
    if (!text.atEnd && !text.skip(",")) return undefined;
  }
}

/** Reads from left to right and never looks back. */
class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
    this.#skipSpace();
  }

  get atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  skip(mark: string): boolean {
    if (this.#text[this.#at] !== mark) return false;
    this.#at++;
    this.#skipSpace();
    return true;
  }

  /** Up to the next separator; "" where there is none of it. */
  token(): string {
    const start = this.#at;
    while (!this.atEnd && !' \t,="'.includes(this.#text[this.#at] as string)) this.#at++;
    const token = this.#text.slice(start, this.#at);
    this.#skipSpace();
    return token;
  }

  /** A quoted string without its quotes; undefined if there is none here, or if it does not end. */
  quoted(): string | undefined {
    if (this.#text[this.#at] !== '"') return undefined;
    let content = "";
    for (let i = this.#at + 1; i < this.#text.length; i++) {
      if (this.#text[i] === '"') {
        this.#at = i + 1;
        this.#skipSpace();
        return content;
      }
      if (this.#text[i] === "\\") i++;
      content += this.#text[i] ?? "";
    }
    return undefined;
  }

  #skipSpace(): void {
    while (this.#text[this.#at] === " " || this.#text[this.#at] === "\t") this.#at++;
  }
}
