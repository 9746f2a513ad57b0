// Makes the two secret files that docker-compose.yml mounts, where they are missing: secrets/api-keys (one `tenant:key` a line) and
// secrets/secrets-key (encrypts registry credentials at rest). "npm run secrets".

import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./setup/common.mjs";

const folder = join(root, "secrets");
// The files are mounted into containers whose user is not this one, so it is the folder that keeps other people out.
mkdirSync(folder, { recursive: true });
chmodSync(folder, 0o700);

function make(name, text, hint) {
  const file = join(folder, name);
  if (existsSync(file)) return console.log(`secrets/${name}: is there already`);
  writeFileSync(file, text);
  chmodSync(file, 0o644);
  console.log(`secrets/${name}: made${hint}`);
}

const key = randomBytes(24).toString("base64url");
make("api-keys", `default:${key}\n`, `; the key of the tenant "default" is ${key}`);
make("secrets-key", `${randomBytes(32).toString("hex")}\n`, "");
