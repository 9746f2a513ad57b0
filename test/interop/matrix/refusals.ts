// Which of our codes says what skopeo says in its own words when it refuses something.

import type { Code } from "../../../src/codes.ts";

/** The first row whose words are found counts. */
const MEANINGS: readonly (readonly [RegExp, readonly Code[]])[] = [
  [/no image found in (manifest list|image index)/, ["platform_not_found"]],
  [
    /does not support copying multiple images|Manifest lists are not supported/,
    ["lists_not_supported"],
  ],
  [
    /Instructed to preserve digests|Would invalidate signatures|Destination specifies a digest|would not match destination reference/,
    ["digest_not_preserved"],
  ],
  [
    /Unexpectedly received a manifest list|rejecting ambiguous manifest|unsupported schema version|unexpected end of JSON/,
    ["manifest_invalid"],
  ],
  // A registry that misses a blob may have lost it since: both would try again.
  [/uploading manifest .*blob unknown/, ["manifest_rejected", "registry_unavailable"]],
  [/docker engine reported/, ["manifest_rejected"]],
  [
    /Digest did not match|digest invalid|gzip: invalid checksum|digest .* does not match expected|config validation failed/,
    ["digest_mismatch"],
  ],
  [
    /no descriptor found for reference|matches unsupported manifest MIME types|etching blob|manifest unknown|no such file or directory|Tag ".*" not found|choose an image/,
    ["source_not_found"],
  ],
  [/compression using .* required/, ["manifest_rejected", "invalid_request"]],
  [
    /encryption required|compression is not (officially )?supported for|on artifact with type|Unknown media type during manifest conversion|encrypted layers .* are not supported|need a Docker schema 2 manifest|an image with 0 history entries|Uploading manifest (list )?failed|uploading manifest/,
    ["manifest_rejected"],
  ],
  [/Can not copy signatures/, ["signing_failed"]],
  [/doesn't support modifying existing images/, ["path_denied"]],
  [/expected 1 item, got/, ["reference_invalid", "source_not_found"]],
];

/** Whether a code of ours means what skopeo wrote. */
export function sameRefusal(text: string, code: string): boolean {
  const found = MEANINGS.find(([words]) => words.test(text));
  return found !== undefined && (found[1] as readonly string[]).includes(code);
}
