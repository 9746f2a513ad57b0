import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { parseRegistriesConf } from "../../src/host/registries-conf-file.ts";
import { readRegistriesConf, watchRegistriesConf } from "../../src/host/registries-conf-reader.ts";
import type { RegistriesConf } from "../../src/host/registries-conf.ts";
import type { ConfFaults } from "../../src/host/toml-table.ts";

const conf = (text: string): RegistriesConf => parseRegistriesConf(text, "registries.conf", "main");

const dir = await mkdtemp(join(tmpdir(), "transship-registries-conf-"));
after(() => rm(dir, { recursive: true }));

test("version 1 is read, and is not mixed with version 2 or used in drop-ins", () => {
  const older = `
[registries.search]
registries = ["registry-a.com////", "registry-c.com"]
[registries.block]
registries = ["registry-b.com"]
[registries.insecure]
registries = ["registry-b.com////", "registry-d.com"]
`;
  const found = conf(older);
  assert.deepEqual(found.unqualifiedSearchRegistries, ["registry-a.com", "registry-c.com"]);
  assert.deepEqual(
    found.registries.map(({ prefix, insecure, blocked }) => [prefix, insecure, blocked]),
    [
      ["registry-b.com", true, true],
      ["registry-d.com", true, false],
    ],
  );
  const mixed = /mixes version 1/;
  assert.throws(() => conf(`${older}[[registry]]\nlocation = "a.com"`), mixed);
  assert.throws(() => conf(`unqualified-search-registries = []\n${older}`), mixed);
  assert.throws(
    () => parseRegistriesConf(older, "a.conf", "drop-in"),
    /a\.conf: a drop-in must be of version 2/,
  );
});

test("what is wrong is told once, in whichever version", () => {
  const faultsOf = (text: string): readonly string[] => {
    try {
      conf(text);
      return [];
    } catch (error) {
      return (error as ConfFaults).faults;
    }
  };
  const list = (name: string) => `[registries.${name}]\nregistries = ["https://a.com", "b.com"]\n`;
  assert.equal(faultsOf(list("insecure") + list("block")).length, 2);
  const helpers = 'credential-helpers = ["containers-auth.json", "ok", "../evil"]';
  const [fault, ...more] = faultsOf(helpers);
  assert.match(
    fault ?? "",
    /`credential-helpers`: `\.\.\/evil` is not the end of a program's name$/,
  );
  assert.deepEqual(more, []);
});

test("what is wrong with a file is told all at once, each with the table it is in", () => {
  const text = `
short-name-mode = "loud"
unqualified-search-registries = ["a/b", "fine.com"]
credential-helpers = "secretservice"
[[registry]]
[[registry]]
prefix = "a.com"
[[registry]]
location = "https://b.com"
pull-from-mirror = "all"
[[registry]]
prefix = "*.c.com/d"
location = "c.com"
insecure = "yes"
mirror-by-digest-only = true
[[registry.mirror]]
insecure = true
[[registry.mirror]]
location = "http://mirror.com"
pull-from-mirror = "digest-only"
[[registry]]
location = "d.com"
[[registry.mirror]]
location = "mirror.com"
pull-from-mirror = "sometimes"
[[registry]]
prefix = "e.com"
location = "d.com"
insecure = true
blocked = true
[aliases]
"fedora:1" = "registry.com/fedora"
"x.com/fedora" = "registry.com/fedora"
"short" = "alsoshort"
`;
  const expected = [
    /^f\.conf: `credential-helpers` must be a list of strings$/,
    /^f\.conf: `short-name-mode` must be enforcing, permissive, disabled, not `loud`$/,
    /^f\.conf: `unqualified-search-registries`: `a\/b` is not `host\[:port\]`$/,
    /^f\.conf, \[\[registry\]\] 1: it has neither `location` nor `prefix`$/,
    /^f\.conf, \[\[registry\]\] 2 \(`a\.com`\): `location` may be left out only where/,
    /^f\.conf, \[\[registry\]\] 3 .*: `https:\/\/b\.com` must be without `http:\/\/` or `https:\/\/`$/,
    /^f\.conf, \[\[registry\]\] 3 .*: `pull-from-mirror` is for `\[\[registry\.mirror\]\]` only$/,
    /^f\.conf, \[\[registry\]\] 4 .*: `insecure` must be true or false$/,
    /^f\.conf, \[\[registry\]\] 4 .*: `prefix` `\*\.c\.com\/d` must be `\*\.domain`/,
    /^f\.conf, \[\[registry\]\] 4 .*, \[\[mirror\]\] 1: `location` is missing$/,
    /^f\.conf, \[\[registry\]\] 4 .*, \[\[mirror\]\] 2 .*: `http:\/\/mirror\.com` must be without/,
    /^f\.conf, \[\[registry\]\] 4 .*, \[\[mirror\]\] 2 .*: `pull-from-mirror` contradicts/,
    /^f\.conf, \[\[registry\]\] 5 .*, \[\[mirror\]\] 1 .*: `pull-from-mirror` must be all, digest-only, tag-only, not `sometimes`$/,
    /^f\.conf, \[\[registry\]\] 6 .*: another table has `d\.com` with another `blocked`$/,
    /^f\.conf, \[\[registry\]\] 6 .*: another table has `d\.com` with another `insecure`$/,
    /^f\.conf, \[aliases\]: `alsoshort` is not a registry and a repository/,
    /^f\.conf, \[aliases\]: `fedora:1` is not a short name/,
    /^f\.conf, \[aliases\]: `x\.com\/fedora` is not a short name/,
  ];
  assert.throws(
    () => parseRegistriesConf(text, "f.conf", "main"),
    ({ faults }: { faults: readonly string[] } & Error) => {
      const sorted = faults.toSorted();
      for (const pattern of expected)
        assert.ok(
          sorted.some((fault) => pattern.test(fault)),
          `${pattern} is not in\n${sorted.join("\n")}`,
        );
      assert.equal(faults.length, expected.length, faults.join("\n"));
      return true;
    },
  );
  assert.throws(
    () => parseRegistriesConf("[[registry]]\nlocation = nothing", "f.conf", "main"),
    /^ConfFaults: f\.conf, line 2, column \d+: /,
  );
});

