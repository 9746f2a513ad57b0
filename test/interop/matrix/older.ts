// What older skopeos do not do yet (semantics 2.6). We follow the newest; where only an older one is installed, these are the differences
// that it may show.

import type { Case, Made } from "./model.ts";

/** Whether a version is older than the one that we follow. */
export function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < 1 || (major === 1 && minor < 22);
}

interface Age {
  readonly what: string;
  /** By the name of the case, and by how it differs. */
  readonly name?: RegExp;
  readonly why: RegExp;
}

const AGES: readonly Age[] = [
  {
    what: "docker manifests in OCI layouts are not read",
    name: /^oci/,
    why: /skopeo: .*no descriptor found for reference/,
  },
  {
    what: "a manifest that is made for tarballs does not say its type",
    name: /^tarball/,
    why: /only we have mediaType/,
  },
  {
    what: "files in an `oci-archive:` have the bits of a regular file in their mode",
    name: /→ oci-archive/,
    why: /\/mode: skopeo "100644", we "644"$/,
  },
  { what: "no `oci:path:@0`", name: /from place/, why: /skopeo: .*Invalid image @\d/ },
  {
    what: "a config that is made for OCI lacks the variant",
    name: /list/,
    why: /\/config\/digest/,
  },
  {
    what: "zstd does not choose the manifest type; its words and annotations are others",
    name: /zstd/,
    why: /./,
  },
  { what: "zstd is not made gzip for a docker manifest", why: /zstd compression is not supported/ },
];

export const explainedByAge = (wanted: Case, why: string): boolean =>
  AGES.some((age) => age.why.test(why) && (age.name ?? /./).test(wanted.name));

const INDEX_TYPE = ',"mediaType":"application/vnd.oci.image.index.v1+json","manifests"';
const SPACED = '{"imageLayoutVersion": "1.0.0"}';

/** Our copy as an older one writes it: a layout's index.json does not say what it is, and its oci-layout has a space in it. */
export function asOlder(theirs: Made, ours: Made): Made {
  const tree = new Map(ours.tree);
  const index = tree.get("index.json");
  if (index !== undefined && theirs.tree?.get("index.json")?.bytes.includes(INDEX_TYPE) === false) {
    const bytes = Buffer.from(index.bytes.toString().replace(INDEX_TYPE, ',"manifests"'));
    tree.set("index.json", { ...index, bytes });
  }
  const layout = theirs.tree?.get("oci-layout");
  if (layout?.bytes.toString() === SPACED) tree.set("oci-layout", layout);
  return ours.tree === undefined ? ours : { ...ours, tree };
}
