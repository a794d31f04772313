import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeAtomic } from "../lib/fs.ts";
import { hashBytes } from "../lib/hash.ts";
import type { ComponentName } from "./model.ts";

/** How a file was before the first component went into it. `unknown`: it cannot be given back byte for byte. */
export type Original = "absent" | "kept" | "unknown";

/** One file that components are in. */
export interface FileRecord {
  readonly components: readonly ComponentName[];
  /** SHA-256 of what was written last. */
  readonly after: string;
  readonly original: Original;
  /** Folders that were made for it, the outermost first. */
  readonly folders: readonly string[];
}

type Records = Readonly<Record<string, FileRecord>>;

/**
 * What was installed where, and the bytes that were there before: `installed.json` and one `*.before` a file, in a
 * folder of our own. Without it components can still be taken out, only not byte for byte.
 */
export interface InstallRecord {
  of(file: string): FileRecord | undefined;
  /** The bytes of a file whose original is `kept`; undefined when they are lost or damaged. */
  original(file: string): Buffer | undefined;
  /** Durable before it answers. `before` is kept when the record's original says so and it is given. */
  set(file: string, record: FileRecord, before?: Buffer): void;
  remove(file: string): void;
}

const NAME = "installed.json";

/** Opens the record in `folder`. Throws when there is one that cannot be read: it must not be written over. */
export function openRecord(folder: string): InstallRecord {
  const { files, folders } = read(join(folder, NAME)) ?? { files: {}, folders: missingFolders(join(folder, NAME)) };
  let records = files;
  const keptName = (file: string) => join(folder, `${hashBytes("sha256", file).slice(0, 16)}.before`);
  const save = (next: Records) => {
    records = next;
    writeAtomic(join(folder, NAME), `${JSON.stringify({ version: 1, folders, files: next }, null, 2)}\n`, {
      mode: 0o600,
    });
  };
  return {
    of: (file) => (Object.hasOwn(records, file) ? records[file] : undefined),
    original(file) {
      return readIfThere(keptName(file));
    },
    set(file, record, before) {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      if (record.original === "kept" && before) writeAtomic(keptName(file), before, { mode: 0o600 });
      save({ ...records, [file]: record });
    },
    remove(file) {
      const { [file]: _gone, ...rest } = records;
      if (Object.keys(rest).length > 0) save(rest);
      else {
        records = {};
        rmSync(join(folder, NAME), { force: true });
      }
      rmSync(keptName(file), { force: true });
      if (Object.keys(rest).length === 0) removeEmpty(folders);
    },
  };
}

interface Content {
  readonly files: Records;
  /** Folders that were made for the record, the outermost first. */
  readonly folders: readonly string[];
}

function read(file: string): Content | undefined {
  const text = readIfThere(file);
  if (!text) return undefined;
  try {
    const parsed = JSON.parse(text.toString("utf8")) as Partial<Content> & { readonly version?: unknown };
    if (parsed.version === 1 && parsed.files && Array.isArray(parsed.folders)) return parsed as Content;
  } catch {
    // Said below.
  }
  throw new Error(`cannot read what was installed, "${file}": it is damaged; move it away to go on without it`);
}

/** The folders that a file of this path needs and that are not there, the outermost first. */
export function missingFolders(file: string): string[] {
  const missing: string[] = [];
  for (let folder = dirname(file); !existsSync(folder); folder = dirname(folder)) missing.unshift(folder);
  return missing;
}

/** The bytes; undefined for a file that is not there. Anything else that is in the way is thrown. */
export function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Removes those of the folders that are empty, the last one first. */
export function removeEmpty(folders: readonly string[]): void {
  for (const folder of [...folders].reverse()) {
    try {
      if (readdirSync(folder).length === 0) rmdirSync(folder);
    } catch {
      // Not there, or not ours to remove.
    }
  }
}
