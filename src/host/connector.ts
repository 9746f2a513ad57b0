// Sockets under the egress rule. The check and the dialling use one answer of the resolver: whoever answers otherwise a moment later
// is not asked again.

import { once } from "node:events";
import { lookup } from "node:dns/promises";
import net, { isIP, type LookupFunction, type OnReadOpts, type Socket } from "node:net";
import tls, { type ConnectionOptions, type SecureContext } from "node:tls";
import { errors, type buildConnector } from "undici";
import { CopyError } from "../errors.ts";
import { decideConnection, decideHost, type EgressRules, type Verdict } from "./egress.ts";

/** All addresses of a name. */
export type Resolve = (name: string) => Promise<readonly string[]>;

const resolveAll: Resolve = async (name) =>
  (await lookup(name, { all: true, order: "verbatim" })).map(({ address }) => address);

/** What all connections of one identity have in common. */
export interface DialOptions {
  /** ms for resolving, TCP and TLS together. */
  readonly timeout: number;
  /** Default: true. */
  readonly rejectUnauthorized?: boolean;
  /** Authorities and client certificate. */
  readonly secureContext?: SecureContext;
}

/** What URL and undici call them: the hostname of an IPv6 address may have brackets, the port may be empty. */
export type Target = Pick<URL, "protocol" | "hostname" | "port">;

export interface Wish {
  /** Where received bytes go, instead of into a stream (net.Socket). */
  readonly onread?: OnReadOpts;
  /** Ends the dialling, not the connection. */
  readonly signal?: AbortSignal;
}

/**
 * Opens a connection, ready for the first request. Fails with `host_denied`, with the resolver's, the system's or OpenSSL's error, with
 * undici's ConnectTimeoutError, or with `signal`'s reason. Whoever gets the socket is to look whether it is destroyed already.
 */
export type Dial = (target: Target, wish?: Wish) => Promise<Socket>;

/** TLS sessions are taken up again where the same identity has met the same host and port before. */
const SESSIONS = 100;
const KEEP_ALIVE_MS = 60_000;

/**
 * Dials hosts all of whose addresses are such that `rules` allow, also where the host is an address itself (for those no `lookup` is ever
 * called), and so must be the one that was reached.
 */
export function dialler(
  rules: EgressRules,
  options: DialOptions,
  resolve: Resolve = resolveAll,
): Dial {
  const sessions = new Map<string, Buffer>();
  return async (target, { onread, signal } = {}) => {
    const host = target.hostname.replace(/^\[(.*)\]$/, "$1");
    const isTls = target.protocol === "https:";
    const port = Number(target.port) || (isTls ? 443 : 80);
    const name = `${host}:${port}`;
    const insist = (verdict: Verdict): void => {
      if (verdict !== true) throw denied(name, verdict.reason);
    };
    const check = (addresses: readonly string[]): void =>
      insist(decideConnection(host, port, addresses, rules));
    signal?.throwIfAborted();
    insist(decideHost(host, port, rules));
    const where = {
      host,
      port,
      lookup: checked(resolve, check),
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_MS,
      ...(onread !== undefined && { onread }),
    };
    const socket = isTls
      ? overTls({ ...where, ...tlsOf(options), session: sessions.get(name) }, (session) => {
          if (sessions.size >= SESSIONS) sessions.clear();
          sessions.set(name, session);
        })
      : net.connect(where);
    const reached = () => {
      // There is none where the other side has broken off already: that is no address that is forbidden.
      if (socket.remoteAddress === undefined) throw new errors.SocketError("other side closed");
      check([socket.remoteAddress]);
    };
    await opened(socket, { ready: isTls ? "secureConnect" : "connect", reached }, options, signal);
    return socket;
  };
}

/** As `dialler`, in the form that an undici Agent is to connect with. */
export const guardedConnector = (
  rules: EgressRules,
  options: DialOptions,
  resolve?: Resolve,
): buildConnector.connector => asConnector(dialler(rules, options, resolve));

export const asConnector =
  (dial: Dial): buildConnector.connector =>
  ({ protocol, hostname, port }, callback) => {
    dial({ protocol, hostname, port }).then(
      (socket) => callback(null, socket),
      (error: unknown) => callback(error as Error, null),
    );
  };

const tlsOf = ({ rejectUnauthorized = true, secureContext }: DialOptions) => ({
  rejectUnauthorized,
  ...(secureContext !== undefined && { secureContext }),
});

function overTls(
  where: ConnectionOptions & { readonly host: string },
  remember: (session: Buffer) => void,
): Socket {
  // Bulk bytes are slower over HTTP/2: one connection's flow control for all blobs.
  const ALPNProtocols = ["http/1.1"];
  // An address is no server name (RFC 6066, section 3); the certificate is held to `host` all the same.
  const servername = isIP(where.host) === 0 ? where.host : "";
  return tls.connect({ ...where, servername, ALPNProtocols }).on("session", remember);
}

/** Waits until a socket is ready; one that is not in time, or not where it may be, is destroyed. */
async function opened(
  socket: Socket,
  { ready, reached }: { readonly ready: string; readonly reached: () => void },
  { timeout }: DialOptions,
  signal: AbortSignal | undefined,
): Promise<void> {
  // Its errors are told by whatever is under way; the rest of its life it must not end the process.
  socket.on("error", () => {});
  const late = setTimeout(() => {
    socket.destroy(new errors.ConnectTimeoutError(`no connection within ${timeout} ms`));
  }, timeout);
  const abort = () => socket.destroy(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    await once(socket, ready);
    reached();
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(late);
    signal?.removeEventListener("abort", abort);
  }
}

/** What a name resolves to, if `check` does not throw: that is dialled, and nobody is asked again. */
const checked =
  (resolve: Resolve, check: (addresses: readonly string[]) => void): LookupFunction =>
  (name, { all }, callback) => {
    const found = resolve(name).then((addresses) => {
      check(addresses);
      return addresses.map((address) => ({ address, family: isIP(address) }));
    });
    found.then(
      (addresses) =>
        all === true
          ? callback(null, addresses)
          : callback(null, addresses[0]?.address ?? "", addresses[0]?.family),
      (error: unknown) => callback(error as Error, ""),
    );
  };

const denied = (host: string, reason: string): CopyError =>
  new CopyError("host_denied", `\`${host}\` must not be contacted: it ${reason}`, {
    registry: host,
    phase: "connect",
  });
