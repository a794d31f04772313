import { setDefaultTimeout } from "bun:test";
import { faultMatrix } from "../../support/fault-matrix.ts";
import { faultyDrive } from "../../support/faulty-clouds.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

await faultMatrix(await faultyDrive(), [
  "batch",
  "batch: files.copy",
  "batch: files.create",
  "batch: files.delete",
  "batch: files.get",
  "batch: files.list",
  "batch: files.update",
  "changes.list",
  "files.get",
  "files.list",
  "files.media",
  "token",
  "upload.chunk",
  "upload.create",
  "upload.start",
  "upload.update",
  "batch: changes.getStartPageToken",
  "batch: files.generateIds",
]);
