// Holds the tree to docs/architecture.md: who may import whom, who may read the environment, how long a file may be.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";

const ROOT = join(import.meta.dirname, "..");
const DOCUMENT = join(ROOT, "docs/architecture.md");
/** Everybody may import these; config.ts and logger.ts are for the programs, and as types for whoever is handed their values. */
const COMMON = ["src/bytes.ts", "src/errors.ts", "src/codes.ts", "src/recent.ts"];
/** What is started by itself: it reads the configuration, and hands down what is in it. */
const PROGRAMS = /^src\/(main\.ts|[a-z]+\/main\.ts|worker\/health\.ts)$/;
/** Other files that read the environment, and what for. */
const READERS: ReadonlyMap<string, string> = new Map([
  ["src/demo/packages.ts", "what apt-get is started with"],
  ["src/demo/screen.ts", "TERM: whether the terminal can move its cursor"],
  ["src/demo/stack.ts", "what npm start is started with"],
]);
/** Files that open connections, and to whom; the commands (src/start, src/demo) reach what they have started themselves. */
const CONNECTORS: ReadonlyMap<string, string> = new Map([
  ["src/host/connector.ts", "whom the egress rule allows"],
  ["src/transport/docker-daemon/engine.ts", "the operator's own docker engine"],
  ["src/transport/docker/connections.ts", "the same, with pools over that connector"],
]);
const CONNECTS =
  /\bnew (Agent|Pool|Client|ProxyAgent|WebSocket|EventSource)\(|\bbuildConnector\(|(?<![.#\w])fetch\(["`]|from "node:(http|https|http2|dgram)"|\b(net|tls)\.connect\(/;
const LIMITS = { src: 250, test: 400 } as const;

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

/** What a folder may import: folders, or files of which types may be used. */
type Rules = ReadonlyMap<
  string,
  { readonly folders: readonly string[]; readonly types: readonly string[] }
>;

async function filesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(join(ROOT, folder), { recursive: true });
  return names
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name))
    .toSorted();
}

const textOf = (file: string): Promise<string> => readFile(join(ROOT, file), "utf8");

/** The relative imports of a file, by their paths in the tree. */
function importsIn(from: string, text: string): readonly Import[] {
  const statements = text.matchAll(
    /^(import|export)\s+(type\s+)?(?:[^"';]*?\sfrom\s+)?"(\.[^"]+)"/gm,
  );
  const dynamic = text.matchAll(/\bimport\("(\.[^"]+)"\)/g);
  const to = (path: string) => normalize(join(dirname(from), path));
  return [
    ...Array.from(statements, ([, , type, path = ""]) => ({
      from,
      to: to(path),
      typeOnly: type !== undefined,
    })),
    ...Array.from(dynamic, ([, path = ""]) => ({ from, to: to(path), typeOnly: false })),
  ];
}

async function allImports(): Promise<readonly Import[]> {
  const files = await filesIn("src");
  return (await Promise.all(files.map(async (file) => importsIn(file, await textOf(file))))).flat();
}

/** The table of docs/architecture.md. */
function rulesIn(document: string): Rules {
  const rows = document.matchAll(/^\| `([a-z]+)` +\| ([^|]+) \|$/gm);
  return new Map(
    Array.from(rows, ([, folder = "", allowed = ""]) => {
      const named = (text: string) =>
        Array.from(text.matchAll(/`([a-z/.-]+)`/g), ([, name = ""]) => name);
      const [folders = "", types = ""] = allowed.split("types of");
      return [folder, { folders: named(folders), types: named(types) }];
    }),
  );
}

const folderOf = (file: string): string => file.split("/")[1] ?? "";

/** Why an import is not allowed; undefined: it is. Files directly in src and the demo put everything together. */
function faultOf({ from, to, typeOnly }: Import, rules: Rules): string | undefined {
  const folder = folderOf(from);
  const rule = rules.get(folder);
  if (rule === undefined || COMMON.includes(to) || to.endsWith("package.json")) return undefined;
  if (["src/config.ts", "src/logger.ts"].includes(to))
    return PROGRAMS.test(from) ? undefined : `${from} must be handed what ${to} has`;
  if (!to.startsWith("src/")) return `${from} imports ${to}, which is no source`;
  const target = folderOf(to);
  if (target === folder || rule.folders.includes(target)) return undefined;
  if (typeOnly && rule.types.includes(to.slice("src/".length))) return undefined;
  return `${from} must not import ${to}`;
}

test("folders import only what docs/architecture.md allows", async () => {
  const rules = rulesIn(await readFile(DOCUMENT, "utf8"));
  const entries = await readdir(join(ROOT, "src"), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  assert.deepEqual([...rules.keys()].toSorted(), folders.toSorted());
  const imports = await allImports();
  assert.ok(imports.length > (await filesIn("src")).length, "the imports were not found");
  assert.deepEqual(
    imports.map((found) => faultOf(found, rules)).filter((fault) => fault !== undefined),
    [],
  );
});

/** Files that lead back to themselves, each way once. Types count as well: a cycle of them is read like any other. */
function cyclesIn(imports: readonly Import[]): readonly string[] {
  const next = Map.groupBy(imports, ({ from }) => from);
  const done = new Set<string>();
  const visit = (file: string, way: readonly string[]): readonly string[] => {
    if (way.includes(file)) return [[...way.slice(way.indexOf(file)), file].join(" → ")];
    if (done.has(file)) return [];
    const found = (next.get(file) ?? []).flatMap(({ to }) => visit(to, [...way, file]));
    done.add(file);
    return found;
  };
  return [...next.keys()].flatMap((file) => visit(file, []));
}

test("no file leads back to itself", async () => {
  assert.deepEqual(cyclesIn(await allImports()), []);
  const a = importsIn("src/a.ts", 'import { b } from "./b.ts";');
  const b = importsIn("src/b.ts", 'import type { C } from "./c/c.ts";');
  const c = importsIn("src/c/c.ts", 'import { a } from "../a.ts";');
  assert.deepEqual(cyclesIn([...a, ...b]), []);
  assert.deepEqual(cyclesIn([...a, ...b, ...c]), ["src/a.ts → src/b.ts → src/c/c.ts → src/a.ts"]);
});

test("the check of imports sees what is not allowed", async () => {
  const rules = rulesIn(await readFile(DOCUMENT, "utf8"));
  const faults = (from: string, text: string) =>
    importsIn(from, text).filter((found) => faultOf(found, rules) !== undefined).length;
  assert.equal(faults("src/copy/copy.ts", 'import { a } from "../jobs/job.ts";'), 1);
  assert.equal(
    faults("src/copy/copy.ts", 'import {\n  a,\n  b,\n} from "../transport/open.ts";'),
    1,
  );
  assert.equal(faults("src/image/digest.ts", 'export { a } from "../copy/copy.ts";'), 1);
  assert.equal(faults("src/api/jobs.ts", 'const a = await import("../worker/run.ts");'), 1);
  assert.equal(faults("src/api/jobs.ts", 'import { loadConfig } from "../config.ts";'), 1);
  assert.equal(faults("src/transport/open.ts", 'import { a } from "../copy/interfaces.ts";'), 1);
  assert.equal(
    faults(
      "src/transport/open.ts",
      'import type { A } from "../copy/interfaces.ts";\nimport type { B } from "../copy/copy.ts";',
    ),
    1,
  );
  assert.equal(
    faults(
      "src/worker/run.ts",
      'import { copyImage } from "../copy/copy.ts";\nimport { CopyError } from "../errors.ts";\nimport "./backoff.ts";',
    ),
    0,
  );
});

test("the environment is read by the programs only, which hand it to config.ts", async () => {
  const readers: string[] = [];
  for (const file of await filesIn("src"))
    if (!PROGRAMS.test(file) && (await textOf(file)).includes("process.env")) readers.push(file);
  assert.deepEqual(readers, [...READERS.keys()]);
});

test("connections are opened in few places, and all but one of those are under the egress rule", async () => {
  const found: string[] = [];
  for (const file of await filesIn("src")) {
    if (/^src\/(start|demo)\//.test(file)) continue;
    // Types open nothing.
    const text = (await textOf(file)).replaceAll(/^import type [^;]*;$/gm, "");
    if (CONNECTS.test(text)) found.push(file);
  }
  assert.deepEqual(found, [...CONNECTORS.keys()]);
  for (const line of ["await fetch(`${url}`)", "new Agent({})", 'import { get } from "node:http";'])
    assert.match(line, CONNECTS);
});

/** What of the modules that open connections anybody may have: it opens none. */
const HARMLESS: Readonly<Record<string, readonly string[]>> = {
  "node:net": ["isIP", "BlockList", "createServer"],
  "node:tls": ["createSecureContext", "getCACertificates"],
  "node:dns": [],
  "node:dns/promises": [],
  "node:http": [],
  "node:https": [],
  "node:http2": [],
  "node:dgram": [],
  undici: ["errors"],
};

/** Names that a file imports of such a module, and that may open a connection. */
function dialling(text: string): readonly string[] {
  const imports = text.matchAll(/^import\s+(?!type\s)([^;]*?)\s+from\s+"([^"]+)";$/gm);
  return Array.from(imports, ([, clause = "", module = ""]) => {
    const harmless = HARMLESS[module];
    if (harmless === undefined) return [];
    const names = clause
      .replaceAll(/[{}]/g, "")
      .split(",")
      .map((name) => name.trim());
    return names
      .filter((name) => name !== "" && !name.startsWith("type ") && !harmless.includes(name))
      .map((name) => `${name} of ${module}`);
  }).flat();
}

test("what can open a connection is imported only where connections are opened", async () => {
  const found: string[] = [];
  for (const file of await filesIn("src"))
    if (!/^src\/(start|demo)\//.test(file) && !CONNECTORS.has(file))
      found.push(...dialling(await textOf(file)).map((name) => `${file}: ${name}`));
  assert.deepEqual(found, []);
  assert.deepEqual(dialling('import { isIP, connect } from "node:net";'), ["connect of node:net"]);
  assert.deepEqual(dialling('import * as tls from "node:tls";'), ["* as tls of node:tls"]);
  assert.deepEqual(dialling('import type { Agent } from "undici";'), []);
});

test("no file is too long to be read at once", async () => {
  const long: string[] = [];
  for (const [folder, limit] of Object.entries(LIMITS)) {
    for (const file of await filesIn(folder)) {
      const lines = (await textOf(file)).split("\n").length - 1;
      if (lines > limit) long.push(`${file}: ${lines} lines`);
    }
  }
  assert.deepEqual(long, []);
});

test("there are no barrels and no drawers", async () => {
  const names = await filesIn("src");
  assert.deepEqual(
    names.filter((name) => /(^|\/)(index|utils?|helpers|types|common)(\.ts|\/)/.test(name)),
    [],
  );
});
