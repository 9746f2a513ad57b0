// The `docker:` transport: images in registries that speak the OCI distribution protocol. registries.ts is what a process keeps
// between jobs (connections, tokens, what it learnt of each registry); http.ts is a registry as one side of one job sees it (auth,
// redirects, retries, errors) over connections.ts (one exchange); source.ts and destination.ts say get and put in the protocol's words.

import { createHash } from "node:crypto";
import { CopyError } from "../../errors.ts";
import { CertsDir, type HostCertificates } from "../../host/certs-d.ts";
import { dialler, type Resolve } from "../../host/connector.ts";
import type { EgressRules } from "../../host/egress.ts";
import { Keychain, type KeychainSettings } from "../../host/keychain.ts";
import { watchRegistriesConf } from "../../host/registries-conf-reader.ts";
import { NO_REGISTRIES, type RegistriesConf } from "../../host/registries-conf.ts";
import type { Challenge } from "./auth/challenge.ts";
import { Connections } from "./connections.ts";
import { LocalPaceStore, Pace, type PaceStore } from "./pace/pace.ts";
import type { StallRule } from "./stall-watch.ts";
import { quirksOf, type Quirks } from "./quirks.ts";
import { NO_SERVICES, type TokenServices } from "./auth/realms.ts";
import { Recent } from "../../recent.ts";
import { Schemes } from "./schemes.ts";
import { secureContextOf, tlsKey, type TlsIdentity } from "./tls.ts";
import { Tokens } from "./auth/tokens.ts";
import { Losses } from "./upload/losses.ts";
import { SentWindows } from "./upload/sent-window.ts";
import type { UploadNeeds } from "./upload/upload-mode.ts";
import { Slabs } from "./wire/slabs.ts";

/** Whose connections are kept apart: nothing that one of them was shown, or has negotiated, is there for another. */
export interface ConnectionIdentity extends TlsIdentity {
  readonly credentials?: object;
}

export interface Timing extends StallRule {
  /** So many ms may pass between a blob's last byte and the registry's word on it: it may have to store it first. */
  readonly storeMs: number;
  /** The pause, in ms, before a request is sent for the second time. */
  readonly retryMs: number;
  /** The first pause, in ms, after a transfer broke that had not moved. */
  readonly breakMs: number;
}

/** What the operator says of registries, most of it in files. Those are read again when they change. */
export interface RegistryFiles {
  /** registries.conf; its drop-ins are beside it. */
  readonly registriesConf?: string;
  /** certs.d: authorities and client certificates by host. */
  readonly certsDir?: string;
  /** The service's own credentials. */
  readonly keychain?: KeychainSettings;
  /** Certificates are checked, whatever a request says: only registries.conf has exceptions. */
  readonly mustVerify?: boolean;
  /** Token services that are shown credentials though they are of other domains than their registries. */
  readonly tokenServices?: TokenServices;
  /** Hears of a change after which a file cannot be used; what it said before stays in force. */
  readonly onFault?: (error: unknown) => void;
}

/** What may be otherwise than usual: for tests and measurements. */
export interface RegistriesParts {
  /** Large bodies have a way of their own (default: true). */
  readonly wire?: boolean;
  /** Uploads keep what they have sent last, where they break (default: true). */
  readonly keepsSent?: boolean;
  readonly quirks?: typeof quirksOf;
  /** Knows hosts' addresses; by default the system does. */
  readonly resolve?: Resolve;
}

const TIMING: Timing = {
  stallMs: 60_000,
  stallBytes: 64 * 1024,
  storeMs: 300_000,
  retryMs: 200,
  breakMs: 500,
};
const CONNECT_MS = 30_000;
/** Entries of each of the maps below: clients choose hosts and certificates. */
const REMEMBERED = 1_000;
/** Identities whose connections are kept. */
const IDENTITIES = 256;

