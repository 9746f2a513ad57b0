// Sockets under the egress rule. The check and the dialling use one answer of the resolver: whoever answers otherwise a moment later
// is not asked again.

import { lookup } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import { buildConnector } from "undici";
import { CopyError } from "../errors.ts";
import { decideConnection, decideHost, type EgressRules, type Verdict } from "./egress.ts";

/** All addresses of a name. */
export type Resolve = (name: string) => Promise<readonly string[]>;

const resolveAll: Resolve = async (name) =>
  (await lookup(name, { all: true, order: "verbatim" })).map(({ address }) => address);

/**
 * What an Agent is to connect with: every address of the host must be one that `rules` allow, also where the host is an address itself
 * (for those no `lookup` is ever called), and so must the one that was reached. Fails with `host_denied`, or as undici does.
 */
export const guardedConnector =
  (
    rules: EgressRules,
    options: buildConnector.BuildOptions,
    resolve: Resolve = resolveAll,
  ): buildConnector.connector =>
  (target, callback) => {
    const { hostname, protocol } = target;
    const port = Number(target.port) || (protocol === "https:" ? 443 : 80);
    const insist = (verdict: Verdict): void => {
      if (verdict !== true) throw denied(`${hostname}:${port}`, verdict.reason);
    };
    const check = (addresses: readonly string[]): void =>
      insist(decideConnection(hostname, port, addresses, rules));
    const begin = async (): Promise<void> => {
      insist(decideHost(hostname, port, rules));
      const addresses = isIP(hostname) === 0 ? await resolve(hostname) : [hostname];
      check(addresses);
      buildConnector({ ...options, lookup: answering(addresses) })(target, (...outcome) => {
        const [error, socket] = outcome;
        if (error !== null) return callback(error, null);
        try {
          check([socket.remoteAddress ?? ""]);
        } catch (refused) {
          socket.destroy();
          return callback(refused as CopyError, null);
        }
        callback(null, socket);
      });
    };
    begin().catch((error: unknown) => callback(error as Error, null));
  };

/** A resolver that knows these addresses and no others. */
const answering =
  (addresses: readonly string[]): LookupFunction =>
  (_name, { all }, callback) => {
    const found = addresses.map((address) => ({ address, family: isIP(address) }));
    if (all === true) callback(null, found);
    else callback(null, found[0]?.address ?? "", found[0]?.family);
  };

const denied = (host: string, reason: string): CopyError =>
  new CopyError("host_denied", `\`${host}\` must not be contacted: it ${reason}`, {
    registry: host,
    phase: "connect",
  });
