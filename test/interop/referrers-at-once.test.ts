// Jobs of two workers that write the referrers of one image at once, to a registry that leaves it to its clients to list them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { makeArtifact } from "../support/artifacts.ts";
import { makeImage } from "../support/images.ts";
import { missing, startDockerRegistry } from "../support/peers.ts";
import { startRegistry } from "../support/registry.ts";
import { startService } from "../support/service.ts";

const JOBS = 10;
const EACH = 5;
const insecure = { tlsVerify: false };

test(
  "ten jobs of two workers list fifty referrers",
  { skip: missing("docker-registry") },
  async () => {
    await using service = await startService({ workers: 2 });
    await using source = await startRegistry();
    await using destination = await startDockerRegistry();
    const image = makeImage();
    const digests = Array.from({ length: JOBS }, (_, job) => {
      source.put(`app${job}`, "1", image);
      return Array.from({ length: EACH }, (_, i) => {
        const artifact = makeArtifact(image, { seed: `${job}/${i}` });
        source.put(`app${job}`, artifact.digest, artifact);
        return artifact.digest;
      });
    }).flat();
    const jobs = await Promise.all(
      Array.from({ length: JOBS }, (_, job) =>
        service.submit({
          source: `docker://${source.host}/app${job}:1`,
          destination: `docker://${destination.host}/app:${job}`,
          options: { referrers: true },
          sourceContext: insecure,
          destinationContext: insecure,
        }),
      ),
    );
    for (const { id } of jobs) {
      const { status, error } = await service.finished(id);
      assert.equal(status, "succeeded", JSON.stringify(error));
    }
    const tag = image.digest.replace(":", "-");
    const answer = await fetch(`http://${destination.host}/v2/app/manifests/${tag}`, {
      headers: { accept: "application/vnd.oci.image.index.v1+json" },
    });
    const { manifests } = (await answer.json()) as { manifests: { digest: string }[] };
    assert.equal(manifests.length, digests.length);
    assert.deepEqual(new Set(manifests.map(({ digest }) => digest)), new Set(digests));
  },
);
