import type { RelPath } from "../lib/path.ts";
import { foldName } from "./names.ts";

export type Side = "local" | "remote";

export interface SidePath {
  readonly side: Side;
  readonly path: RelPath;
}

/** Which side holds something at which path, in the caller's order. */
export interface Presence {
  readonly paths: readonly RelPath[];
  /** {@link ON_LOCAL}, {@link ON_REMOTE} or both, per path. */
  readonly sides: readonly number[];
}

export const ON_LOCAL = 1;
export const ON_REMOTE = 2;

export interface Clashes {
  /** Per side: the new path, and why it must wait. */
  readonly held: Readonly<Record<Side, ReadonlyMap<RelPath, string>>>;
  /** Per side: paths whose planned delete must be done before the new paths are made. */
  readonly room: Readonly<Record<Side, ReadonlySet<RelPath>>>;
}

export interface ClashInput {
  readonly presence: Presence;
  /** Further paths that both sides hold. */
  readonly inSync?: () => Iterable<RelPath>;
  /** Paths that the plan makes where that side has nothing of that name. */
  readonly creations: readonly SidePath[];
  readonly deletions: readonly SidePath[];
}

/**
 * Finds new paths that cannot live beside what a side holds or is about to get: a file where a folder is needed or
 * the other way round, and names that some file system takes for one (case, Unicode form), of files and of folders.
 * A blocker that the plan deletes anyway makes room instead. Among clashing new paths all are held, so that the
 * answer does not depend on their order.
 */
export function findClashes(input: ClashInput): Clashes {
  const local = clashesOf("local", ON_LOCAL, input);
  const remote = clashesOf("remote", ON_REMOTE, input);
  return {
    held: { local: local.held, remote: remote.held },
    room: { local: local.room, remote: remote.room },
  };
}

const FILE = 1;
const FOLDER = 2;

/** One spelling of one name on one side; spellings that fold alike are chained. */
interface Spelling {
  readonly text: string;
  /** What stays there after the planned deletes, as FILE and FOLDER bits. */
  staying: number;
  /** What the plan makes there. */
  created: number;
  /** Planned deletes at this name or below it, and whether one is of the name itself. */
  deletes?: RelPath[];
  fileDeleted?: boolean;
  /** The deletes have been asked to make room. */
  cleared?: boolean;
  next?: Spelling;
}

type Index = Map<string, Spelling>;

interface SideClashes {
  readonly held: Map<RelPath, string>;
  readonly room: Set<RelPath>;
}

function clashesOf(side: Side, bit: number, input: ClashInput): SideClashes {
  const created = input.creations.filter((it) => it.side === side).map((it) => it.path);
  const held = new Map<RelPath, string>();
  const room = new Set<RelPath>();
  if (created.length === 0) return { held, room };
  const index = indexCreated(created);
  const deleted = new Set(input.deletions.filter((it) => it.side === side).map((it) => it.path));
  const walk = prefixWalker();
  const { paths, sides } = input.presence;
  for (let i = 0; i < paths.length; i++) {
    const path = paths[i];
    if (path !== undefined && ((sides[i] ?? 0) & bit) !== 0) indexPresent(index, walk, path, deleted.has(path));
  }
  for (const path of input.inSync?.() ?? []) indexPresent(index, walk, path, deleted.has(path));
  for (const path of created) {
    const found = examine(index, path, walk);
    if (found.reason !== undefined) held.set(path, found.reason);
    else clear(found.room, room);
  }
  return { held, room };
}

function indexCreated(created: readonly RelPath[]): Index {
  const index: Index = new Map();
  const walk = prefixWalker();
  for (const path of created) {
    walk(path, (folded, text, kind) => {
      const head = index.get(folded);
      let spelling = find(head, text);
      if (spelling === undefined) {
        spelling = { text, staying: 0, created: 0, ...(head && { next: head }) };
        index.set(folded, spelling);
      }
      spelling.created |= kind;
    });
  }
  return index;
}

