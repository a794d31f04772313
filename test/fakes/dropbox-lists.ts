import { DropboxFailure, type DropboxTree, type Tagged, tag } from "./dropbox-tree.ts";

/** list_folder and its cursors. A cursor remembers how far in the journal its reader is, and pages left of a listing. */
export class DropboxLists {
  private readonly tree: DropboxTree;
  /** Most entries of a page, whatever the caller asks for. */
  pageSize = 2000;
  /** Cursors given out before this number are void. */
  private firstValid = 0;
  private next = 0;
  private readonly cursors = new Map<string, Cursor>();

  constructor(tree: DropboxTree) {
    this.tree = tree;
  }

  expireCursors(): void {
    this.firstValid = this.next;
  }

  /** files/list_folder */
  start(arg: Readonly<Record<string, unknown>>): object {
    const { path, recursive } = this.folder(arg);
    const lower = this.tree.fold(path);
    const pending = this.tree
      .seenPaths()
      .filter((each) => this.inScope(each, lower, recursive))
      .map((each) => this.describe(each));
    // Parents come before what is in them; a recursive listing begins with the folder itself.
    const end = this.tree.visible ?? this.tree.journal.length;
    return this.page({ lower, recursive, at: end, pending, limit: limitOf(arg) });
  }

  /** files/list_folder/get_latest_cursor */
  latest(arg: Readonly<Record<string, unknown>>): object {
    const { path, recursive } = this.folder(arg);
    const at = this.tree.visible ?? this.tree.journal.length;
    const cursor = this.keep({ lower: this.tree.fold(path), recursive, at, pending: [], limit: limitOf(arg) });
    return { cursor };
  }

  /** files/list_folder/continue */
  more(text: unknown): object {
    const cursor = this.find(text);
    if (cursor.pending.length > 0) return this.page(cursor);
    const root = this.tree.seen(cursor.lower);
    const end = this.tree.visible ?? this.tree.journal.length;
    if (cursor.lower !== "" && root === undefined && !this.changedSince(cursor, end).has(cursor.lower)) {
      throw new DropboxFailure(tag("path", { path: tag("not_found") }));
    }
    const changed = this.changedSince(cursor, end);
    const isGone = (each: string): boolean => changed.has(each) && this.tree.seen(each) === undefined;
    // "Remove it and all its children": the entry of a removed folder stands for what was in it.
    const told = [...changed].filter((each) => !(isGone(each) && foldersAbove(each).some(isGone)));
    return this.page({ ...cursor, at: end, pending: told.map((each) => this.describe(each)) });
  }

  /** True when `continue` would have something to tell. Throws `reset` for a void cursor. */
  hasNews(text: unknown): boolean {
    const cursor = this.find(text);
    const end = this.tree.visible ?? this.tree.journal.length;
    return cursor.pending.length > 0 || this.changedSince(cursor, end).size > 0;
  }

  private find(text: unknown): Cursor {
    const cursor = this.cursors.get(String(text));
    if (cursor === undefined || cursor.number < this.firstValid) throw new DropboxFailure(tag("reset"));
    return cursor;
  }

  /** Each path once, in the order of its last change. */
  private changedSince({ lower, recursive, at }: Cursor, end: number): Set<string> {
    const changed = new Set<string>();
    for (const each of this.tree.journal.slice(at, end)) {
      if (!this.inScope(each, lower, recursive)) continue;
      changed.delete(each);
      changed.add(each);
    }
    return changed;
  }

  private describe(lower: string): Tagged {
    const entry = this.tree.seen(lower);
    return entry ? this.tree.metadata(entry) : this.tree.deleted(lower);
  }

  private inScope(each: string, folder: string, recursive: boolean): boolean {
    if (each === folder) return recursive && folder !== "";
    if (!each.startsWith(`${folder}/`)) return false;
    return recursive || !each.slice(folder.length + 1).includes("/");
  }

  private folder(arg: Readonly<Record<string, unknown>>): { readonly path: string; readonly recursive: boolean } {
    const lookup = (reason: Tagged) => tag("path", { path: reason });
    const path = this.tree.parse(arg["path"], lookup);
    const there = path === "" ? "folder" : this.tree.seen(this.tree.fold(path))?.is;
    if (there !== "folder") throw new DropboxFailure(lookup(tag(there === undefined ? "not_found" : "not_folder")));
    return { path, recursive: arg["recursive"] === true };
  }

  private page(cursor: Omit<Cursor, "number">): object {
    const size = Math.min(cursor.limit, this.pageSize);
    const pending = cursor.pending.slice(size);
    const kept = this.keep({ ...cursor, pending });
    return { entries: cursor.pending.slice(0, size), cursor: kept, has_more: pending.length > 0 };
  }

  private keep(cursor: Omit<Cursor, "number">): string {
    const number = this.next++;
    const text = `AAF${number.toString(36).padStart(16, "0")}_fake`;
    this.cursors.set(text, { ...cursor, number });
    return text;
  }
}

interface Cursor {
  readonly number: number;
  readonly lower: string;
  readonly recursive: boolean;
  /** How much of the journal its reader knows. */
  readonly at: number;
  readonly pending: readonly Tagged[];
  readonly limit: number;
}

function foldersAbove(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(2).map((_, at) => parts.slice(0, at + 2).join("/"));
}

function limitOf(arg: Readonly<Record<string, unknown>>): number {
  const limit = arg["limit"];
  // The document gives no default size; a thousand is assumed.
  return typeof limit === "number" ? limit : 1000;
}
