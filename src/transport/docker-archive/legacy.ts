// What docker before 1.10 reads in an archive: a folder for each layer, whose name is its image's id, and `repositories`, which names
// the last of them. Newer readers want it no more, containers/image writes it to this day, byte for byte so (semantics 7.6).

import { digestOf, hexOf, type Digest } from "../../image/digest.ts";
import { goMap, goRaw, goString, type Json } from "../../image/go-json.ts";
import { parseJsonObject, rawMembers } from "../../image/json.ts";
import type { DockerReference } from "../../image/reference/docker.ts";

export interface LegacyLayer {
  readonly id: string;
  readonly layer: Digest;
  /** The file `json` in its folder. */
  readonly json: string;
}

/** What the last layer's `json` takes over from the image's config. */
const FROM_CONFIG = [
  "architecture",
  "config",
  "container",
  "container_config",
  "created",
  "docker_version",
  "os",
] as const;

/** Root first. Throws an Error where the config is no JSON object. */
export function legacyLayers(layers: readonly Digest[], config: Buffer): readonly LegacyLayer[] {
  parseJsonObject(config, { keys: "exact" });
  const members = rawMembers(config.toString());
  const last = FROM_CONFIG.map((name): [string, Json] => [
    name,
    goRaw(members.get(name) ?? "null"),
  ]);
  const made: LegacyLayer[] = [];
  let chain: string | undefined;
  for (const [i, layer] of layers.entries()) {
    chain = chain === undefined ? layer : digestOf(Buffer.from(`${chain} ${layer}`));
    const parent = made.at(-1)?.id;
    const fields: readonly [string, Json][] = [
      ...(parent === undefined ? [] : [["parent", goString(parent)] as [string, Json]]),
      ...(i === layers.length - 1 ? last : []),
    ];
    const id = hexOf(digestOf(Buffer.from(goMap([...fields, ["layer_id", goString(chain)]]))));
    made.push({ id, layer, json: goMap([...fields, ["id", goString(id)]]) });
  }
  return made;
}

/** The file `repositories`. `id`: of the last layer; undefined where there are no layers. */
export function repositoriesOf(names: readonly DockerReference[], id: string | undefined): Json {
  if (id === undefined) return "{}";
  const tags = Map.groupBy(names, ({ registry, repository }) => `${registry}/${repository}`);
  return goMap(
    [...tags].map(([repository, of]) => [
      repository,
      goMap(new Map(of.map(({ tag = "" }) => [tag, goString(id)]))),
    ]),
  );
}
