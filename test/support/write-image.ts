// A process that writes one image and ends: `node write-image.ts <data folder> <reference> <seed>`.

import { accessTo, write } from "./folders.ts";
import { makeImage } from "./images.ts";

const [dataDir = "", reference = "", seed = ""] = process.argv.slice(2);
await write(reference, makeImage({ seed }), accessTo(dataDir, "destination"));
