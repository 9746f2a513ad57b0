// What a request may hold. These schemas check requests and are what openapi.yaml is made of; what they cannot say (references,
// fields that exclude one another) is said in request.ts.

import { Type, type Static } from "typebox";
import { REQUESTS } from "./examples.ts";
import { DEFAULTS, flag, FORMATS, level, Options, strict } from "./option-schemas.ts";

/** Characters. */
export const REFERENCE_LIMIT = 2048;

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
      "Credentials for a registry: `username` and `password`, or `identityToken`, or `registryToken`, one of the three. Absent: what the service itself has for the registry, if it has anything (`AUTH_FILE`); `{}`: nobody's. They are sealed at rest, come back in no answer, and are forgotten when the job succeeds.",
  },
);

/** How a registry is reached. */
export const side = {
  auth: Type.Optional(Auth),
  tlsVerify: Type.Optional(
    Type.Boolean({
      description:
        "`false`: certificates are not checked, and plain HTTP is used where TLS is not spoken. Absent: they are checked, but where the operator's registries.conf says otherwise.",
    }),
  ),
  caCertificates: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 131_072,
      description: "PEM certificates to trust besides the system's.",
    }),
  ),
};

const sharedBlobDir = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: REFERENCE_LIMIT,
    description:
      "For `oci:`: a folder below the data folder that holds the blobs of several layouts.",
  }),
);

const platformPart = (description: string) =>
  Type.Optional(
    Type.String({ minLength: 1, maxLength: 64, pattern: "^[A-Za-z0-9._-]+$", description }),
  );

export const SourceContext = Type.Object(
  {
    ...side,
    os: platformPart(
      "The image of a list to choose; absent: the one for the service's own platform.",
    ),
    architecture: platformPart(
      "As Go spells it, such as `amd64` or `arm64`. Of a `tarball:`: what its image is for.",
    ),
    variant: platformPart("Such as `v8`."),
    sharedBlobDir,
  },
  { ...strict, description: "How the source is reached, and which image of a list is meant." },
);

const LABEL_KEY = "^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$";

export const reference = (description: string, example: string) =>
  Type.String({ minLength: 1, maxLength: REFERENCE_LIMIT, description, examples: [example] });

export const JobRequest = Type.Object(
  {
    source: reference(
      "The image to copy: `docker://host[:port]/repository[:tag][@digest]`, `oci:path[:name]`, `oci-archive:path[:name]`, `dir:path`, `docker-archive:path[:name[:tag]]`, `docker-daemon:name:tag` (also `name@digest`, or the image's id `sha256:…`) or `tarball:path[:path…]`. `@0` instead of a name in a layout or archive stands for its first image. Paths are below the data folder.",
      "docker://registry.example.com/team/app:1.2",
    ),
    destination: reference(
      "Where to: the same forms, but for those that only name what is there: `@0`, an engine's `name@digest` and id, and `tarball:`. A `docker-archive:` must not exist yet; an `oci-archive:` is replaced.",
      "docker://mirror.example.com/team/app:1.2",
    ),
    options: Type.Optional(Options),
    sourceContext: Type.Optional(SourceContext),
    destinationContext: Type.Optional(
      Type.Object(
        {
          ...side,
          compressionFormat: Type.Optional(
            Type.Enum([...FORMATS], {
              type: "string",
              description:
                "How layers are compressed that are sent to a destination that wants them compressed; absent: gzip, and what is compressed stays as it is.",
            }),
          ),
          compressionLevel: Type.Optional(level),
          acceptUncompressedLayers: Type.Optional(
            flag(false, "For `oci:` and `oci-archive:`: layers stay uncompressed if they are."),
          ),
          dirForceCompress: Type.Optional(flag(false, "For `dir:`: layers are compressed.")),
          dirForceDecompress: Type.Optional(flag(false, "For `dir:`: layers are uncompressed.")),
          sharedBlobDir,
        },
        { ...strict, description: "How the destination is reached." },
      ),
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
          "Runs before the job is failed; only errors that are `retryable` lead to another run, content that is wrong to one.",
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
/** What the contexts of both sides have. */
export type RequestContext = NonNullable<JobRequest["sourceContext"]>;
export type DestinationContext = NonNullable<JobRequest["destinationContext"]>;
