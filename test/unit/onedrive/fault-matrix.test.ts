import { setDefaultTimeout } from "bun:test";
import { faultMatrix } from "../../support/fault-matrix.ts";
import { faultyOneDrive } from "../../support/faulty-clouds.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

await faultMatrix(await faultyOneDrive(), [
  "batch",
  "children",
  "content",
  "copy",
  "createUploadSession",
  "delete",
  "delta",
  "download",
  "folder",
  "fragment",
  "item",
  "monitor",
  "token",
  "drive",
]);
