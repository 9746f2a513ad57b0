// Where the docker engine is, in the words of the docker command's own settings.

/** DOCKER_HOST and DOCKER_CERT_PATH. */
export interface DockerSettings {
  /** `unix:///path` or `tcp://host:port`; undefined: jobs may use no engine. */
  readonly host: string | undefined;
  /** A folder with `ca.pem`, `cert.pem` and `key.pem`: TCP is encrypted, and both sides show who they are. */
  readonly certPath?: string;
}

export interface EngineAddress {
  /** What requests are addressed to. */
  readonly origin: string;
  readonly socketPath?: string;
  readonly tls: boolean;
}

/** The address, or the reason why there is none that may be used. */
export function engineAddress({
  host,
  certPath,
}: DockerSettings): EngineAddress | { readonly reason: string } {
  if (host === undefined) return { reason: "is not set, and no engine is open to jobs" };
  const [, socketPath] = /^unix:\/\/(\/.+)$/.exec(host) ?? [];
  // A socket has no host, but HTTP wants one.
  if (socketPath !== undefined) return { origin: "http://docker", socketPath, tls: false };
  const url = host.startsWith("tcp://") ? URL.parse(`http${host.slice("tcp".length)}`) : null;
  if (url === null || url.port === "" || url.pathname !== "/" || url.username !== "")
    return { reason: "is neither `unix:///path` nor `tcp://host:port`" };
  if (certPath !== undefined) return { origin: `https://${url.host}`, tls: true };
  if (/^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname))
    return { origin: url.origin, tls: false };
  return {
    reason: "is another machine, which is asked over TLS only: DOCKER_CERT_PATH is missing",
  };
}
