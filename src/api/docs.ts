// The contract as a document and as a page, made from the schemas that check requests.

import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import type { FastifyInstance } from "fastify";
import { CODES } from "../codes.ts";
import metadata from "../../package.json" with { type: "json" };

const row = ([code, { status, retryable, title, remedy }]: [
  string,
  (typeof CODES)[keyof typeof CODES],
]): string =>
  `| <a id="code-${code}"></a>\`${code}\` | ${status} | ${retryable === "once" ? "once" : retryable ? "yes" : "no"} | ${title}. | ${remedy} |`;

const DESCRIPTION = `Copies container images from one place to another: registries (\`docker://\`), OCI layouts (\`oci:\`) and directories (\`dir:\`), in
every direction, as jobs with live progress.

**Conventions.** JSON in UTF-8; times as RFC 3339 in UTC; sizes in bytes; durations in milliseconds (\`…Ms\`) or seconds (\`…Seconds\`).
Unknown fields are errors. Where API keys are configured, every request under \`/v1\` needs one, and sees its own tenant's jobs only.

**Errors** are problem documents (RFC 9457, \`application/problem+json\`) with a \`code\`; a job's \`error\` is the same object. The status is
that of the answer, or, of a job's error, the one that describes it best. Where HTTP itself has a status for what is wrong with a request
(such as 405, 406, 413 and 415), the code is \`invalid_request\`. What is retryable once is content that was wrong: a job that gets some in
two of its attempts is failed.

| code | status | retryable | meaning | what to do |
| --- | --- | --- | --- | --- |
${Object.entries(CODES).map(row).join("\n")}
`;

const TAGS = [
  { name: "jobs", description: "Orders for copies." },
  { name: "events", description: "What happens, as it happens." },
  { name: "images", description: "Looking at images; nothing is written." },
  { name: "service", description: "The service itself." },
];

/** Everything that the page needs comes from the service itself. */
const PAGE_POLICY =
  "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; img-src 'self' data:; object-src 'none'";

/** To be called before there are routes: it collects them. */
export async function addDocs(app: FastifyInstance): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "transship",
        version: metadata.version,
        description: DESCRIPTION,
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: "/", description: "The service that this document comes from." }],
      tags: TAGS,
      components: {
        securitySchemes: {
          apiKey: {
            type: "http",
            scheme: "bearer",
            description: "A key of API_KEYS_FILE. Without that file no key is asked for.",
          },
        },
      },
      security: [{ apiKey: [] }],
    },
    refResolver: {
      buildLocalReference: (json, _baseUri, _fragment, index) =>
        typeof json["$id"] === "string" ? json["$id"] : `def-${index}`,
    },
  });
  await app.register(swaggerUi, {
    routePrefix: "/docs",
    staticCSP: PAGE_POLICY,
    theme: { title: "transship" },
    uiConfig: { layout: "BaseLayout" },
  });
  app.get("/openapi.json", { schema: { hide: true } }, async () => app.swagger());
}
