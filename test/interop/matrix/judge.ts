// What is to be said of two results of one case.

import { digestOfManifest } from "../../support/places.ts";
import type { Sample } from "../../support/samples.ts";
import { compare } from "./compare.ts";
import { knownRow } from "./known.ts";
import type { Case, Check, Facts, Judgement, Made, Result } from "./model.ts";
import { asOlder, explainedByAge, isOlder } from "./older.ts";
import { sameRefusal } from "./refusals.ts";
import { faultIn } from "./sound.ts";

/** Of ours beside that of a skopeo of some version. `source`: what was copied, where that is a manifest. */
export function judge(
  wanted: Case,
  version: string,
  theirs: Result,
  ours: Result,
  source: Sample | undefined,
): Judgement {
  const judgement = strictly(theirs, ours, source);
  if (judgement.verdict !== "different") return judgement;
  const row = knownRow(wanted, judgement);
  if (row !== undefined) return { ...judgement, verdict: "known", row };
  if (!isOlder(version)) return judgement;
  if (explainedByAge(wanted, judgement.why)) return { ...judgement, verdict: "older" };
  const again = strictly(theirs, { ...ours, made: asOlder(theirs.made, ours.made) }, source);
  return again.verdict === "different" ? again : { ...judgement, verdict: "older" };
}

/** We follow the newest skopeo, which is the last: what differs from another one, and not from it, is that one's age. */
export function byNewest(judgements: readonly Judgement[]): readonly Judgement[] {
  const newest = judgements.at(-1)?.verdict ?? "different";
  if (!["same", "recompressed", "refused"].includes(newest)) return judgements;
  return judgements.map((judgement) =>
    judgement.verdict === "different" ? { ...judgement, verdict: "older" } : judgement,
  );
}

/** Of ours alone. */
export function checked(check: Check, facts: Facts): Judgement {
  const why = check(facts) ?? faultIn(facts.made.sample ?? facts.source, facts.source);
  return why === undefined ? { verdict: "checked", why: "" } : different(why);
}

const different = (why: string): Judgement => ({ verdict: "different", why });

function strictly(theirs: Result, ours: Result, source: Sample | undefined): Judgement {
  const [their, our] = [theirs.answer, ours.answer];
  if (their.kind === "cannot") return { verdict: "cannot", why: their.text };
  if (our.kind === "cannot") return different(our.text);
  if (our.kind === "refused") {
    if (rootOf(ours.made) !== rootOf(ours.before))
      return different(`we refuse it, and leave ${rootOf(ours.made) ?? "nothing"} behind`);
    const said = `we (${our.code}): ${our.text}`;
    if (their.kind === "done") return different(`skopeo copies it; ${said}`);
    const both = `skopeo: ${their.text}; ${said}`;
    return sameRefusal(their.text, our.code ?? "")
      ? { verdict: "refused", why: both }
      : different(`other reasons: ${both}`);
  }
  if (their.kind === "refused") return different(`we copy it; skopeo: ${their.text}`);
  const fault = faultOf(ours.made, our.digest, source);
  if (fault !== undefined) return different(fault);
  const likeness = compare(theirs.made, ours.made);
  if (likeness.verdict === "different") return different(likeness.why);
  if (likeness.verdict === "same" && their.digest !== our.digest)
    return different(`skopeo says that it wrote ${their.digest}, we say ${our.digest}`);
  return { verdict: likeness.verdict, why: "" };
}

/** What is wrong with our copy, whatever skopeo's is. */
function faultOf(
  made: Made,
  digest: string | undefined,
  source: Sample | undefined,
): string | undefined {
  if (made.sample === undefined) return undefined;
  if (rootOf(made) !== digest) return `we say that we wrote ${digest}, and wrote ${rootOf(made)}`;
  const fault = source && faultIn(made.sample, source);
  return fault && `our copy is not whole: ${fault}`;
}

const rootOf = (made: Made): string | undefined =>
  made.sample && digestOfManifest(made.sample.root);
