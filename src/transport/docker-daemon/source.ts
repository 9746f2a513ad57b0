// Images of a docker engine as source (semantics 7.7): what it saves is kept in a file, for what says where the layers are comes last.

import type { Source } from "../../copy/interfaces.ts";
import { formatReference } from "../../image/reference.ts";
import type { DockerDaemonReference } from "../../image/reference/docker-save.ts";
import { formatDockerName } from "../../image/reference/docker.ts";
import type { AccessContext } from "../access.ts";
import { spool } from "../archive-file.ts";
import { savedSource } from "../docker-archive/source.ts";

/** Throws `source_not_found`, `registry_unavailable`, `manifest_invalid`. */
export async function openDockerDaemonSource(
  reference: DockerDaemonReference,
  access: AccessContext,
  signal: AbortSignal,
): Promise<Source> {
  const { name, id = "" } = reference;
  const { side, engine, dataDir } = access;
  const saved = engine.save(name === undefined ? id : formatDockerName(name), side);
  const file = await spool(saved, dataDir, side, signal);
  return savedSource(file, { title: formatReference(reference) }, access, signal);
}
