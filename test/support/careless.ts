// A client that knows nothing of registries but the happy path of the distribution spec, in single requests: what it does carelessly must work at
// a registry without quirks, and must not at one that has the quirk in question. So each quirk is shown to be one.

import { digestOf } from "../../src/image/digest.ts";
import { MANIFEST_TYPES } from "../../src/image/media-types.ts";
import type { RawManifest } from "../../src/image/manifest/manifest.ts";
import type { TestRegistry } from "./registry.ts";

export const ACCEPT = MANIFEST_TYPES.join(", ");

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

export class Careless {
  readonly registry: TestRegistry;
  #token: string | undefined;

  constructor(registry: TestRegistry) {
    this.registry = registry;
  }

  /** Asks for an address, or a path of the registry; redirects are for the caller. */
  async ask(to: string, { method = "GET", headers, body }: Asked = {}): Promise<Response> {
    const url = new URL(to, this.registry.url);
    const authorization = this.#token === undefined ? {} : { authorization: this.#token };
    const response = await fetch(url, {
      method,
      headers: { accept: ACCEPT, ...authorization, ...headers },
      redirect: "manual",
      ...(body !== undefined && { body: new Uint8Array(body) }),
    });
    if (response.status >= 300) await response.arrayBuffer();
    return response;
  }

  /** Fetches a token for these scopes, to be used from now on. False: there is none. */
  async login(...scopes: readonly string[]): Promise<boolean> {
    const query = new URLSearchParams([
      ["service", "test"],
      ...scopes.map((scope) => ["scope", scope]),
    ]);
    const basic = `Basic ${Buffer.from("user:s3cret").toString("base64")}`;
    this.#token = undefined;
    const reply = await this.ask(`/token?${query.toString()}`, {
      headers: { authorization: basic },
    });
    if (!reply.ok) return false;
    this.#token = `Bearer ${((await reply.json()) as { token: string }).token}`;
    return true;
  }

  /** Begins an upload; the `Location` as it stands there. */
  async begin(repository = "b"): Promise<string> {
    const reply = await this.ask(`/v2/${repository}/blobs/uploads/`, { method: "POST" });
    if (reply.status !== 202) throw new Error(`POST was answered with ${reply.status}`);
    return reply.headers.get("location") ?? "";
  }

  /** Where an upload goes on, for one who knows that `Location` may be relative. */
  at(location: string, asked = "/v2/b/blobs/uploads/"): string {
    return new URL(location, new URL(asked, this.registry.url)).href;
  }

  patch(to: string, body: Buffer, from?: number): Promise<Response> {
    const headers =
      from === undefined ? {} : { "content-range": `${from}-${from + body.length - 1}` };
    return this.ask(to, { method: "PATCH", headers, body });
  }

  /** Ends an upload, with the rest of the bytes. */
  put(to: string, whole: Buffer, rest?: Buffer): Promise<Response> {
    const digest = encodeURIComponent(digestOf(whole));
    const body = rest === undefined ? {} : { body: rest };
    return this.ask(`${to}&digest=${digest}`, { method: "PUT", ...body });
  }

  putManifest(ref: string, { bytes, mediaType }: RawManifest): Promise<Response> {
    const headers = { "content-type": mediaType };
    return this.ask(`/v2/b/manifests/${ref}`, { method: "PUT", headers, body: bytes });
  }
}
