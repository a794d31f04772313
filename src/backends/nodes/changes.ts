import type { IdKind, Node, NodeChange, Nodes } from "./model.ts";

/** The changes of one stream, taken in page by page. */
export interface Stream {
  /** True when the stream shows everything, so that what it does not show is gone. */
  readonly full: boolean;
  /** The last word on each item, with its place in the stream. */
  readonly last: Map<string, { readonly change: NodeChange; readonly at: number }>;
  /** Of paths: where in the stream everything below a path went. */
  readonly cleared: Map<string, number>;
  /** Of paths: where in the stream something last lay in a folder. */
  readonly implied: Map<string, number>;
  length: number;
}

export function newStream(full: boolean): Stream {
  return { full, last: new Map(), cleared: new Map(), implied: new Map(), length: 0 };
}

export function takeIn(stream: Stream, changes: readonly NodeChange[], ids: IdKind): void {
  for (const change of changes) {
    const at = ++stream.length;
    stream.last.set(change.id, { change, at });
    if (ids === "stable") continue;
    if (change.is !== "folder") stream.cleared.set(change.id, at);
    if (change.is === "gone") continue;
    for (let id = change.parent; id !== ""; id = parentPath(id) ?? "") stream.implied.set(id, at);
  }
}

/** What a stream came to: applied to the nodes it started from, or to none for a full one. */
export interface Net {
  readonly put: readonly Node[];
  readonly drop: readonly string[];
}

/** The rule by which a stream changes the nodes that it started from. */
export type Settle = (before: Nodes, stream: Stream, ids: IdKind) => Net;

/** What the stream changes in `before`. Pure. */
export function settle(before: Nodes, stream: Stream, ids: IdKind): Net {
  const result: Result = { base: stream.full ? new Map() : before, put: new Map(), drop: new Set() };
  const { base, put, drop } = result;
  const gone: string[] = [];
  for (const [id, { change }] of stream.last) {
    if (change.is !== "gone") put.set(id, change);
    else {
      gone.push(id);
      if (base.has(id)) drop.add(id);
    }
  }
  if (ids === "paths") {
    addImpliedFolders(result, stream);
    if (stream.cleared.size > 0) dropAll(result, belowCleared(result, stream));
  }
  for (const [id, node] of put) if (sameNode(base.get(id), node)) put.delete(id);
  if (ids === "stable" && put.size + drop.size > 0) {
    dropAll(result, inRemoved(result));
    leaveMarks(result, gone);
  }
  return { put: [...put.values()], drop: [...drop] };
}

interface Result {
  readonly base: Nodes;
  readonly put: Map<string, Node>;
  readonly drop: Set<string>;
}

function dropAll({ base, put, drop }: Result, ids: readonly string[]): void {
  for (const id of ids) {
    put.delete(id);
    if (base.has(id)) drop.add(id);
  }
}

/**
 * Folders that an earlier stream removed, and all that is still in them. Not what is in a folder removed by this
 * stream: something may have been moved out of it after its page went by, which only the next stream tells, and then
 * nobody would name again what lies in it.
 */
function inRemoved({ base, put, drop }: Result): string[] {
  const marks = [...base.values()].filter(({ is, id }) => is === "removed" && !put.has(id)).map(({ id }) => id);
  if (marks.length === 0) return [];
  const verdicts = new Map<string, boolean>(marks.map((id) => [id, true]));
  const isLost = (start: string): boolean => {
    const way: string[] = [];
    let id = start;
    let verdict = verdicts.get(id);
    while (verdict === undefined) {
      way.push(id);
      // A circle of parents leads nowhere: false stands in while the way is walked.
      verdicts.set(id, false);
      const node = put.get(id) ?? (drop.has(id) ? undefined : base.get(id));
      if (node === undefined) break;
      id = node.parent;
      verdict = verdicts.get(id);
    }
    for (const passed of way) verdicts.set(passed, verdict ?? false);
    return verdict ?? false;
  };
  return [...base.keys(), ...put.keys()].filter(isLost);
}

/** Marks each removed folder that something still names as its parent. */
function leaveMarks({ base, put, drop }: Result, gone: readonly string[]): void {
  if (gone.length === 0) return;
  const parents = new Set<string>();
  for (const node of base.values()) if (!drop.has(node.id) && !put.has(node.id)) parents.add(node.parent);
  for (const node of put.values()) parents.add(node.parent);
  for (const id of gone) {
    if (!parents.has(id)) continue;
    drop.delete(id);
    put.set(id, { is: "removed", id, parent: "", name: "" });
  }
}

/** Every item below a cleared path that no later word of the stream brought there or implies. */
function belowCleared({ base, put }: Result, stream: Stream): string[] {
  const isLost = (id: string): boolean => {
    const at = Math.max(stream.last.get(id)?.at ?? 0, stream.implied.get(id) ?? 0);
    for (let above = parentPath(id); above !== undefined; above = parentPath(above)) {
      if ((stream.cleared.get(above) ?? 0) > at) return true;
    }
    return false;
  };
  return [...base.keys(), ...put.keys()].filter(isLost);
}

/** Folders that nobody named are there while something was last seen in them. */
function addImpliedFolders({ base, put, drop }: Result, stream: Stream): void {
  for (const [id, at] of stream.implied) {
    const there = put.get(id) ?? (drop.has(id) ? undefined : base.get(id));
    if (there?.is === "folder" || (stream.cleared.get(id) ?? 0) > at) continue;
    const name = id.slice(id.lastIndexOf("/") + 1);
    put.set(id, { is: "folder", id, parent: parentPath(id) ?? "", name });
    drop.delete(id);
  }
}

function parentPath(id: string): string | undefined {
  const slash = id.lastIndexOf("/");
  return slash < 0 ? undefined : id.slice(0, slash);
}

function sameNode(a: Node | undefined, b: Node): boolean {
  if (a === undefined || a.is !== b.is || a.parent !== b.parent || a.name !== b.name) return false;
  if (a.is === "foreign" && b.is === "foreign") return a.reason === b.reason;
  if (a.is !== "file" || b.is !== "file") return true;
  const sameText = a.rev === b.rev && a.hash === b.hash && a.more === b.more;
  return sameText && a.size === b.size && a.modifiedMs === b.modifiedMs;
}

/** The nodes after `net`. */
export function applyNet(before: Nodes, net: Net, full: boolean): Map<string, Node> {
  const after = full ? new Map<string, Node>() : new Map(before);
  for (const id of net.drop) after.delete(id);
  for (const node of net.put) after.set(node.id, node);
  return after;
}