test("keys are read in any spelling, and those that nobody knows are ignored", () => {
  const [table] = conf(
    'future = 1\n[[registry]]\nLocation = "a.com"\nBlocked = true\nnew-key = "x"',
  ).registries;
  assert.deepEqual([table?.location, table?.blocked], ["a.com", true]);
});

test("drop-ins come after the file, in the order of their names: tables replace, lists replace, aliases are added and removed", async () => {
  const main = join(dir, "merged.conf");
  const dropIn = (file: string, text: string) => writeFile(join(`${main}.d`, file), text);
  await mkdir(join(`${main}.d`, "folder.conf"), { recursive: true });
  await writeFile(
    main,
    'unqualified-search-registries = ["a.com"]\ncredential-helpers = ["one"]\n[[registry]]\nlocation = "base.com"\ninsecure = true\n[[registry.mirror]]\nlocation = "m.com"\n[[registry]]\nlocation = "kept.com"\n[aliases]\n"one" = "a.com/one"\n"two" = "a.com/two"\n"none" = ""',
  );
  await dropIn(
    "20-last.conf",
    'unqualified-search-registries = []\n[[registry]]\nlocation = "base.com"\nblocked = true\n[aliases]\n"one" = ""\n"three" = "a.com/three"',
  );
  await dropIn(
    "10-first.conf",
    'short-name-mode = "disabled"\n[[registry]]\nlocation = "base.com"\nprefix = "base.com"\n[[registry.mirror]]\nlocation = "n.com"',
  );
  await dropIn("30-ignored.txt", "not = even [toml");
  const found = readRegistriesConf(main);
  assert.deepEqual(
    found.registries.map(({ prefix, blocked, insecure, mirrors }) => [
      prefix,
      blocked,
      insecure,
      mirrors.length,
    ]),
    [
      ["base.com", true, false, 0],
      ["kept.com", false, false, 0],
    ],
  );
  assert.deepEqual(found.unqualifiedSearchRegistries, []);
  assert.deepEqual(found.credentialHelpers, ["one"]);
  assert.equal(found.shortNameMode, "disabled");
  assert.deepEqual(
    [...found.aliases],
    [
      ["two", "a.com/two"],
      ["three", "a.com/three"],
    ],
  );
});

test("a file that is missing or wrong is told with those beside it; drop-ins need not be there", async () => {
  const main = join(dir, "missing.conf");
  await mkdir(`${main}.d`);
  await writeFile(join(`${main}.d`, "a.conf"), "[[registry]]");
  await writeFile(join(`${main}.d`, "b.conf"), "[registries.block]\nregistries = []");
  assert.throws(
    () => readRegistriesConf(main),
    ({ faults }: { faults: readonly string[] } & Error) => {
      assert.match(faults[0] ?? "", /missing\.conf: it cannot be read \(ENOENT\)$/);
      assert.match(faults[1] ?? "", /a\.conf, \[\[registry\]\] 1: /);
      assert.match(faults[2] ?? "", /b\.conf: a drop-in must be of version 2/);
      return faults.length === 3;
    },
  );
  const alone = join(dir, "alone.conf");
  await writeFile(alone, "");
  assert.deepEqual(readRegistriesConf(alone).registries, []);
});

test("a change of the file or of a drop-in is seen, and one that is no good leaves what was there", async () => {
  const main = join(dir, "watched.conf");
  await writeFile(main, "");
  const faults: unknown[] = [];
  const watched = watchRegistriesConf(main, (error) => void faults.push(error));
  const prefixes = () => watched.current.registries.map(({ prefix }) => prefix);
  assert.deepEqual(prefixes(), []);
  await writeFile(main, '[[registry]]\nlocation = "a.com"');
  assert.deepEqual(prefixes(), ["a.com"]);
  await mkdir(`${main}.d`);
  await writeFile(join(`${main}.d`, "b.conf"), '[[registry]]\nlocation = "b.com"');
  assert.deepEqual(prefixes(), ["a.com", "b.com"]);
  await writeFile(main, "[[registry]");
  assert.deepEqual(
    [prefixes(), prefixes(), faults.length],
    [["a.com", "b.com"], ["a.com", "b.com"], 1],
  );
});
