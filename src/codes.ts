// What can go wrong, in the contract's words. One table is the union type, the retry decision, the HTTP status and the documents' list.

/**
 * What each code means to a client and to the queue: the contract's closed list, and the five that the HTTP side needs
 * besides. `retryable`: the same job may succeed later without being changed; `once`: it may, unless it has failed so before (reliability
 * 2.3, "Digest mismatch"): content that was wrong twice would be so again.
 */
export const CODES = {
  // The border: schemas, parsing, access rules.
  invalid_request: {
    status: 400,
    retryable: false,
    title: "The request is not valid",
    remedy: "Correct the fields that `errors` points at.",
  },
  reference_invalid: {
    status: 422,
    retryable: false,
    title: "The reference is not valid",
    remedy: "Use `transport:reference` as the documentation lists it.",
  },
  host_denied: {
    status: 422,
    retryable: false,
    title: "The host must not be contacted",
    remedy: "Ask the operator to allow the host.",
  },
  path_denied: {
    status: 422,
    retryable: false,
    title: "The path lies outside the data folder",
    remedy: "Name a path below the service's data folder.",
  },
  quota_exceeded: {
    status: 429,
    retryable: true,
    title: "Too much at once",
    remedy: "Wait, then try again.",
  },
  unauthenticated: {
    status: 401,
    retryable: false,
    title: "No valid API key was given",
    remedy: "Send `Authorization: Bearer <key>`.",
  },
  not_found: {
    status: 404,
    retryable: false,
    title: "There is no such thing here",
    remedy: "Check the address; jobs of other tenants are not shown.",
  },
  conflict: {
    status: 409,
    retryable: false,
    title: "The job's state does not allow this",
    remedy: "Read the job, then decide anew.",
  },
  idempotency_key_reused: {
    status: 422,
    retryable: false,
    title: "The idempotency key belongs to another request",
    remedy: "Use a new key for a new request.",
  },
  service_unavailable: {
    status: 503,
    retryable: true,
    title: "The service cannot do this now",
    remedy: "Try again in a moment, a POST with the same Idempotency-Key.",
  },
  // Transports.
  source_unauthorized: {
    status: 401,
    retryable: false,
    title: "The source refuses the credentials",
    remedy: "Check the source's `auth` and its rights.",
  },
  destination_unauthorized: {
    status: 401,
    retryable: false,
    title: "The destination refuses the credentials",
    remedy: "Check the destination's `auth` and its rights.",
  },
  source_not_found: {
    status: 404,
    retryable: false,
    title: "The source image does not exist",
    remedy: "Check the source reference.",
  },
  tls_failed: {
    status: 502,
    retryable: false,
    title: "The TLS connection was refused",
    remedy: "Give `caCertificates`, or `tlsVerify: false` where that is acceptable.",
  },
  tag_exists: {
    status: 409,
    retryable: false,
    title: "The tag exists at the destination",
    remedy: "Use another tag, or `ifTagExists: overwrite`.",
  },
  registry_rate_limited: {
    status: 429,
    retryable: true,
    title: "The registry asks to slow down",
    remedy: "The job is tried again by itself; lower the load if it lasts.",
  },
  registry_refused: {
    status: 422,
    retryable: false,
    title: "The registry refuses the request, and would do so again",
    remedy: "Do what `detail` says of the registry, or choose another place.",
  },
  registry_unavailable: {
    status: 502,
    retryable: true,
    title: "The registry does not answer as it should",
    remedy: "The job is tried again by itself; check the registry if it lasts.",
  },
  transfer_stalled: {
    status: 504,
    retryable: true,
    title: "The transfer stood still",
    remedy: "The job is tried again by itself; check the network if it lasts.",
  },
  worker_lost: {
    status: 500,
    retryable: false,
    title: "The job's workers died again and again",
    remedy: "Look at the workers' memory and logs, then retry the job.",
  },
  digest_mismatch: {
    status: 502,
    retryable: "once",
    title: "The content received is not the content named",
    remedy: "Check the side that served it: its storage or a proxy changes bytes.",
  },
  size_mismatch: {
    status: 502,
    retryable: "once",
    title: "The content received has not the size named",
    remedy: "Check the side that served it.",
  },
  storage_full: {
    status: 507,
    // Another attempt would move the same bytes to the same end (reliability 2.3, "ours").
    retryable: false,
    title: "The disk is full",
    remedy: "Free some space where the data goes, or raise its quota; then retry the job.",
  },
  // Decisions and manifests.
  digest_not_preserved: {
    status: 422,
    retryable: false,
    title: "The copy would have another digest",
    remedy:
      "Drop `preserveDigests` or the destination's digest, or choose a destination that takes the image as it is.",
  },
  platform_not_found: {
    status: 404,
    retryable: false,
    title: "The list has no image for the platform",
    remedy: "Choose one of the platforms that the list has.",
  },
  lists_not_supported: {
    status: 422,
    retryable: false,
    title: "The destination takes no lists",
    remedy: "Copy one image: `imageListSelection: system`.",
  },
  referrers_not_supported: {
    status: 422,
    retryable: false,
    title: "The destination takes no referrers",
    remedy: "Copy to a registry or an OCI layout, or without `referrers`.",
  },
  manifest_invalid: {
    status: 422,
    retryable: false,
    title: "The manifest is not valid",
    remedy: "Build the image anew: no client would agree on what it means.",
  },
  layer_invalid: {
    status: 422,
    retryable: false,
    title: "A layer's content is not valid",
    remedy: "Build the image anew: the layer is damaged, cut short, or a decompression bomb.",
  },
  manifest_rejected: {
    status: 422,
    retryable: false,
    title: "The destination refuses the manifest",
    remedy: "Choose a manifest type that the destination takes.",
  },
  // Signatures and encryption.
  policy_rejected: {
    status: 403,
    retryable: false,
    title: "The policy refuses the image",
    remedy: "Sign the image as the policy asks, or change the policy.",
  },
  signing_failed: {
    status: 422,
    retryable: false,
    title: "The image could not be signed",
    remedy: "Check the key and its passphrase.",
  },
  decrypt_params_missing: {
    status: 422,
    retryable: false,
    title: "No key fits the encrypted layers",
    remedy: "Give the key in `ociDecryptConfig`.",
  },
  decryption_failed: {
    status: 422,
    retryable: false,
    title: "A layer could not be decrypted",
    remedy: "Check the key; the layer may be damaged.",
  },
  encryption_failed: {
    status: 422,
    retryable: false,
    title: "A layer could not be encrypted",
    remedy: "Check the recipients.",
  },
  // Clock and bugs.
  timeout: {
    status: 504,
    retryable: false,
    title: "It took longer than it may",
    remedy: "Give the job more `timeoutSeconds`; other requests have a minute.",
  },
  internal: {
    status: 500,
    retryable: true,
    title: "Something unexpected went wrong",
    remedy: "Tell the operator; the logs have the cause.",
  },
} as const satisfies Record<
  string,
  { status: number; retryable: boolean | "once"; title: string; remedy: string }
>;

export type Code = keyof typeof CODES;
