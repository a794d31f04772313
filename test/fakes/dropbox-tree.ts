import { createHash } from "node:crypto";

/**
 * One account's files as the Dropbox API v2 shows them. Written from files.stone of dropbox/dropbox-api-spec and the
 * vendor's guides; what these leave open is marked "assumed".
 */
export interface FileEntry {
  readonly is: "file";
  readonly display: string;
  readonly id: string;
  readonly rev: string;
  readonly bytes: Buffer;
  readonly hash: string;
  readonly modified: string;
}

export interface FolderEntry {
  readonly is: "folder";
  readonly display: string;
  readonly id: string;
}

export type Entry = FileEntry | FolderEntry;

/** A tagged union member as the wire spells it. */
export type Tagged = { readonly ".tag": string } & Readonly<Record<string, unknown>>;

/** An error of an endpoint's own: status 409, or a failure inside a batch's 200. */
export class DropboxFailure extends Error {
  readonly tagged: Tagged;
  constructor(tagged: Tagged) {
    super(JSON.stringify(tagged));
    this.tagged = tagged;
  }
}

export function tag(name: string, more: Readonly<Record<string, unknown>> = {}): Tagged {
  return { ".tag": name, ...more };
}

/** `path/conflict/file/...` of nested tags, as error_summary spells it. */
export function summaryOf(tagged: Tagged): string {
  const parts: string[] = [];
  for (let at: unknown = tagged; typeof at === "object" && at !== null && ".tag" in at; ) {
    const name = String(at[".tag"]);
    parts.push(name);
    at = (at as Record<string, unknown>)[name] ?? (at as Record<string, unknown>)["reason"];
  }
  return `${parts.join("/")}/..`;
}

export interface Commit {
  readonly path: string;
  readonly mode?: string | Tagged;
  readonly strict_conflict?: boolean;
  readonly autorename?: boolean;
}

const BLOCK = 4 * 1024 * 1024;

/** https://www.dropbox.com/developers/reference/content-hash */
export function contentHashOf(bytes: Uint8Array): string {
  const whole = createHash("sha256");
  for (let at = 0; at < bytes.length; at += BLOCK) {
    whole.update(
      createHash("sha256")
        .update(bytes.subarray(at, at + BLOCK))
        .digest(),
    );
  }
  return whole.digest("hex");
}

/** Names that Dropbox never stores: https://help.dropbox.com/organize/file-names */
const DISALLOWED = new Set(["desktop.ini", "thumbs.db", ".ds_store", "icon\r", ".dropbox", ".dropbox.attr"]);

export class DropboxTree {
  readonly entries = new Map<string, Entry>();
  /** Lower-case paths in the order in which they changed. */
  readonly journal: string[] = [];
  /** Bytes that all files together may have. */
  quota = Number.POSITIVE_INFINITY;
  /** How much of the journal listings see; undefined for all of it. */
  visible: number | undefined;
  /** What listings see of the paths that changed after `visible`. */
  private readonly hidden = new Map<string, Entry | undefined>();
  private count = 0;
  readonly removedRevs = new Map<string, FileEntry>();

  /** Dropbox folds case and Unicode form (assumed: NFC and the simple lower-case mapping). */
  fold(path: string): string {
    return path.normalize("NFC").toLowerCase();
  }

  /** Throws malformed_path for what is no path. The root is `""`. */
  parse(path: unknown, malformed: (reason: Tagged) => Tagged): string {
    const bad = (): never => {
      throw new DropboxFailure(malformed(tag("malformed_path")));
    };
    if (typeof path !== "string") return bad();
    if (path === "") return "";
    if (path.startsWith("id:")) return this.byId(path) ?? path;
    if (!path.startsWith("/") || path.endsWith("/") || /[\\\0\x7f]/.test(path)) return bad();
    const parts = path.slice(1).split("/");
    if (parts.some((part) => part === "" || part === "." || part === ".." || part.endsWith(" "))) return bad();
    if (parts.some((part) => part.length > 255)) return bad();
    return path.normalize("NFC");
  }

