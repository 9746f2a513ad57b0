// Has the service write the exhibits.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { DockerRegistry } from "../../support/peers.ts";
import { putSample } from "../../support/places.ts";
import type { TestRegistry } from "../../support/registry.ts";
import type { Service } from "../../support/service.ts";
import { CORPUS } from "../matrix/corpus.ts";
import type { Exhibit, Kind } from "./exhibits.ts";
import type { Written } from "./readers.ts";

export interface Stage {
  readonly origin: TestRegistry;
  readonly registry: DockerRegistry;
  readonly service: Service;
}

/** Where it was written. Throws where it was not. */
export async function writeExhibit(
  { origin, registry, service }: Stage,
  exhibit: Exhibit,
): Promise<Omit<Written, "scratch">> {
  const id = exhibit.name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const publish = (): never => {
    throw new Error("no exhibit has layers elsewhere");
  };
  const source = CORPUS[exhibit.input].make({ seed: id, repository: id, tag: "1", publish });
  putSample(origin, id, "1", source);
  await mkdir(join(service.dataDir, "exhibits"), { recursive: true });
  const { ours, theirs } = placesOf(exhibit.to, id, registry.host, service.dataDir);
  const { destinationContext, options = {} } = exhibit.request ?? {};
  const tls = exhibit.to === "docker" ? { tlsVerify: false } : {};
  const { id: job } = await service.submit({
    source: `docker://${origin.host}/${id}:1`,
    destination: ours,
    options,
    sourceContext: { tlsVerify: false },
    destinationContext: { ...tls, ...destinationContext },
  });
  const { result, error } = await service.finished(job);
  if (result === null) throw new Error(`${error?.code}: ${error?.detail}`);
  return { exhibit, source, digest: result.manifestDigest, at: theirs };
}

/** The destination in the service's words, and where others find it. */
function placesOf(
  kind: Kind,
  id: string,
  host: string,
  dataDir: string,
): { readonly ours: string; readonly theirs: string } {
  if (kind === "docker") return { ours: `docker://${host}/${id}:1`, theirs: `${host}/${id}:1` };
  const archive = kind.endsWith("archive") ? ".tar" : "";
  const name = { oci: ":copy", "oci-archive": ":copy", dir: "", "docker-archive": `:read/${id}:1` };
  const path = `exhibits/${id}${archive}${name[kind]}`;
  return { ours: `${kind}:${path}`, theirs: join(dataDir, path) };
}
