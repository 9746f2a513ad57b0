// npm run openapi: writes openapi.yaml from the schemas that the server checks requests with.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pino } from "pino";
import { stringify } from "yaml";
import type { ServerDeps } from "../src/api/app.ts";
import { buildServer } from "../src/api/server.ts";

/** Where the document is kept. */
export const OPENAPI_FILE = join(import.meta.dirname, "../openapi.yaml");

const HEADER =
  "# Made by `npm run openapi` from the schemas in src/api: change those. A test fails where the two differ.\n";

/** The text that openapi.yaml should have. */
export async function openapiYaml(): Promise<string> {
  // No request is answered here, so what routes would need for that is not there.
  const deps = { logger: pino({ level: "silent" }), apiKeys: undefined } as unknown as ServerDeps;
  const app = await buildServer(deps);
  await app.ready();
  const document = JSON.parse(JSON.stringify(app.swagger())) as unknown;
  await app.close();
  return (
    HEADER +
    stringify(document, { lineWidth: 0, blockQuote: "literal", aliasDuplicateObjects: false })
  );
}

if (import.meta.main) await writeFile(OPENAPI_FILE, await openapiYaml());
