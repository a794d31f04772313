import * as fs from "node:fs";
import { dirname } from "node:path";
import { LocalFileError } from "../../backends/errors.ts";
import { hasher } from "../../lib/hash.ts";
import { joinUnder } from "../../lib/path.ts";
import { hashing } from "../../lib/streams.ts";
import { writeStreamAtomic } from "../../lib/write-stream.ts";
import { fileStat } from "../../sync/file-stat.ts";
import type { BaseEntry, FileStat } from "../../sync/model.ts";
import type { StateIndex } from "../../sync/state-index.ts";
import type { Parts } from "../parts.ts";

/** Where an agreed content is on this machine. */
export interface LocalSource {
  /** `staging`: a copy of the primary's version, made for this run. */
  readonly root: "project" | "staging";
  readonly stat: FileStat;
}

/**
 * The agreed content of a file: the project's own file while it still is that, else a copy of the primary's version in
 * the staging folder. Throws LocalFileError when neither has it, and what the primary throws.
 */
export async function agreedSource(
  parts: Parts,
  agreed: BaseEntry,
  places: { readonly index: StateIndex; readonly staging: string },
): Promise<LocalSource> {
  const { index, staging } = places;
  const row = index.find(agreed.path);
  if (row >= 0 && index.hasLocal(row) && index.isSettled(row) && index.localIsBase(row)) {
    const stat = statOf(joinUnder(parts.root, agreed.path));
    if (stat !== undefined && index.localEquals(row, stat)) return { root: "project", stat };
  }
  const local = await parts.sync.tools.hashLocal(agreed.path).catch(() => undefined);
  if (local?.hash.md5 === agreed.md5) return { root: "project", stat: local.stat };
  return { root: "staging", stat: await stage(parts, agreed, joinUnder(staging, agreed.path)) };
}

async function stage(parts: Parts, agreed: BaseEntry, target: string): Promise<FileStat> {
  const { signal } = parts.deps;
  const backend = await parts.backend();
  const remote = await backend.stat(agreed.path, { signal });
  if (remote === undefined) throw movedOn(agreed.path);
  const { body } = await backend.read(agreed.path, { expect: remote.rev, signal });
  const md5 = hasher("md5");
  fs.mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
  await writeStreamAtomic(target, hashing(body, [md5]), { size: remote.size, signal });
  if (md5.hex() !== agreed.md5) throw movedOn(agreed.path);
  return fileStat(fs.statSync(target, { bigint: true }));
}

function movedOn(path: string): LocalFileError {
  return new LocalFileError(`did not send "${path}": it has changed here and on the primary; run claude-mirror sync`);
}

function statOf(absolute: string): FileStat | undefined {
  const stat = fs.statSync(absolute, { bigint: true, throwIfNoEntry: false });
  return stat?.isFile() ? fileStat(stat) : undefined;
}