  private byId(id: string): string | undefined {
    for (const entry of this.entries.values()) if (entry.id === id) return entry.display;
    return undefined;
  }

  get(path: string): Entry | undefined {
    return this.entries.get(this.fold(path));
  }

  used(): number {
    let sum = 0;
    for (const entry of this.entries.values()) if (entry.is === "file") sum += entry.bytes.length;
    return sum;
  }

  private set(lower: string, entry: Entry | undefined): void {
    const before = this.entries.get(lower);
    if (this.visible !== undefined && !this.hidden.has(lower)) this.hidden.set(lower, before);
    if (before?.is === "file") this.removedRevs.set(before.rev, before);
    if (entry === undefined) this.entries.delete(lower);
    else this.entries.set(lower, entry);
    this.journal.push(lower);
  }

  /** From now on listings see what they see now: eventual consistency at its worst. */
  freezeListings(): void {
    this.visible = this.journal.length;
  }

  thawListings(): void {
    this.visible = undefined;
    this.hidden.clear();
  }

  /** An entry as listings see it. */
  seen(lower: string): Entry | undefined {
    return this.hidden.has(lower) ? this.hidden.get(lower) : this.entries.get(lower);
  }

  seenPaths(): string[] {
    const paths = new Set(this.entries.keys());
    for (const [lower, entry] of this.hidden) {
      if (entry === undefined) paths.delete(lower);
      else paths.add(lower);
    }
    return [...paths].sort();
  }

  private nextId(): string {
    return `id:fake_${(++this.count).toString(36).padStart(12, "0")}`;
  }

  private nextRev(): string {
    return (0x1000000000 + ++this.count).toString(16).padStart(12, "0");
  }

  private displayOf(path: string): string {
    const slash = path.lastIndexOf("/");
    if (slash <= 0) return path;
    const parent = path.slice(0, slash);
    return `${this.get(parent)?.display ?? this.displayOf(parent)}${path.slice(slash)}`;
  }

  /** Makes the folders above `path`; `write` wraps the WriteError. */
  private makeParents(path: string, write: (error: Tagged) => Tagged): void {
    const parts = path.slice(1).split("/").slice(0, -1);
    let folder = "";
    for (const part of parts) {
      folder += `/${part}`;
      const there = this.get(folder);
      if (there?.is === "file") throw new DropboxFailure(write(tag("conflict", { conflict: tag("file_ancestor") })));
      if (there === undefined) this.putFolder(folder);
    }
  }

  private putFolder(path: string): FolderEntry {
    const entry: FolderEntry = { is: "folder", display: this.displayOf(path), id: this.nextId() };
    this.set(this.fold(path), entry);
    return entry;
  }

  private checkName(path: string, write: (error: Tagged) => Tagged): void {
    for (const part of path.slice(1).split("/")) {
      if (DISALLOWED.has(part.toLowerCase())) throw new DropboxFailure(write(tag("disallowed_name")));
    }
  }

  /** Commits a file. `write` wraps a WriteError for the endpoint. */
  commit(commit: Commit, bytes: Buffer, write: (error: Tagged) => Tagged): FileEntry {
    const path = this.parse(commit.path, write);
    this.checkName(path, write);
    const there = this.get(path);
    const mode = typeof commit.mode === "string" ? tag(commit.mode) : (commit.mode ?? tag("add"));
    const strict = commit.strict_conflict === true;
    const conflict = (what: string): never => {
      throw new DropboxFailure(write(tag("conflict", { conflict: tag(what) })));
    };
    if (there?.is === "folder") conflict("folder");
    const hash = contentHashOf(bytes);
    if (there?.is === "file") {
      // "If the target path refers to a file with identical contents, nothing gets written; no conflict", unless strict.
      const same = there.hash === hash;
      if (mode[".tag"] === "add" && (strict || !same)) conflict("file");
      if (mode[".tag"] === "update" && there.rev !== mode["update"] && (strict || !same)) conflict("file");
      if (same && !strict) return there;
    } else if (mode[".tag"] === "update" && strict) conflict("file");
    const grown = this.used() + bytes.length - (there?.is === "file" ? there.bytes.length : 0);
    if (grown > this.quota) throw new DropboxFailure(write(tag("insufficient_space")));
    this.makeParents(path, write);
    const entry: FileEntry = {
      is: "file",
      display: there?.display ?? this.displayOf(path),
      id: there?.id ?? this.nextId(),
      rev: this.nextRev(),
      bytes,
      hash,
      modified: new Date(Math.floor(Date.now() / 1000) * 1000).toISOString().replace(".000Z", "Z"),
    };
    this.set(this.fold(path), entry);
    return entry;
  }

