// What goes wrong before a request is on its way: names that cannot be resolved, ports where nobody listens, TLS that does not come about.
// It happens where names become addresses: that is asked at each dialling, and each address has somebody else behind it.

import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import type { Resolve } from "../../src/host/connector.ts";
import { issue } from "./certificates.ts";

/** Nobody listens; the resolver does not know for now; the handshake is hung up on; the certificate is a stranger's, or another host's. */
export type DialFault = "refused" | "unresolved" | "hung-up" | "stranger" | "misnamed";

/** Without TLS there is nobody for the last three. */
export const needsTls = (how: DialFault): boolean => how !== "refused" && how !== "unresolved";

const ADDRESSES = {
  refused: "127.0.0.2",
  "hung-up": "127.0.0.3",
  stranger: "127.0.0.4",
  misnamed: "127.0.0.5",
} as const;

/** Of all names below it. */
export const DOMAIN = "registry.test";

/** A private authority, and the certificates that servers show. */
export function makeIdentities() {
  const authority = issue({ subject: "an authority", authority: true });
  const tlsFor = (hostname: string, by = authority): TlsOptions => {
    const { pem, privateKey } = issue({ subject: "a server", hostname }, by);
    return { cert: pem, key: privateKey.export({ type: "pkcs8", format: "pem" }) };
  };
  return {
    ca: authority.pem,
    right: tlsFor(`*.${DOMAIN}`),
    misnamed: tlsFor("elsewhere.test"),
    stranger: tlsFor(`*.${DOMAIN}`, issue({ subject: "a stranger", authority: true })),
  };
}

export type Identities = ReturnType<typeof makeIdentities>;

/** One name below the domain, and what becomes of those who dial it. */
export class Dialling implements AsyncDisposable {
  readonly host: string;
  /** Dials that went wrong. */
  failed = 0;
  readonly #servers: readonly Server[];
  #next: { readonly how: DialFault; left: number } | undefined;

  constructor(host: string, servers: readonly Server[]) {
    this.host = host;
    this.#servers = servers;
  }

  /** So many dials go wrong, from now on. */
  fail(how: DialFault, times: number): void {
    this.#next = { how, left: times };
  }

  /** What was dialled before, and did not come about in time, does not either. */
  get isDown(): boolean {
    return (this.#next?.left ?? 0) > 0;
  }

  /** All is well again, and nothing has happened. */
  heal(): void {
    this.#next = undefined;
    this.failed = 0;
  }

  /** As a resolver does it. */
  address(): string {
    const next = this.#next;
    if (next === undefined || next.left <= 0) return "127.0.0.1";
    next.left--;
    this.failed++;
    if (next.how === "unresolved")
      throw Object.assign(new Error("getaddrinfo EAI_AGAIN"), { code: "EAI_AGAIN" });
    return ADDRESSES[next.how];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      this.#servers.map((server) => {
        server.close();
        return once(server, "close");
      }),
    );
  }
}

/** For `Registries`: knows these names, and all others as they are. */
export const resolverOf =
  (diallings: readonly Dialling[]): Resolve =>
  async (name) => {
    const found = diallings.find(({ host }) => host.startsWith(`${name}:`));
    if (found === undefined) throw new Error(`${name} is not known here`);
    return [found.address()];
  };

/** A name for a server at 127.0.0.1. With identities it is reached over TLS, at a port of its own. */
export async function startDialling(
  label: string,
  target: string,
  identities?: Identities,
): Promise<Dialling> {
  const port = Number(target.split(":")[1]);
  if (identities === undefined) return new Dialling(`${label}.${DOMAIN}:${port}`, []);
  const front = await listen(
    createTlsServer(identities.right, (near) => pipe(near, connect(port, "127.0.0.1"))),
    "127.0.0.1",
    0,
  );
  const own = (front.address() as AddressInfo).port;
  const others = await Promise.all([
    listen(
      createServer((socket) => socket.once("data", () => socket.destroy())),
      ADDRESSES["hung-up"],
      own,
    ),
    listen(createTlsServer(identities.stranger), ADDRESSES.stranger, own),
    listen(createTlsServer(identities.misnamed), ADDRESSES.misnamed, own),
  ]);
  return new Dialling(`${label}.${DOMAIN}:${own}`, [front, ...others]);
}

async function listen(server: Server, address: string, port: number): Promise<Server> {
  server.on("connection", (socket: Socket) => socket.on("error", () => {}));
  server.on("tlsClientError", () => {});
  await once(server.listen(port, address), "listening");
  return server;
}

function pipe(near: Socket, far: Socket): void {
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const)
    from
      .on("error", () => to.destroy())
      .on("close", () => to.destroy())
      .pipe(to);
}
