import type { Semaphore } from "../copy/interfaces.ts";
import { CopyError, type Side } from "../errors.ts";
import type { HostCertificates } from "../host/certs-d.ts";
import type { Digest } from "../image/digest.ts";
import type { Platform, PlatformChoice } from "../image/platform.ts";
import type { DockerEngine } from "./docker-daemon/engine.ts";
import type { Registries } from "./docker/registries.ts";
import type { UploadSessions } from "./docker/upload/upload-sessions.ts";

/** What a process has for all that it reaches: it outlives the job. */
export interface AccessDeps {
  /** The root of all paths in references. */
  readonly dataDir: string;
  /** One holder at a time in the whole cluster, by name: what writers of one layout agree on. */
  readonly exclusive: (name: string) => Semaphore;
  /** The process's connections, tokens and knowledge of registries. */
  readonly registries: Registries;
  /** The operator's docker engine. */
  readonly engine: DockerEngine;
  /** The machine's own platform. */
  readonly host: Platform;
}

/** What a client says of how a side is to be reached. The platform: what an image is said to run on that is made of a `tarball:`. */
export interface AccessWish extends PlatformChoice {
  readonly credentials?:
    | { readonly username: string; readonly password: string }
    | { readonly identityToken: string }
    | { readonly registryToken: string };
  /** The registry is asked as by nobody, whatever credentials the service has for it. */
  readonly anonymous?: boolean;
  /**
   * False: certificates are not checked, and plain HTTP is tried where TLS is not spoken. Absent: as the operator's registries.conf has
   * it for the place that is contacted; true where that says nothing.
   */
  readonly tlsVerify?: boolean;
  /** PEM; added to the system's authorities. */
  readonly caCertificates?: string;
  /** `oci:`: the folder below the data folder where the layout's blobs are, instead of its own. */
  readonly sharedBlobDir?: string;
  /** `oci:` destinations: layers stay uncompressed if they are. */
  readonly acceptUncompressedLayers?: boolean;
  /** `dir:` destinations; at most one of them. */
  readonly dirForceCompress?: boolean;
  readonly dirForceDecompress?: boolean;
  /** `docker-archive:` destinations: more names for the image, `[registry/]repository[:tag]`. */
  readonly additionalTags?: readonly string[];
  /** `oci-archive:` destinations: the time of all files in it (RFC 3339). */
  readonly destinationTimestamp?: string;
}

/** How one side of one job is to be reached: built per job, so that nothing of one tenant is left for the next. */
export interface AccessContext extends AccessDeps, AccessWish {
  readonly side: Side;
  /** Registries: what the operator has for the one that is contacted. */
  readonly hostCertificates?: HostCertificates | undefined;
  /** Sources: the digest that an earlier attempt found the reference to name. It is read instead of the tag. */
  readonly pinned?: Digest;
  /** Destinations: the tenant's uploads that were left behind; absent: none outlives its attempt. */
  readonly uploads?: UploadSessions;
  /** Destinations: an earlier attempt of the same job came as far as this one, and may have written. */
  readonly resumed?: boolean;
}

/** Throws `invalid_request` for `tlsVerify: false` where the operator does not allow it, however old the job is that has it. */
export function accessTo(
  side: Side,
  wish: AccessWish,
  { dataDir, exclusive, registries, engine, host }: AccessDeps,
): AccessContext {
  if (wish.tlsVerify === false && registries.mustVerify)
    throw new CopyError("invalid_request", `the ${side}'s \`tlsVerify\` ${MUST_VERIFY}`, { side });
  return { ...wish, side, dataDir, exclusive, registries, engine, host };
}

/** The end of a sentence that begins with the field. */
export const MUST_VERIFY =
  "must not be `false` here, by the operator's TLS_VERIFY: leave it out, and give `caCertificates` where the registry's authority is not known";
