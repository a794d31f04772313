import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Backend, RemoteFile } from "../../src/backends/types.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { type RelPath, relPath } from "../../src/lib/path.ts";
import { type Executed, type ExecuteOptions, execute } from "../../src/sync/execute.ts";
import { fileStat } from "../../src/sync/file-stat.ts";
import { openJournal, type Replayed, replayJournal } from "../../src/sync/journal.ts";
import type { Action, FileStat, Plan, SyncEvent } from "../../src/sync/model.ts";
import { openTrash, type Trash } from "../../src/sync/trash.ts";
import { type MemoryBackend, type MemoryOptions, memoryBackend } from "./memory-backend.ts";
import { tempFolder } from "./temp.ts";

/** A project folder, a remote in memory, a trash and a journal, and plans carried out on them. */
export interface ExecutorLab {
  readonly root: string;
  readonly backend: MemoryBackend;
  readonly trash: Trash;
  readonly events: SyncEvent[];
  /** Milliseconds that somebody waited for. */
  readonly slept: number[];
  /** Writes a local file and answers what a scan would see. */
  write(path: string, content: string | Uint8Array): FileStat;
  stat(path: string): FileStat;
  /** A local file's text, undefined when there is none. */
  read(path: string): string | undefined;
  /** Puts a file on the remote and answers what a listing would see. */
  put(path: string, content: string | Uint8Array): Promise<RemoteFile>;
  /** A remote file's text, undefined when there is none. */
  remote(path: string): string | undefined;
  /** Every local name below the root, ours included, sorted. */
  names(): string[];
  /** The texts in the trash, newest first. */
  trashed(): { readonly path: string; readonly text: string }[];
  run(actions: readonly Action[], options?: LabOptions): Promise<Executed>;
  replay(): Replayed;
}

export type LabOptions = Partial<Omit<ExecuteOptions, "backend">> & { readonly backend?: Backend };

export function executorLab(options: MemoryOptions = {}): ExecutorLab {
  const home = tempFolder("executor");
  const root = join(home, "project");
  mkdirSync(root);
  const backend = memoryBackend(options);
  const slept: number[] = [];
  let time = Date.UTC(2026, 10, 21);
  const clock: Clock = { now: () => time++, sleep: async (ms) => void slept.push(ms) };
  const trash = openTrash(join(home, "trash"), { clock, root });
  const events: SyncEvent[] = [];
  const file = join(home, "state", "journal.jsonl");
  const absolute = (path: string) => join(root, path);
  const stat = (path: string) => fileStat(statSync(absolute(path), { bigint: true }));
  return {
    root,
    backend,
    trash,
    events,
    slept,
    stat,
    write(path, content) {
      mkdirSync(dirname(absolute(path)), { recursive: true });
      writeFileSync(absolute(path), content);
      return stat(path);
    },
    read: (path) => (existsSync(absolute(path)) ? readFileSync(absolute(path), "utf8") : undefined),
    async put(path, content) {
      backend.store.put(relPath(path), content);
      return (await backend.stat(relPath(path))) as RemoteFile;
    },
    remote(path) {
      const entry = backend.store.get(relPath(path));
      return entry && new TextDecoder().decode(entry.bytes);
    },
    names: () => (readdirSync(root, { recursive: true }) as string[]).sort(),
    trashed: () =>
      trash.list().map((entry) => ({ path: entry.path, text: readFileSync(trash.contentOf(entry), "utf8") })),
    async run(actions, more = {}) {
      const journal = openJournal(file, { clock });
      const onEvent = (event: SyncEvent) => void events.push(event);
      try {
        return await execute(planOf(actions), { root, backend, journal, trash, clock, workers: 4, onEvent, ...more });
      } finally {
        await journal.close();
      }
    },
    replay: () => replayJournal(file),
  };
}

/** A plan of nothing but these actions. */
export function planOf(actions: readonly Action[]): Plan {
  return { actions, conflicts: [], held: [], statuses: [], counts: {} as Plan["counts"], compare: [] };
}

export function uploadAction(path: string, local: FileStat, remote?: RemoteFile): Extract<Action, { kind: "upload" }> {
  return { kind: "upload", path: relPath(path), local, expect: remote?.rev ?? "absent" };
}

export function downloadAction(
  remote: RemoteFile,
  local: FileStat | "absent" = "absent",
): Extract<Action, { kind: "download" }> {
  return { kind: "download", path: remote.path, remote, local };
}

/** The backend with some verbs replaced. */
export function withVerbs(backend: Backend, verbs: Partial<Backend>): Backend {
  return { ...backend, ...verbs };
}

export function pathOf(text: string): RelPath {
  return relPath(text);
}
