import * as fs from "node:fs";
import { join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import { writeAtomic } from "../../lib/fs.ts";
import { comparePaths, parseRelPath, type RelPath } from "../../lib/path.ts";
import { clearJournal, type Journal, openJournal, replayJournal } from "../../sync/journal.ts";
import type { BaseEntry, ItemError } from "../../sync/model.ts";
import { type IndexRow, indexFromBytes, loadIndex, type StateIndex } from "../../sync/state-index.ts";
import { indexBytes, writeIndex } from "../../sync/write-index.ts";
import type { Moved } from "./moved.ts";

/** Something that one mirror still is to be brought to, or cannot be. */
export interface Pending {
  readonly path: RelPath;
  /** MD5 of the content that is to be there; `""`: the file is to go. */
  readonly wants: string;
  /** Of a file that is to go: MD5 of the content that was agreed on last. */
  readonly was?: string;
  readonly state: "pending_retry" | "failed_perm";
  readonly attempts: number;
  readonly error: ItemError | null;
  /** When it was queued first and tried last, Python isoformat; `""`: never tried. */
  readonly since: string;
  readonly at: string;
}

/** What this machine knows of one mirror: what it has put there, and what is still to be done. */
export interface MirrorState {
  /** What was put there, as far as an earlier run saved it. */
  readonly index: StateIndex;
  /** Later than `index`; undefined: removed there. */
  readonly overlay: ReadonlyMap<RelPath, BaseEntry | undefined>;
  recordOf(path: RelPath): BaseEntry | undefined;
  note(path: RelPath, record: BaseEntry | undefined): void;
  readonly pending: ReadonlyMap<RelPath, Pending>;
  queue(item: Pending): void;
  settle(path: RelPath): void;
  /** Snapshots that are to be copied there, oldest first. */
  readonly snapshots: readonly string[];
  setSnapshots(timestamps: readonly string[]): void;
  /** Word that this mirror is no primary any more, which could not be left there yet. */
  readonly untold: Moved | undefined;
  setUntold(moved: Moved | undefined): void;
  /** The confirmed steps of the run under way. */
  journal(clock: Clock): Journal;
  /** Writes the queue down durably, where it has changed. */
  saveQueue(): void;
  /** Writes everything down that has changed. */
  save(): void;
}

/** Where a mirror's own files are in its state folder. */
export function mirrorFiles(stateFolder: string) {
  return {
    index: join(stateFolder, "mirror.bin"),
    journal: join(stateFolder, "mirror-journal.jsonl"),
    queue: join(stateFolder, "mirror.json"),
    staging: join(stateFolder, "mirror-staging"),
  };
}

/** What stands in for a lost state folder. */
export interface Recovered {
  readonly records: readonly BaseEntry[];
  readonly pending: readonly Pending[];
}

/** Opens what is known of a mirror; `recover` tells what the shared manifest knows, asked only where the state is lost. */
export function openMirrorState(stateFolder: string, recover: () => Recovered): MirrorState {
  const files = mirrorFiles(stateFolder);
  const loaded = loadIndex(files.index);
  const queue = readQueue(files.queue);
  const recovered = loaded === undefined ? recover() : undefined;
  const index = loaded ?? packed(recovered?.records ?? []);
  const overlay = new Map(replayJournal(files.journal).base);
  const pending = new Map(queue?.items ?? recovered?.pending.map((item) => [item.path, item]));
  let snapshots = queue?.snapshots ?? [];
  let untold = queue?.untold;
  let written = queueText({ pending, snapshots, untold });
  if (queue === undefined && pending.size > 0) written = "";
  let journaled = overlay.size > 0;
  const saveQueue = () => {
    const text = queueText({ pending, snapshots, untold });
    if (text === written) return;
    fs.mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
    writeAtomic(files.queue, text, { mode: 0o600 });
    written = text;
  };
  return {
    index,
    overlay,
    recordOf(path) {
      if (overlay.has(path)) return overlay.get(path);
      const row = index.find(path);
      return row < 0 ? undefined : index.baseAt(row);
    },
    note: (path, record) => void overlay.set(path, record),
    pending,
    queue: (item) => void pending.set(item.path, item),
    settle: (path) => void pending.delete(path),
    get snapshots() {
      return snapshots;
    },
    setSnapshots(timestamps) {
      snapshots = [...new Set(timestamps)].sort();
    },
    get untold() {
      return untold;
    },
    setUntold(moved) {
      untold = moved;
    },
    journal(clock) {
      journaled = true;
      return openJournal(files.journal, { clock });
    },
    saveQueue,
    save() {
      if (overlay.size > 0 || (loaded === undefined && index.length > 0)) {
        fs.mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
        writeIndex(files.index, merged(index, overlay), { hashedSinceMs: 0, meta: "" });
      }
      saveQueue();
      if (journaled) clearJournal(files.journal);
      fs.rmSync(files.staging, { recursive: true, force: true });
    },
  };
}

/** Every record, sorted by path. */
export function* merged(
  index: StateIndex,
  overlay: ReadonlyMap<RelPath, BaseEntry | undefined>,
): Generator<IndexRow & { readonly base: BaseEntry }> {
  const fresh = [...overlay.keys()].sort(comparePaths);
  let next = 0;
  for (let row = 0; row < index.length || next < fresh.length; ) {
    const known = row < index.length ? index.pathAt(row) : undefined;
    const path = fresh[next];
    const isFresh = path !== undefined && (known === undefined || path <= known);
    const base = isFresh ? overlay.get(path) : index.baseAt(row);
    if (isFresh) next++;
    if (!isFresh || path === known) row++;
    if (base) yield { path: base.path, base };
  }
}

function packed(records: readonly BaseEntry[]): StateIndex {
  const rows = records.toSorted((a, b) => comparePaths(a.path, b.path)).map((base) => ({ path: base.path, base }));
  const index = indexFromBytes(indexBytes(rows, { hashedSinceMs: 0, meta: "" }));
  if (index === undefined) throw new Error("could not read back the index just made");
  return index;
}

interface Queue {
  readonly items: readonly (readonly [RelPath, Pending])[];
  readonly snapshots: readonly string[];
  readonly untold?: Moved | undefined;
}

/** Undefined where there is none that can be used. */
function readQueue(file: string): Queue | undefined {
  try {
    const raw = JSON.parse(fs.readFileSync(file, "utf8")) as {
      readonly items: Pending[];
      readonly snapshots: string[];
      readonly untold?: Moved;
    };
    const items = raw.items.flatMap((item) => {
      const path = parseRelPath(item.path);
      return path === undefined ? [] : [[path, { ...item, path }] as const];
    });
    return { items, snapshots: raw.snapshots.map(String), untold: raw.untold };
  } catch {
    return undefined;
  }
}

interface QueueFacts {
  readonly pending: ReadonlyMap<RelPath, Pending>;
  readonly snapshots: readonly string[];
  readonly untold: Moved | undefined;
}

function queueText({ pending, snapshots, untold }: QueueFacts): string {
  const items = [...pending.values()].sort((a, b) => comparePaths(a.path, b.path));
  return `${JSON.stringify({ version: 1, items, snapshots, untold }, undefined, 1)}\n`;
}
