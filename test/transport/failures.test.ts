import assert from "node:assert/strict";
import { test } from "node:test";
import { errors } from "undici";
import { CODES, type Code } from "../../src/codes.ts";
import { CopyError, toCopyError } from "../../src/errors.ts";
import { mayBeSentAgain, networkFailure } from "../../src/transport/docker/failures.ts";
import { manifestThere } from "../../src/transport/manifest-there.ts";

const coded = (code: string): Error => Object.assign(new Error(code), { code });

/** What the network does (reliability 2.3), whether the request is sent again at once, and what the job hears. */
const TABLE: readonly (readonly [string, Error, "again" | "not", Code])[] = [
  ...[
    ["ECONNRESET", "EPIPE", "ETIMEDOUT", "ECONNREFUSED", "EAI_AGAIN", "EHOSTUNREACH"],
    ["ENETUNREACH", "EHOSTDOWN", "ENETDOWN", "ECONNABORTED"],
    ["ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC", "ERR_SSL_SSL/TLS_ALERT_BAD_RECORD_MAC"],
  ]
    .flat()
    .map((code) => [code, coded(code), "again", "registry_unavailable"] as const),
  ["a socket that closes", new errors.SocketError("closed"), "again", "registry_unavailable"],
  ["no such name", coded("ENOTFOUND"), "not", "registry_unavailable"],
  ["no name server that answers", coded("EAI_FAIL"), "not", "registry_unavailable"],
  ["no connection in time", new errors.ConnectTimeoutError(), "not", "registry_unavailable"],
  ["no head in time", new errors.HeadersTimeoutError(), "not", "transfer_stalled"],
  ["no more bytes", new errors.BodyTimeoutError(), "not", "transfer_stalled"],
  ...[
    ["ERR_TLS_CERT_ALTNAME_INVALID", "SELF_SIGNED_CERT_IN_CHAIN", "CERT_HAS_EXPIRED"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "DEPTH_ZERO_SELF_SIGNED_CERT", "HOSTNAME_MISMATCH"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "EPROTO", "INVALID_CA"],
  ]
    .flat()
    .map((code) => [code, coded(code), "not", "tls_failed"] as const),
];
for (const [what, error, again, code] of TABLE)
  test(`${what} is ${code}, and ${again === "again" ? "the request is sent again" : "no request is sent again at once"}`, () => {
    assert.equal(mayBeSentAgain(error), again === "again");
    const blame = { side: "source", registry: "r.example", phase: "blob" } as const;
    const failure = networkFailure(error, blame);
    assert.ok(failure instanceof CopyError);
    assert.equal(failure.code, code);
    assert.equal(failure.cause, error);
    assert.equal(CODES[code].retryable, code !== "tls_failed");
  });

for (const code of ["ENOSPC", "EDQUOT"])
  test(`${code} fails the job at once, and says what helps`, async () => {
    const full = toCopyError(coded(code), { side: "destination" });
    assert.deepEqual(
      [full.code, full.retryable, full.context.side],
      ["storage_full", false, "destination"],
    );
    assert.match(full.message, /no space .*: free some, then retry the job/);
    const looking = manifestThere(() => Promise.reject(full), new AbortController().signal);
    await assert.rejects(looking, full, "nobody has seen that there is nothing");
  });

for (const code of ["ENOSPC", "EMFILE", "EIO"])
  test(`${code} is ours, and blamed on nobody`, () => {
    const error = coded(code);
    const blame = { side: "source", registry: "r.example", phase: "blob" } as const;
    assert.equal(networkFailure(error, blame), error);
    assert.equal(mayBeSentAgain(error), false);
  });
