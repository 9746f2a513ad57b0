import assert from "node:assert/strict";
import { test } from "node:test";
import { CODES } from "../../src/codes.ts";
import {
  classOf,
  isTransient,
  type FailureClass,
  type Refused,
} from "../../src/transport/docker/failure-class.ts";
import { refusalOf } from "../../src/transport/docker/refusals.ts";

/** The table of reliability 2.3, as far as it is about answers. */
const BY_STATUS: Readonly<Record<FailureClass, readonly number[]>> = {
  transient: [408, 425, 429, 500, 502, 503, 504],
  restart: [],
  permanent: [400, 401, 403, 404, 405, 406, 410, 412, 413, 415, 416, 418, 422, 431, 451, 501, 505],
  unknown: [200, 204, 302, 304, 409, 507, 520],
};

const PUT_UPLOAD = { method: "PUT", side: "destination", phase: "upload" } as const;
const PUT_MANIFEST = { method: "PUT", side: "destination", phase: "manifest" } as const;

/** What is restarted, and what looks like it. */
const BY_CODE: readonly (readonly [Refused, FailureClass])[] = [
  [{ ...PUT_UPLOAD, status: 404 }, "restart"],
  [{ ...PUT_UPLOAD, method: "GET", status: 404 }, "restart"],
  [{ ...PUT_UPLOAD, method: "PATCH", status: 404, code: "BLOB_UPLOAD_UNKNOWN" }, "restart"],
  [{ ...PUT_UPLOAD, status: 400, code: "BLOB_UPLOAD_INVALID" }, "restart"],
  [{ ...PUT_UPLOAD, status: 400, code: "DIGEST_INVALID" }, "permanent"],
  [{ ...PUT_UPLOAD, status: 503, code: "BLOB_UPLOAD_INVALID" }, "transient"],
  [{ ...PUT_UPLOAD, method: "POST", status: 404, code: "NAME_UNKNOWN" }, "permanent"],
  [{ ...PUT_MANIFEST, status: 404, code: "MANIFEST_BLOB_UNKNOWN" }, "restart"],
  [{ ...PUT_MANIFEST, status: 400, code: "BLOB_UNKNOWN" }, "restart"],
  [{ ...PUT_MANIFEST, status: 404, code: "NAME_UNKNOWN" }, "permanent"],
  [{ ...PUT_MANIFEST, method: "HEAD", status: 400, code: "MANIFEST_UNKNOWN" }, "permanent"],
  [{ ...PUT_MANIFEST, side: "source", status: 400, code: "BLOB_UNKNOWN" }, "permanent"],
];

const REQUESTS: readonly Omit<Refused, "status">[] = [
  { method: "GET", side: "source", phase: "token" },
  { method: "GET", side: "source", phase: "manifest" },
  { method: "GET", side: "source", phase: "blob" },
  { method: "POST", side: "destination", phase: "token" },
  { method: "HEAD", side: "destination", phase: "blob" },
  { method: "POST", side: "destination", phase: "upload" },
  PUT_MANIFEST,
];

test("a status means for each request what the table of classes says", () => {
  for (const [expected, statuses] of Object.entries(BY_STATUS))
    for (const status of statuses) {
      assert.equal(isTransient(status), expected === "transient", `${status}`);
      for (const request of REQUESTS)
        assert.equal(classOf({ ...request, status }), expected, JSON.stringify([request, status]));
    }
});

test("a code that says what is lost asks for a restart, of the requests that build on it", () => {
  for (const [refused, expected] of BY_CODE)
    assert.equal(classOf(refused), expected, JSON.stringify(refused));
});

const errorFor = ({ method, side, phase, status, code }: Refused) =>
  refusalOf(
    {
      method,
      status,
      headers: {},
      url: new URL("https://r.example/v2/secret-path?token=s3cret"),
      body: Buffer.from(
        code === undefined ? "" : JSON.stringify({ errors: [{ code, message: "no" }] }),
      ),
      whole: true,
    },
    { side, registry: "r.example", phase },
    [],
  );

test("what is refused for good is not tried again, and nothing else is given up for good", () => {
  const rows = Object.values(BY_STATUS)
    .flat()
    .flatMap((status) => REQUESTS.map((request) => ({ ...request, status })));
  for (const refused of [...rows, ...BY_CODE.map(([each]) => each)]) {
    const { code } = errorFor(refused);
    // That what came is not what was sent may be the network's doing.
    if (code === "digest_mismatch") continue;
    assert.equal(
      CODES[code].retryable,
      classOf(refused) !== "permanent",
      JSON.stringify([refused, code]),
    );
  }
});

const TEXTS: readonly (readonly [Refused, string])[] = [
  [
    { ...PUT_UPLOAD, status: 413 },
    "r.example answered 413 to PUT of the destination's upload; raise what the registry, or a proxy before it, takes in one request",
  ],
  [
    { ...PUT_UPLOAD, method: "POST", status: 404, code: "NAME_UNKNOWN" },
    "r.example answered 404 to POST of the destination's upload: NAME_UNKNOWN: no; create the repository first, or correct its name",
  ],
  [
    { method: "GET", side: "source", phase: "token", status: 404 },
    "r.example answered 404 to GET of the source's token; the registry names a token service that has no such address",
  ],
  [
    { ...PUT_MANIFEST, status: 405, code: "UNSUPPORTED" },
    "r.example answered 405 to PUT of the destination's manifest: UNSUPPORTED: no; it takes no such request: it may be a cache, read-only, or no registry at that address",
  ],
  [
    { method: "GET", side: "source", phase: "tags", status: 501 },
    "r.example answered 501 to GET of the source's tags; it serves no such request: see that there is a registry at that address",
  ],
  [
    { method: "GET", side: "source", phase: "manifest", status: 406 },
    "r.example answered 406 to GET of the source's manifest; it has no media type in common with us for this",
  ],
  [
    { ...PUT_MANIFEST, status: 412, code: "PRECONDITION" },
    "r.example answered 412 to PUT of the destination's manifest: PRECONDITION: no; a rule of the registry forbids it, such as tags that must not change",
  ],
  [
    { ...PUT_MANIFEST, status: 422 },
    "r.example answered 422 to PUT of the destination's manifest; it would answer the same again: what it says has to be put right first",
  ],
  [{ ...PUT_MANIFEST, status: 502 }, "r.example answered 502 to PUT of the destination's manifest"],
];
for (const [refused, text] of TEXTS)
  test(`${refused.status} to ${refused.method} of a ${refused.phase} is told with the side, the request, the registry's words and the remedy`, () => {
    assert.equal(errorFor(refused).message, text);
  });
