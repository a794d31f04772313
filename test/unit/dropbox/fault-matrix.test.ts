import { setDefaultTimeout } from "bun:test";
import { faultMatrix } from "../../support/fault-matrix.ts";
import { faultyDropbox } from "../../support/faulty-clouds.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

await faultMatrix(await faultyDropbox(), [
  "files/copy_batch/check_v2",
  "files/copy_batch_v2",
  "files/copy_v2",
  "files/delete_batch",
  "files/delete_batch/check",
  "files/delete_v2",
  "files/download",
  "files/get_metadata",
  "files/list_folder",
  "files/list_folder/continue",
  "files/upload",
  "files/upload_session/append_batch",
  "files/upload_session/append_v2",
  "files/upload_session/finish",
  "files/upload_session/finish_batch_v2",
  "files/upload_session/start",
  "files/upload_session/start_batch",
  "oauth2/token",
  "users/get_current_account",
]);
