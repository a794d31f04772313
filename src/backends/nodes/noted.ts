import * as fs from "node:fs";
import type { Clock } from "../../lib/clock.ts";
import { writeAtomic } from "../../lib/fs.ts";
import type { NodeChange, SourceNode } from "./model.ts";

export interface NotedOptions {
  readonly key: string;
  readonly clock: Clock;
  readonly isLater?: (noted: SourceNode, streamed: NodeChange) => boolean;
}

/** What was done or learned ahead of the stream, the last word on each item. */
export interface NotedStore {
  all(): Iterable<NodeChange>;
  add(change: NodeChange): void;
  /** The stream has spoken of these items; true when a note is dropped. */
  settle(streamed: Iterable<{ readonly change: NodeChange }>): boolean;
  /** Keeps what is left for the next process. */
  save(): void;
}

/** No stream of changes is slower than that; what it has not told by then is not believed any longer. */
const LONGEST_LAG_MS = 60 * 60 * 1000;

interface Noted {
  readonly atMs: number;
  readonly change: NodeChange;
}

export function notedStore(file: string, { key, clock, isLater }: NotedOptions): NotedStore {
  let notes: Map<string, Noted> | undefined;
  /** When notes were made that the stream has confirmed since, by id. */
  const dropped = new Map<string, number>();
  const added = new Set<string>();
  const young = (): Noted[] => {
    const since = clock.now() - LONGEST_LAG_MS;
    return readNotes(file, key).filter(({ atMs }) => atMs >= since);
  };
  const loaded = (): Map<string, Noted> => {
    notes ??= new Map(young().map((noted) => [noted.change.id, noted]));
    return notes;
  };
  return {
    all: () => [...loaded().values()].map(({ change }) => change),
    add(change) {
      loaded().set(change.id, { atMs: Math.round(clock.now()), change });
      added.add(change.id);
    },
    settle(streamed) {
      const own = loaded();
      if (own.size === 0) return false;
      const before = own.size;
      for (const { change } of streamed) {
        const noted = own.get(change.id);
        if (noted === undefined || (noted.change.is !== "gone" && isLater?.(noted.change, change))) continue;
        own.delete(change.id);
        dropped.set(change.id, noted.atMs);
      }
      return own.size !== before;
    },
    save() {
      if (notes === undefined || (added.size === 0 && dropped.size === 0)) return;
      // Another process, such as a watcher, may have written meanwhile: of each item the later note stays.
      const left = new Map(young().map((noted) => [noted.change.id, noted]));
      for (const [id, atMs] of dropped) if ((left.get(id)?.atMs ?? 0) <= atMs) left.delete(id);
      for (const id of added) {
        const noted = notes.get(id);
        if (noted !== undefined && noted.atMs >= (left.get(id)?.atMs ?? 0)) left.set(id, noted);
      }
      if (left.size === 0) fs.rmSync(file, { force: true });
      else writeAtomic(file, JSON.stringify({ key, notes: [...left.values()] }), { mode: 0o600, durable: false });
      added.clear();
      dropped.clear();
    },
  };
}

/** None where there is no such file, or one that is damaged or another's: the stream tells all in the end. */
function readNotes(file: string, key: string): readonly Noted[] {
  try {
    const value = JSON.parse(fs.readFileSync(file, "utf8")) as {
      readonly key?: string;
      readonly notes?: readonly Noted[];
    };
    return value.key === key && Array.isArray(value.notes) ? value.notes : [];
  } catch {
    return [];
  }
}
