import type { Rev } from "../../src/backends/types.ts";
import { foldersOf, isUnder, parentOf, type RelPath, relPath } from "../../src/lib/path.ts";
import { utf8 } from "./bodies.ts";

export interface MemoryEntry {
  readonly path: RelPath;
  readonly bytes: Uint8Array;
  readonly rev: Rev;
  readonly modifiedMs: number;
}

export interface MemoryStoreOptions {
  /** False: `A.md` and `a.md` are one file, shown under the name that came first. */
  readonly caseSensitive?: boolean;
  /** Two writes of equal size within so many milliseconds get one rev, as on a coarse file system. 0 turns that off. */
  readonly tickMs?: number;
  /** Milliseconds since 1970. Left out, every look at the clock is one millisecond later than the last. */
  readonly now?: () => number;
}

/** What one remote holds, shared by all memory backends opened on it; also the hand of "somebody else". */
export class MemoryStore {
  readonly caseSensitive: boolean;
  readonly tickMs: number;
  readonly now: () => number;
  /** False while the remote folder is gone (an unmounted disk). */
  present = true;
  readonly files = new Map<string, MemoryEntry>();
  readonly folders = new Map<string, RelPath>();
  /** Paths in the order in which they changed. */
  readonly log: RelPath[] = [];
  /** What a lagging listing still shows; undefined shows the present. */
  #settled: { readonly files: MemoryEntry[]; readonly folders: RelPath[] } | undefined;
  #versions = 0;

  constructor(options: MemoryStoreOptions = {}) {
    let time = Date.UTC(2026, 10, 20);
    this.caseSensitive = options.caseSensitive ?? true;
    this.tickMs = options.tickMs ?? 0;
    this.now = options.now ?? (() => time++);
  }

  key(path: string): string {
    return this.caseSensitive ? path : path.normalize("NFC").toLowerCase();
  }

  get(path: RelPath): MemoryEntry | undefined {
    return this.files.get(this.key(path));
  }

  isFolder(path: RelPath): boolean {
    return this.folders.has(this.key(path));
  }

  /** Puts a file there, whatever was there, with the folders it needs. */
  put(path: RelPath, content: Uint8Array | string): MemoryEntry {
    for (const folder of foldersOf(path)) {
      if (!this.isFolder(folder)) this.folders.set(this.key(folder), this.#spelling(folder));
    }
    const bytes = typeof content === "string" ? utf8(content) : content;
    const modifiedMs = this.now();
    const entry = {
      path: this.get(path)?.path ?? this.#spelling(path),
      bytes,
      rev: this.#rev(bytes, modifiedMs),
      modifiedMs,
    };
    this.files.set(this.key(path), entry);
    this.log.push(entry.path);
    return entry;
  }

  delete(path: RelPath): void {
    if (this.files.delete(this.key(path))) this.log.push(path);
  }

  /** Listings stay as they are now until the next call, whatever is written. */
  settle(): void {
    this.#settled = { files: [...this.files.values()], folders: [...this.folders.values()] };
  }

  /** What a listing shows below `under`. */
  view(under: RelPath | ""): { readonly files: MemoryEntry[]; readonly folders: RelPath[] } {
    const all = this.#settled ?? { files: [...this.files.values()], folders: [...this.folders.values()] };
    const inside = (path: RelPath): boolean =>
      path !== under && isUnder(this.key(path) as RelPath, this.key(under) as "");
    return {
      files: all.files.filter((file) => inside(file.path)),
      folders: all.folders.filter(inside),
    };
  }

  /** Every file as text, sorted by path, for `expect(...).toEqual`. */
  tree(): Record<string, string> {
    const sorted = [...this.files.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
    return Object.fromEntries(sorted.map((entry) => [entry.path, new TextDecoder().decode(entry.bytes)]));
  }

  #rev(bytes: Uint8Array, modifiedMs: number): Rev {
    if (this.tickMs > 0) return `${bytes.length}-${Math.floor(modifiedMs / this.tickMs)}` as Rev;
    this.#versions++;
    return `v${this.#versions}` as Rev;
  }

  /** The path with its folders as they were first spelled. */
  #spelling(path: RelPath): RelPath {
    const parent = parentOf(path);
    if (parent === "") return path;
    return relPath((this.folders.get(this.key(parent)) ?? parent) + path.slice(parent.length));
  }
}
