// What a rhythm gives, and what becomes of it. What a cluster makes of it: docker-rhythm-simulations.test.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  announced,
  beginning,
  joined,
  refused,
  turns,
  type Rhythm,
} from "../../src/transport/docker/pace/rhythm.ts";

/** Everything that the rhythm gives in so many ms is taken. */
function busy(start: Rhythm, from: number, ms: number): Rhythm {
  let rhythm = start;
  for (let now = from; now < from + ms; now += 50) ({ rhythm } = turns(rhythm, 100, now, now + 50));
  return rhythm;
}

/** As much later, and of everything that was taken so many in a hundred were refused. */
function resisted(start: Rhythm, from: number, ms: number, percent: number): Rhythm {
  let rhythm = start;
  for (let now = from, owed = 0; now < from + ms; now += 10) {
    const given = turns(rhythm, 100, now, now + 10);
    ({ rhythm } = given);
    for (owed += (given.at.length * percent) / 100; owed >= 1; owed--)
      rhythm = refused(rhythm, 0, now);
  }
  return rhythm;
}

const shown = ({ phase, rate }: Rhythm) => `${phase} ${Number(rate.toPrecision(3))}`;

/** 96 a second, found at 0. */
const HELD = announced(100, 0);
const SOUGHT = busy(beginning(20, 0), 0, 2900);
const MEASURING = refused(HELD, 0, 1000);
const SILENCED = refused(HELD, 1000, 1000);
const KNOCKING = resisted(MEASURING, 1000, 2100, 100);

const BECOMES: readonly (readonly [what: string, becomes: string, Rhythm])[] = [
  ["what passed before is halved", "rising 10", beginning(20, 0)],
  ["it is doubled, a second after what was sent before is forgotten", "rising 40", SOUGHT],
  ["a rate that is announced is kept for a hundred seconds", "rising 96", busy(HELD, 0, 99_000)],
  ["then it is raised a little", "rising 96.6", busy(HELD, 0, 101_000)],
  ["and in minutes by more and more", "rising 246", busy(HELD, 0, 220_000)],
  [
    "refused at once after it was raised: of what was sent before",
    "rising 40",
    refused(SOUGHT, 0, 2910),
  ],
  ["refused while it is sought: it is measured", "measuring 40", refused(SOUGHT, 0, 3300)],
  [
    "half of it passes: a little less than that",
    "rising 19.7",
    resisted(refused(SOUGHT, 0, 3300), 3300, 2100, 50),
  ],
  ["refused after it was raised: back", "rising 96", refused(busy(HELD, 0, 101_000), 0, 101_000)],
  ["refused without that: it is measured", "measuring 96", MEASURING],
  ["a single one of all: a heap", "rising 95", busy(MEASURING, 1000, 2100)],
  [
    "a few, long after it began to count: a heap",
    "rising 95",
    resisted(refused(busy(HELD, 0, 10_000), 0, 10_000), 10_000, 2100, 5),
  ],
  [
    "a few, soon after it began to count: so many too many",
    "rising 91.5",
    resisted(MEASURING, 1000, 2100, 5),
  ],
  ["half of it passes: so much", "rising 46.6", resisted(MEASURING, 1000, 2100, 50)],
  ["nothing passes", "knocking 96", KNOCKING],
  ["a knock is let in: as before", "rising 96", busy(KNOCKING, 3100, 3000)],
  ["a knock is refused", "knocking 96", refused(busy(KNOCKING, 3100, 1000), 0, 4200)],
  ["refused with a wish for silence: it is measured after that", "measuring 96", SILENCED],
  [
    "and as nothing can be when nobody asks, it is not much lower",
    "rising 72",
    refused(busy(SILENCED, 2000, 500), 1000, 2500),
  ],
  ["it is not refused again: as before", "rising 96", busy(SILENCED, 2000, 10_500)],
];
for (const [what, becomes, rhythm] of BECOMES)
  test(`${what}: ${becomes}`, () => assert.equal(shown(rhythm), becomes));

test("two windows used up at the same rate tell what there is in one", () => {
  // 96 a second for 5 s, then nothing until a minute is over.
  const again = busy(KNOCKING, 60_000, 6000);
  const found = resisted(refused(again, 0, 66_000), 66_000, 2200, 100);
  assert.equal(found.phase, "knocking");
  const inAll = again.given + (again.spent?.passed ?? 0);
  assert.ok(Math.abs(found.rate - (0.96 * inAll) / 65) < 0.1, `${found.rate} of ${inAll}`);
});

test("a rate that is not used up is neither raised nor taken for good", () => {
  let rhythm = beginning(20, 0);
  for (let now = 1000; now < 60_000; now += 500) ({ rhythm } = turns(rhythm, 1, now, now));
  assert.deepEqual([shown(rhythm), rhythm.before], ["rising 10", 0]);
});

test("nobody's turn comes before a silence is over", () => {
  const { at } = turns(SILENCED, 3, 1010, 3000);
  assert.equal(at[0], 2000);
});

test("one knock is out at a time, and the longer nothing passes the later is the next", () => {
  const [first = 0, ...others] = turns(KNOCKING, 9, 3100, 600_000).at;
  assert.deepEqual(others, []);
  const knocked = turns(KNOCKING, 9, first, first).rhythm;
  assert.deepEqual(turns(knocked, 9, first + 100, first + 600).at, []);
  assert.equal(refused(knocked, 0, 11_000).next, 16_000);
  assert.equal(refused(knocked, 0, 3_600_000).next, 3_720_000);
  assert.equal(refused(knocked, 300_000, 11_000).next, 311_000, "but no sooner than it asks for");
});

test("what passed in other processes is added while a rhythm begins, not later", () => {
  assert.equal(joined(beginning(20, 0), 30, 500).rate, 25);
  assert.equal(joined(beginning(20, 0), 30, 800).rate, 10);
  assert.equal(joined(HELD, 30, 0).rate, 96);
});

test("turns are evenly spaced, and none is given beyond the horizon", () => {
  const { at, rhythm } = turns(announced(100 / 0.96, 1000), 5, 1000, 1025);
  assert.deepEqual(at, [1000, 1010, 1020]);
  assert.deepEqual(turns(rhythm, 5, 1001, 1026).at, []);
  assert.deepEqual(turns(rhythm, 1, 1010, 1035).at, [1030]);
});

test("turns that nobody took in time are made up for, but hardly more than an instant of them", () => {
  const { at } = turns(announced(100 / 0.96, 1000), 9, 2000, 2005);
  assert.deepEqual(at, [2000, 2000, 2000, 2000, 2000]);
});
