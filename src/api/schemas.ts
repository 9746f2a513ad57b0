// What a request may hold. These schemas check requests and are what openapi.yaml is made of; what they cannot say (references,
// fields that exclude one another) is said in request.ts.

import { Type, type Static } from "typebox";
import { REQUESTS } from "./examples.ts";

/** Characters. */
export const REFERENCE_LIMIT = 2048;

/** What an absent field means. */
export const DEFAULTS = {
  imageListSelection: "system",
  preserveDigests: false,
  removeSignatures: false,
  maxParallelDownloads: 6,
  optimizeDestinationImageAlreadyExists: false,
  downloadForeignLayers: false,
  ifTagExists: "overwrite",
  progressIntervalMs: 1000,
  tlsVerify: true,
  priority: 0,
  attempts: 3,
  timeoutSeconds: 3600,
} as const;

/** Unknown fields are errors. */
export const strict = { additionalProperties: false } as const;

const flag = (fallback: boolean, description: string) =>
  Type.Boolean({ default: fallback, description });

const Auth = Type.Object(
  {
    username: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 1024,
        description: "With `password`: basic authentication, or what a token server is given.",
      }),
    ),
    password: Type.Optional(Type.String({ maxLength: 16_384 })),
    identityToken: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 65_536,
        description: "An OAuth2 refresh token, as `docker login` keeps it.",
      }),
    ),
    registryToken: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 65_536,
        description: "A bearer token that is sent to the registry as it is.",
      }),
    ),
  },
  {
    ...strict,
    description:
      "Credentials for a registry: `username` and `password`, or `identityToken`, or `registryToken`, one of the three. They are sealed at rest, come back in no answer, and are forgotten when the job succeeds.",
  },
);

const side = {
  auth: Type.Optional(Auth),
  tlsVerify: Type.Optional(
    flag(
      DEFAULTS.tlsVerify,
      "`false`: certificates are not checked, and plain HTTP is used where TLS is not spoken.",
    ),
  ),
  caCertificates: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 131_072,
      description: "PEM certificates to trust besides the system's.",
    }),
  ),
};

const platformPart = (description: string) =>
  Type.Optional(
    Type.String({ minLength: 1, maxLength: 64, pattern: "^[A-Za-z0-9._-]+$", description }),
  );

export const Options = Type.Object(
  {
    imageListSelection: Type.Optional(
      Type.Enum(["system", "all", "specific"], {
        type: "string",
        default: DEFAULTS.imageListSelection,
        description:
          "What is copied of a list (a multi-platform image): the image for one platform, the list with all its images, or the list with some of them.",
      }),
    ),
    instances: Type.Optional(
      Type.Array(Type.String({ maxLength: 136 }), {
        maxItems: 1024,
        uniqueItems: true,
        description:
          "With `specific`: digests of the images to copy. An empty list copies the list alone.",
      }),
    ),
    platforms: Type.Optional(
      Type.Array(Type.String({ maxLength: 200 }), {
        maxItems: 128,
        uniqueItems: true,
        description:
          "With `specific`: the images to copy by platform, `os/architecture[/variant]`, besides those of `instances`.",
      }),
    ),
    preserveDigests: Type.Optional(
      flag(DEFAULTS.preserveDigests, "Fail rather than write a manifest with another digest."),
    ),
    removeSignatures: Type.Optional(flag(DEFAULTS.removeSignatures, "Do not copy signatures.")),
    maxParallelDownloads: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 64,
        default: DEFAULTS.maxParallelDownloads,
        description: "Blobs of this job that are copied at once.",
      }),
    ),
    optimizeDestinationImageAlreadyExists: Type.Optional(
      flag(
        DEFAULTS.optimizeDestinationImageAlreadyExists,
        "Copy nothing if the destination names the same manifest already.",
      ),
    ),
    downloadForeignLayers: Type.Optional(
      flag(
        DEFAULTS.downloadForeignLayers,
        "Copy layers that are kept elsewhere (with URLs) as if they were usual ones.",
      ),
    ),
    ifTagExists: Type.Optional(
      Type.Enum(["overwrite", "fail", "skip"], {
        type: "string",
        default: DEFAULTS.ifTagExists,
        description:
          "What a tag that exists at the destination means: it is moved, the job fails with `tag_exists`, or the job succeeds and has written nothing.",
      }),
    ),
    progressIntervalMs: Type.Optional(
      Type.Integer({
        minimum: 100,
        maximum: 60_000,
        default: DEFAULTS.progressIntervalMs,
        description: "At most one `blob-read` event a blob in so many milliseconds.",
      }),
    ),
  },
  strict,
);

const LABEL_KEY = "^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$";

const reference = (description: string, example: string) =>
  Type.String({ minLength: 1, maxLength: REFERENCE_LIMIT, description, examples: [example] });

export const JobRequest = Type.Object(
  {
    source: reference(
      "The image to copy: `docker://host[:port]/repository[:tag][@digest]`, `oci:path[:name]` or `dir:path`. Paths are below the data folder.",
      "docker://registry.example.com/team/app:1.2",
    ),
    destination: reference("Where to: the same forms.", "docker://mirror.example.com/team/app:1.2"),
    options: Type.Optional(Options),
    sourceContext: Type.Optional(
      Type.Object(
        {
          ...side,
          os: platformPart(
            "With `imageListSelection: system`: the platform to choose; absent: the worker's own.",
          ),
          architecture: platformPart("As Go spells it, such as `amd64` or `arm64`."),
          variant: platformPart("Such as `v8`."),
        },
        { ...strict, description: "How the source is reached." },
      ),
    ),
    destinationContext: Type.Optional(
      Type.Object(side, { ...strict, description: "How the destination is reached." }),
    ),
    priority: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 999,
        default: DEFAULTS.priority,
        description:
          "0 is the usual. 1 goes first, then 2 and so on; the usual come after all of them.",
      }),
    ),
    attempts: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 20,
        default: DEFAULTS.attempts,
        description:
          "Runs before the job is failed; only errors that are `retryable` lead to another run.",
      }),
    ),
    timeoutSeconds: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 86_400,
        default: DEFAULTS.timeoutSeconds,
        description: "For each run.",
      }),
    ),
    labels: Type.Optional(
      Type.Object(
        {},
        {
          additionalProperties: Type.String({ maxLength: 255 }),
          propertyNames: { type: "string", pattern: LABEL_KEY },
          maxProperties: 32,
          description:
            "For finding jobs again, at most 32. A key is 1 to 63 letters, digits, `.`, `_`, `/` and `-`, and begins with a letter or digit.",
        },
      ),
    ),
  },
  { ...strict, $id: "JobRequest", examples: [...REQUESTS] },
);
export type JobRequest = Static<typeof JobRequest>;
/** A source's context, which has all that a destination's has. */
export type RequestContext = NonNullable<JobRequest["sourceContext"]>;
