import type { Backend } from "../types.ts";
import { copyFile, moveFile, removeFile, removeFolder, removeTogether } from "./changing.ts";
import { capabilities } from "./facts.ts";
import { listFiles } from "./listing.ts";
import { pollDrive } from "./poll.ts";
import { readFile } from "./reading.ts";
import { type Remote, statFile } from "./remote.ts";
import { writeFile } from "./writing.ts";

/** The storage contract on a folder of OneDrive. Costs no request. */
export function createOneDriveBackend(remote: Remote): Backend {
  const together = removeTogether(() => remote);
  return {
    kind: "onedrive",
    can: capabilities(remote.facts),
    list: (under, options = {}) => listFiles(remote, under, options),
    stat: (path, options = {}) => statFile(remote, path, options),
    read: (path, options = {}) => readFile(remote, path, options),
    write: (path, source, options) => writeFile(remote, path, source, options),
    remove: (path, options) => removeFile(remote, path, options, together),
    removeFolder: (path, options = {}) => removeFolder(remote, path, options),
    copy: (from, to, options = {}) => copyFile(remote, { from, to, verb: "copy" }, options),
    move: (from, to, options = {}) => moveFile(remote, { from, to, verb: "move" }, options),
    poll: (path, since, options = {}) => pollDrive(remote, path, since, options),
    canonicalHash: (stored) => stored,
    async close() {
      remote.graph.close();
    },
  };
}
