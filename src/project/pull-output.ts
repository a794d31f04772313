import * as fs from "node:fs";
import { join } from "node:path";
import type { RemoteFile } from "../backends/types.ts";
import { UsageError } from "../lib/errors.ts";
import { forEachLimit } from "../lib/limits.ts";
import { writeStreamAtomic } from "../lib/write-stream.ts";
import { hashLocalFile } from "../snapshots/local-target.ts";
import { describeItemError } from "../sync/item-error.ts";
import { lookAt } from "../sync/local-file.ts";
import type { ItemOutcome } from "../sync/model.ts";
import type { RunResult } from "./model.ts";
import type { Parts } from "./parts.ts";
import type { PullOptions } from "./service.ts";

/**
 * `pull --output`: the remote versions of what pull would fetch, conflicts included, and of files that were named, under
 * another folder. Project and manifest stay as they are, and what is replaced there goes to the trash. Throws UsageError
 * when that folder is the project itself.
 */
export async function pullInto(parts: Parts, options: PullOptions & { readonly output: string }): Promise<RunResult> {
  const { output, dryRun, files: typed } = options;
  if (fs.existsSync(output) && fs.realpathSync(output) === parts.root) {
    throw new UsageError(`cannot write remote versions over the project "${output}"`, {
      hint: "Give --output another folder; pull without --output brings changes into the project.",
    });
  }
  const look = await parts.sync.look({ files: typed, cache: false });
  const plan = await parts.sync.plan(look, { mode: { kind: "pull" } });
  const wanted: RemoteFile[] = [];
  for (const row of typed.length > 0 ? look.everything() : look.rows) {
    if (row.remote.kind !== "file" || !row.inScope || look.selection?.matches(row.path) === false) continue;
    if (typed.length > 0 || (row.remote.changed && row.equal !== true)) wanted.push(row.remote.file);
  }
  const items = dryRun ? [] : await fetchAll(parts, wanted, output);
  const done = items.filter((item) => item.status === "done");
  return {
    command: "pull",
    dryRun,
    planned: wanted.map(({ path }) => ({ path, action: "download" })),
    uploaded: [],
    downloaded: done.map(({ path }) => path).sort(),
    deletedRemote: [],
    deletedLocal: [],
    adopted: [],
    copies: [],
    failed: items.flatMap(({ path, action, error }) => (error ? [{ path, action, error }] : [])),
    conflicts: [],
    held: plan.held,
    inSync: plan.counts.in_sync,
    bytes: done.reduce((sum, item) => sum + (item.bytes ?? 0), 0),
    snapshot: null,
    output,
    notices: look.notices,
    interrupted: parts.deps.signal.aborted,
    backends: [],
    announcements: [],
  };
}

async function fetchAll(parts: Parts, files: readonly RemoteFile[], output: string): Promise<ItemOutcome[]> {
  const { signal, config } = parts.deps;
  const backend = await parts.backend();
  const items: ItemOutcome[] = [];
  const fetch = async (file: RemoteFile): Promise<void> => {
    const item = { path: file.path, action: "download" } as const;
    try {
      const { body } = await backend.read(file.path, { expect: file.rev, signal });
      await keeping(parts, join(output, file.path), file, (target) =>
        writeStreamAtomic(target, body, { size: file.size, signal }),
      );
      items.push({ ...item, status: "done", bytes: file.size });
    } catch (error) {
      signal.throwIfAborted();
      items.push({ ...item, status: "failed", error: describeItemError(error) });
    }
  };
  await forEachLimit(files, config.parallelWorkers, fetch, { signal });
  return items;
}

/** The file that `write` replaces is kept in the trash, unless the new one turns out to hold the same bytes. */
async function keeping(
  parts: Parts,
  target: string,
  { path }: RemoteFile,
  write: (target: string) => Promise<void>,
): Promise<void> {
  if (typeof lookAt(target) !== "object") return write(target);
  const kept = parts.trash.keepCopy(target, { path, reason: "replaced by pull --output" });
  await write(target);
  const { signal } = parts.deps;
  const same = (await hashLocalFile(parts.trash.contentOf(kept), signal)) === (await hashLocalFile(target, signal));
  if (same) parts.trash.discard(kept);
}
