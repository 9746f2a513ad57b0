// What must hold before each commit, one step after the other. "npm run check"; the steps run with the project's own Node.
// Nothing is written: "npm run format" and "npm run openapi" are for that.

import { spawnSync } from "node:child_process";
import { root } from "./setup/common.mjs";

const OPENAPI = `
  import { readFileSync } from "node:fs";
  import { OPENAPI_FILE, openapiYaml } from "./scripts/openapi.ts";
  if (readFileSync(OPENAPI_FILE, "utf8") !== (await openapiYaml())) throw new Error("openapi.yaml is stale: npm run openapi");
  process.exit();`;

const STEPS = [
  ["types", "tsc"],
  ["lint", "oxlint", "--type-aware"],
  ["format", "oxfmt", "--check", "."],
  ["openapi.yaml is what the server generates", "node", "--input-type=module", "--eval", OPENAPI],
  ["openapi.yaml is well made", "redocly", "lint", "openapi.yaml"],
  [
    "fast tests",
    "node",
    "--test",
    "--test-reporter=dot",
    "--test-concurrency=2",
    "test/{image,copy,compression,host,transport}/**/*.test.ts",
    "test/*.test.ts",
  ],
];

const env = { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
const failed = STEPS.filter(([title, program, ...args]) => {
  const start = Date.now();
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: root,
    env,
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  const passed = status === 0;
  console.log(`${passed ? "✔" : "✘"} ${title} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
  if (!passed) console.log(error?.message ?? `${stdout}${stderr}`);
  return !passed;
});
if (failed.length > 0) {
  console.log(`\nfailed: ${failed.map(([title]) => title).join("; ")}`);
  process.exitCode = 1;
}
