import type { Semaphore } from "../copy/interfaces.ts";
import type { Side } from "../errors.ts";
import type { Digest } from "../image/digest.ts";
import type { Registries } from "./docker/registries.ts";

/** What a process has for all that it reaches: it outlives the job. */
export interface AccessDeps {
  /** The root of all paths in references. */
  readonly dataDir: string;
  /** One holder at a time in the whole cluster, by name: what writers of one layout agree on. */
  readonly exclusive: (name: string) => Semaphore;
  /** The process's connections, tokens and knowledge of registries. */
  readonly registries: Registries;
}

/** What a client says of how a side is to be reached. */
export interface AccessWish {
  readonly credentials?:
    | { readonly username: string; readonly password: string }
    | { readonly identityToken: string }
    | { readonly registryToken: string };
  /** False: certificates are not checked, and plain HTTP is tried where TLS is not spoken. */
  readonly tlsVerify: boolean;
  /** PEM; added to the system's authorities. */
  readonly caCertificates?: string;
  /** `oci:`: the folder below the data folder where the layout's blobs are, instead of its own. */
  readonly sharedBlobDir?: string;
  /** `oci:` destinations: layers stay uncompressed if they are. */
  readonly acceptUncompressedLayers?: boolean;
  /** `dir:` destinations; at most one of them. */
  readonly dirForceCompress?: boolean;
  readonly dirForceDecompress?: boolean;
}

/** How one side of one job is to be reached: built per job, so that nothing of one tenant is left for the next. */
export interface AccessContext extends AccessDeps, AccessWish {
  readonly side: Side;
  /** Sources: the digest that an earlier attempt found the reference to name. It is read instead of the tag. */
  readonly pinned?: Digest;
}

export const accessTo = (
  side: Side,
  wish: AccessWish,
  { dataDir, exclusive, registries }: AccessDeps,
): AccessContext => ({ ...wish, side, dataDir, exclusive, registries });