/** Only names that some new path also uses are of interest. */
function indexPresent(index: Index, walk: PrefixWalk, path: RelPath, deleted: boolean): void {
  walk(path, (folded, text, kind) => {
    const head = index.get(folded);
    if (head === undefined) return;
    let spelling = find(head, text);
    if (spelling === undefined) {
      spelling = { text, staying: 0, created: 0, ...(head.next && { next: head.next }) };
      head.next = spelling;
    }
    if (!deleted) {
      spelling.staying |= kind;
      return;
    }
    spelling.deletes ??= [];
    spelling.deletes.push(path);
    if (kind === FILE) spelling.fileDeleted = true;
  });
}

/** Why `path` must wait, or else the names whose deletes make room for it. */
function examine(index: Index, path: RelPath, walk: PrefixWalk): { reason?: string; room: Spelling[] } {
  const room: Spelling[] = [];
  let reason: string | undefined;
  walk(path, (folded, text, kind) => {
    const head = index.get(folded);
    const own = find(head, text);
    if (own === undefined || reason !== undefined) return;
    const wrong = kind === FILE ? FOLDER : FILE;
    if (((own.staying | own.created) & wrong) !== 0) {
      reason = kindClash(text, kind);
      return;
    }
    if (kind === FILE || own.fileDeleted) room.push(own);
    if (own.staying !== 0) return;
    for (let other = head; other !== undefined; other = other.next) {
      if (other === own) continue;
      if ((other.staying | other.created) !== 0) reason ??= twinClash(text, other.text);
      else room.push(other);
    }
  });
  return reason === undefined ? { room } : { reason, room };
}

function clear(blockers: readonly Spelling[], room: Set<RelPath>): void {
  for (const blocker of blockers) {
    if (blocker.cleared) continue;
    blocker.cleared = true;
    for (const path of blocker.deletes ?? []) room.add(path);
  }
}

function kindClash(text: string, kind: number): string {
  const quoted = JSON.stringify(text);
  return kind === FOLDER
    ? `${quoted} is a file on one side and a folder on the other: rename one of them`
    : `a folder ${quoted} is on the other side: rename the file or the folder`;
}

function twinClash(text: string, other: string): string {
  return `${JSON.stringify(text)} and ${JSON.stringify(other)} differ only in case or Unicode form: rename one of them`;
}

function find(head: Spelling | undefined, text: string): Spelling | undefined {
  for (let it = head; it !== undefined; it = it.next) if (it.text === text) return it;
  return undefined;
}

type PrefixVisit = (folded: string, text: string, kind: number) => void;
type PrefixWalk = (path: RelPath, visit: PrefixVisit) => void;

/** Visits every folder above a path and the path itself, folded. Remembers the last folder: paths come sorted. */
function prefixWalker(): PrefixWalk {
  let folder = "";
  let folded = "";
  let prefixes: { readonly folded: string; readonly text: string }[] = [];
  return (path, visit) => {
    const slash = path.lastIndexOf("/");
    const parent = slash < 0 ? "" : path.slice(0, slash);
    if (parent !== folder) {
      prefixes = foldedPrefixes(parent);
      folder = parent;
      folded = prefixes.at(-1)?.folded ?? "";
    }
    for (const prefix of prefixes) visit(prefix.folded, prefix.text, FOLDER);
    const plain = path.slice(slash + 1);
    const name = foldName(plain);
    // Most paths are their own folded form: no second text is made of those.
    if (name === plain && folded === parent) visit(path, path, FILE);
    else visit(parent === "" ? name : `${folded}/${name}`, path, FILE);
  };
}

function foldedPrefixes(folder: string): { folded: string; text: string }[] {
  if (folder === "") return [];
  const prefixes: { folded: string; text: string }[] = [];
  let text = "";
  let folded = "";
  for (const name of folder.split("/")) {
    text = text === "" ? name : `${text}/${name}`;
    folded = folded === "" ? foldName(name) : `${folded}/${foldName(name)}`;
    prefixes.push({ folded, text });
  }
  return prefixes;
}
