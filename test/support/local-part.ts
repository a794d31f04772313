// The local part of a status, compiled and timed by itself: prints the milliseconds from the index's loading to the end
// of the comparison. The listing is made from the index beforehand. `local-part PROJECT HOME`
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { RemoteFile, Rev } from "../../src/backends/types.ts";
import { loadBase } from "../../src/sync/base.ts";
import { syncFiles } from "../../src/sync/files.ts";
import { lookAtViews } from "../../src/sync/look.ts";
import { scan } from "../../src/sync/scan.ts";
import { compileScope } from "../../src/sync/scope.ts";
import { loadIndex, type StateIndex } from "../../src/sync/state-index.ts";

const [project = "", home = ""] = process.argv.slice(2);
const states = join(home, ".local/state/claude-mirror");
const folder = readdirSync(states).find(
  (name) => loadIndex(syncFiles(project, join(states, name)).index) !== undefined,
);
if (folder === undefined) throw new Error("no index: push first");
const files = syncFiles(project, join(states, folder));
const remote = listingOf(loadIndex(files.index) as StateIndex);

const start = performance.now();
const base = await loadBase({ files, cache: false, now: Date.now(), canonicalHash: async () => (hash) => hash });
const scope = compileScope({ filePatterns: ["**/*.md"], excludePatterns: [] });
const view = scan({ root: project, scope, index: base.index });
const unread = () => Promise.reject(new Error("nothing was to be read"));
const look = await lookAtViews(
  {
    base,
    index: base.index,
    view,
    remote,
    remoteExists: true,
    blobsMissing: false,
    snapshotsMissing: false,
    hasMoved: false,
    assumes: false,
    unusable: new Map(),
    scope,
  },
  { hashLocal: unread, hashRemote: unread },
);
const ms = performance.now() - start;
if (look.inSync !== remote.length || look.rows.length > 0) throw new Error(`${look.rows.length} files are not in sync`);
console.log(ms);

function listingOf(index: StateIndex): RemoteFile[] {
  const listing: RemoteFile[] = [];
  for (let row = 0; row < index.length; row++) {
    const entry = index.baseAt(row);
    if (entry === undefined) continue;
    const { path, nativeHash, remoteId } = entry;
    listing.push({ path, size: entry.size ?? 0, rev: entry.rev ?? ("" as Rev), racy: false, id: remoteId, nativeHash });
  }
  return listing;
}
