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
  /** Whether the file holds notes. */
  let kept = false;
  const loaded = (): Map<string, Noted> => {
    if (notes !== undefined) return notes;
    const since = clock.now() - LONGEST_LAG_MS;
    const found = readNotes(file, key);
    kept = found.length > 0;
    notes = new Map(found.filter(({ atMs }) => atMs >= since).map((noted) => [noted.change.id, noted]));
    return notes;
  };
  return {
    all: () => [...loaded().values()].map(({ change }) => change),
    add: (change) => void loaded().set(change.id, { atMs: Math.round(clock.now()), change }),
    settle(streamed) {
      const own = loaded();
      if (own.size === 0) return false;
      const before = own.size;
      for (const { change } of streamed) {
        const noted = own.get(change.id)?.change;
        if (noted === undefined || (noted.is !== "gone" && isLater?.(noted, change))) continue;
        own.delete(change.id);
      }
      return own.size !== before;
    },
    save() {
      const own = notes;
      if (own === undefined || (own.size === 0 && !kept)) return;
      if (own.size === 0) fs.rmSync(file, { force: true });
      else {
        writeAtomic(file, JSON.stringify({ key, notes: [...own.values()] }), { mode: 0o600, durable: false });
      }
      kept = own.size > 0;
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