/** The connections and the knowledge of one process; jobs share them, and see nothing of each other's credentials through them. */
export class Registries implements AsyncDisposable {
  readonly timing: Timing;
  /** What is known of a registry in advance. */
  readonly quirksOf: (registry: string) => Quirks;
  /** No request may have certificates unchecked. */
  readonly mustVerify: boolean;
  /** The operator's credentials; undefined: there are none. */
  readonly keychain: Keychain | undefined;
  readonly tokenServices: TokenServices;
  readonly tokens = new Tokens();
  readonly pace: Pace;
  /** By the scopes that we ask for: those that a registry wants besides. */
  readonly scopes = new Recent<readonly string[]>(REMEMBERED);
  /** By TLS identity and origin, and by repository besides: what a 401 asked for, so that later requests authenticate at once. */
  readonly challenges = new Recent<Challenge>(REMEMBERED);
  readonly schemes = new Schemes();
  /** Repositories, as `registry/repository`, in which there was something. */
  readonly filled = new Recent<true>(REMEMBERED);
  /** By registry: in what pieces it turned out to take blobs. */
  readonly uploads = new Recent<UploadNeeds>(REMEMBERED);
  readonly losses = new Losses();
  /** Uploads keep what they have sent last, where they break. */
  readonly keepsSent: boolean;
  readonly windows: SentWindows;
  readonly #conf: { readonly current: RegistriesConf };
  readonly #certs: CertsDir | undefined;
  readonly #egress: EgressRules;
  readonly #resolve: Resolve | undefined;
  readonly #slabs: Slabs | undefined;
  readonly #connections = new Recent<Connections>(IDENTITIES);
  /** Those that were pushed out; they end when their last request does. */
  readonly #closing = new Set<Connections>();

  /**
   * `egress`: what every connection is held to, whoever named its host. `paces`: whoever shares it shares what is learnt of registries'
   * limits. Throws where a file of the operator's cannot be used from the start.
   */
  constructor(
    egress: EgressRules,
    timing: Partial<Timing> = {},
    files: RegistryFiles = {},
    paces: PaceStore = new LocalPaceStore(),
    { wire = true, keepsSent = true, quirks = quirksOf, resolve }: RegistriesParts = {},
  ) {
    this.keepsSent = keepsSent;
    this.quirksOf = quirks;
    const { registriesConf, certsDir, keychain, tokenServices, onFault = () => {} } = files;
    this.tokenServices = tokenServices ?? NO_SERVICES;
    this.mustVerify = files.mustVerify ?? false;
    this.#conf =
      registriesConf === undefined
        ? { current: NO_REGISTRIES }
        : watchRegistriesConf(registriesConf, onFault);
    this.#certs = certsDir === undefined ? undefined : new CertsDir(certsDir, onFault);
    // Without settings there is nothing that a keychain could know.
    this.keychain =
      keychain && new Keychain(keychain, onFault, () => this.#conf.current.credentialHelpers);
    this.#egress = egress;
    this.#resolve = resolve;
    const slabs = new Slabs();
    this.#slabs = wire ? slabs : undefined;
    this.windows = new SentWindows(slabs);
    this.pace = new Pace(paces);
    this.timing = { ...TIMING, ...timing };
  }

  /** What the operator's registries.conf says now. */
  get conf(): RegistriesConf {
    return this.#conf.current;
  }

  /** The operator's certificates for a registry. Throws `tls_failed` where they cannot be used. */
  certificatesOf(registry: string): HostCertificates | undefined {
    try {
      return this.#certs?.of(registry);
    } catch (error) {
      const why = error instanceof Error ? error.message : "";
      const what = `the operator's certificates for ${registry} cannot be used: ${why}`;
      throw new CopyError("tls_failed", what, { registry, phase: "connect" }, error);
    }
  }

  /** The connections of this identity, to be used for an address. Throws `tls_failed` if its certificates are none. */
  connections(access: ConnectionIdentity, { hostname }: URL): Connections {
    const identity = { ...access, hostCertificates: access.hostCertificates?.for(hostname) };
    const key = `${tlsKey(identity)} ${credentialsKey(identity)}`;
    const known = this.#connections.get(key);
    if (known !== undefined) return known;
    const opened = this.#open(identity);
    const old = this.#connections.set(key, opened);
    if (old !== undefined) {
      this.#closing.add(old);
      void old.close().finally(() => this.#closing.delete(old));
    }
    return opened;
  }

  /** Ends all connections; what is still under way fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.tokens[Symbol.asyncDispose]();
    const all = [...this.#connections.values(), ...this.#closing];
    await Promise.all(all.map((each) => each.destroy()));
  }

  #open(identity: TlsIdentity): Connections {
    const secureContext = secureContextOf(identity);
    const options = {
      timeout: CONNECT_MS,
      rejectUnauthorized: identity.tlsVerify !== false,
      ...(secureContext !== undefined && { secureContext }),
    };
    const dial = dialler(this.#egress, options, this.#resolve);
    return new Connections({ dial, slabs: this.#slabs, stallMs: this.timing.stallMs });
  }
}

/** A name for the credentials that is safe to keep, and short. */
export const credentialsKey = ({ credentials }: Pick<ConnectionIdentity, "credentials">): string =>
  credentials === undefined ? "" : sha256(JSON.stringify(credentials));

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