  createFolder(path: unknown): FolderEntry {
    const write = (error: Tagged) => tag("path", { path: error });
    const real = this.parse(path, write);
    this.checkName(real, write);
    const there = this.get(real);
    if (there) throw new DropboxFailure(write(tag("conflict", { conflict: tag(there.is) })));
    this.makeParents(real, write);
    return this.putFolder(real);
  }

  /** parent_rev counts for files only, and is a conflict where it does not fit (files.stone, DeleteArg). */
  remove(arg: { readonly path: unknown; readonly parent_rev?: string }): Entry {
    const lookup = (reason: Tagged) => tag("path_lookup", { path_lookup: reason });
    const path = this.parse(arg.path, lookup);
    const there = this.get(path);
    if (there === undefined) throw new DropboxFailure(lookup(tag("not_found")));
    if (arg.parent_rev !== undefined) {
      const refuse = (what: string): never => {
        throw new DropboxFailure(tag("path_write", { path_write: tag("conflict", { conflict: tag(what) }) }));
      };
      if (there.is === "folder") refuse("folder");
      if (there.is === "file" && there.rev !== arg.parent_rev) refuse("file");
    }
    const lower = this.fold(path);
    for (const below of [...this.entries.keys()]) {
      if (below.startsWith(`${lower}/`)) this.set(below, undefined);
    }
    this.set(lower, undefined);
    return there;
  }

  relocate(from: unknown, to: unknown, how: "copy" | "move"): Entry {
    const lookup = (reason: Tagged) => tag("from_lookup", { from_lookup: reason });
    const write = (reason: Tagged) => tag("to", { to: reason });
    const [source, target] = [this.parse(from, lookup), this.parse(to, write)];
    const there = this.get(source);
    if (there === undefined) throw new DropboxFailure(lookup(tag("not_found")));
    this.checkName(target, write);
    const taken = this.get(target);
    if (taken) throw new DropboxFailure(write(tag("conflict", { conflict: tag(taken.is) })));
    if (how === "copy" && there.is === "file" && this.used() + there.bytes.length > this.quota) {
      throw new DropboxFailure(write(tag("insufficient_space")));
    }
    this.makeParents(target, write);
    if (there.is === "folder") throw new DropboxFailure(tag("cant_copy_shared_folder"));
    if (how === "move") this.set(this.fold(source), undefined);
    const display = this.displayOf(target);
    const id = how === "move" ? there.id : this.nextId();
    const entry: FileEntry = { ...there, display, id, rev: this.nextRev() };
    this.set(this.fold(target), entry);
    return entry;
  }

  metadata(entry: Entry): Tagged {
    const base = {
      name: entry.display.slice(entry.display.lastIndexOf("/") + 1),
      path_lower: this.fold(entry.display),
      path_display: entry.display,
      id: entry.id,
    };
    if (entry.is === "folder") return tag("folder", base);
    const { rev, bytes, hash, modified } = entry;
    return tag("file", {
      ...base,
      client_modified: modified,
      server_modified: modified,
      rev,
      size: bytes.length,
      is_downloadable: true,
      content_hash: hash,
    });
  }

  deleted(lower: string): Tagged {
    return tag("deleted", { name: lower.slice(lower.lastIndexOf("/") + 1), path_lower: lower, path_display: lower });
  }
}
