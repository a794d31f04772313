import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/** What this machine knows of an upload in chunks that it began: by number, the SHA-256 of each chunk that arrived. */
export interface ChunkNotes {
  /** Undefined when no such upload was begun. */
  read(): ReadonlyMap<number, string> | undefined;
  begin(): void;
  add(chunk: number, sha256: string): void;
  remove(): void;
}

/** The server keeps chunks for a day without activity. */
const AGE_MS = 2 * 24 * 3600 * 1000;

/** Notes in a file of their own beside `prefix` (absolute); none when left out, so that nothing is ever gone on with. */
export function chunkNotes(prefix: string | undefined, id: string): ChunkNotes {
  const file = prefix === undefined ? undefined : `${prefix}-${id}`;
  return {
    read: () => (file === undefined ? undefined : readNotes(file)),
    begin() {
      if (file === undefined) return;
      mkdirSync(dirname(file), { recursive: true });
      rmSync(file, { force: true });
      appendFileSync(file, "", { mode: 0o600 });
    },
    add(chunk, sha256) {
      if (file !== undefined) appendFileSync(file, `${chunk} ${sha256}\n`);
    },
    remove() {
      if (file !== undefined) rmSync(file, { force: true });
    },
  };
}

/** Removes notes about uploads that the server has given up. */
export function tidyChunkNotes(prefix: string | undefined, nowMs: number): void {
  if (prefix === undefined) return;
  const folder = dirname(prefix);
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name.startsWith(`${basename(prefix)}-`));
  } catch {
    return; // There is no state folder yet.
  }
  for (const name of names) {
    const file = join(folder, name);
    const found = statSync(file, { throwIfNoEntry: false });
    if (found !== undefined && nowMs - found.mtimeMs > AGE_MS) rmSync(file, { force: true });
  }
}

function readNotes(file: string): ReadonlyMap<number, string> | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  const lines = text.matchAll(/^(\d+) ([0-9a-f]{64})$/gm);
  return new Map([...lines].map(([, chunk, sha256]) => [Number(chunk), sha256 ?? ""]));
}
