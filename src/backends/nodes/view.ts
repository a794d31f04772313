import { nameOf, parentOf, parseRelPath, type RelPath } from "../../lib/path.ts";
import type { Listing, ListOptions, RemoteFile, UnusableName } from "../types.ts";
import type { FileNode, Node, Nodes } from "./model.ts";

/** Several items of one name in one folder. */
export interface Duplicate {
  readonly path: RelPath;
  /** The one that is shown comes first. Folders are shown as one. */
  readonly nodes: readonly Node[];
}

export interface NodeListing extends Listing {
  readonly duplicates: readonly Duplicate[];
}

export interface ViewOptions {
  /** Id of the node that is the remote root; undefined when there is none. */
  readonly root: string | undefined;
  /** Names that fold to the same are the same name in a folder. */
  readonly fold: (name: string) => string;
  /** Which of two files of one name is shown: the one that sorts first. */
  readonly prefer: (a: FileNode, b: FileNode) => number;
  readonly describe: (node: FileNode, path: RelPath) => RemoteFile;
}

/** The nodes seen from the remote root. Pure; made once for many questions. */
export interface NodeView {
  list(under: RelPath | "", options: ListOptions): NodeListing;
  /** What is at a path, best first; empty when nothing is. The root gives its own node where it has one. */
  at(path: RelPath | ""): readonly Node[];
  /** The node of this id as it is now. */
  node(id: string): Node | undefined;
  /** One item changes: a node in place of the one of its id, or none. */
  set(id: string, node: Node | undefined): void;
}

export function viewNodes(nodes: Nodes, options: ViewOptions): NodeView {
  const { root, fold } = options;
  const children = childrenOf(nodes);
  /** What was set since, by id. */
  const changed = new Map<string, Node | undefined>();
  const nodeOf = (id: string): Node | undefined => (changed.has(id) ? changed.get(id) : nodes.get(id));

  /** The items of one name among the children of these folders, best first. */
  const grouped = (folders: readonly string[]): Map<string, Node[]> => {
    const groups = new Map<string, Node[]>();
    for (const folder of folders) {
      for (const node of children.get(folder) ?? []) {
        if (isOutOfSight(node)) continue;
        const key = fold(node.name);
        const group = groups.get(key);
        if (group === undefined) groups.set(key, [node]);
        else group.push(node);
      }
    }
    for (const group of groups.values()) if (group.length > 1) group.sort(order(options.prefer));
    return groups;
  };
  /** For questions about single paths, which come many to a folder. */
  const groups = new Map<string, Map<string, Node[]>>();
  const groupsOf = (folders: readonly string[]): Map<string, Node[]> => {
    const key = folders.join("\n");
    const found = groups.get(key);
    if (found !== undefined) return found;
    const made = grouped(folders);
    groups.set(key, made);
    for (const folder of folders) {
      const known = groupsWith.get(folder);
      if (known === undefined) groupsWith.set(folder, new Set([made]));
      else known.add(made);
    }
    return made;
  };
  /** The same, by each of their folders. */
  const groupsWith = new Map<string, Set<Map<string, Node[]>>>();
  const takeOut = (node: Node): void => {
    const siblings = children.get(node.parent) ?? [];
    const at = siblings.findIndex(({ id }) => id === node.id);
    if (at >= 0) siblings.splice(at, 1);
    for (const group of groupsWith.get(node.parent) ?? []) {
      const left = (group.get(fold(node.name)) ?? []).filter(({ id }) => id !== node.id);
      if (left.length === 0) group.delete(fold(node.name));
      else group.set(fold(node.name), left);
    }
  };
  const putIn = (node: Node): void => {
    const siblings = children.get(node.parent);
    if (siblings === undefined) children.set(node.parent, [node]);
    else siblings.push(node);
    if (isOutOfSight(node)) return;
    for (const group of groupsWith.get(node.parent) ?? []) {
      const key = fold(node.name);
      group.set(key, [...(group.get(key) ?? []), node].sort(order(options.prefer)));
    }
  };
  const foldersAt = (path: RelPath | ""): readonly string[] | undefined => {
    if (root === undefined) return undefined;
    let folders: readonly string[] = [root];
    for (const name of path === "" ? [] : path.split("/")) {
      folders = (groupsOf(folders).get(fold(name)) ?? []).filter(isFolder).map(({ id }) => id);
      if (folders.length === 0) return undefined;
    }
    return folders;
  };
  return {
    at(path) {
      if (path === "") return root === undefined ? [] : [nodeOf(root)].filter((node) => node !== undefined);
      const folders = foldersAt(parentOf(path));
      return folders === undefined ? [] : (groupsOf(folders).get(fold(nameOf(path))) ?? []);
    },
    node: nodeOf,
    set(id, node) {
      const before = nodeOf(id);
      if (before !== undefined) takeOut(before);
      changed.set(id, node);
      if (node !== undefined) putIn(node);
    },
    list(under, list) {
      const start = foldersAt(under);
      if (start === undefined) return { files: [], folders: [], unusable: [], exists: false, duplicates: [] };
      return walk(under, start, { ...options, grouped, list });
    },
  };
}

interface WalkOptions extends ViewOptions {
  readonly grouped: (folders: readonly string[]) => ReadonlyMap<string, readonly Node[]>;
  readonly list: ListOptions;
}

function walk(under: RelPath | "", start: readonly string[], options: WalkOptions): NodeListing {
  const { fold, grouped, list } = options;
  const skip = new Set((list.skip ?? []).map(fold));
  const files: RemoteFile[] = [];
  const folders: RelPath[] = [];
  const unusable: UnusableName[] = [];
  const duplicates: Duplicate[] = [];
  const pending: { readonly path: RelPath | ""; readonly ids: readonly string[] }[] = [{ path: under, ids: start }];
  const entered = new Set<string>(start);
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const group of grouped(next.ids).values()) {
      const first = group[0] as Node;
      const text = next.path === "" ? first.name : `${next.path}/${first.name}`;
      const path = first.name.includes("/") ? undefined : parseRelPath(text);
      if (path === undefined) {
        unusable.push({ name: text, reason: "its name cannot be a path" });
        continue;
      }
      const inside = group.filter(isFolder);
      if (inside.length > 0) folders.push(path);
      for (const node of group) if (node.is === "foreign") unusable.push({ name: path, reason: node.reason });
      const shown = group.filter(isFile);
      if (inside.length > 0) {
        for (const _ of shown) unusable.push({ name: path, reason: "a folder of the same name is there too" });
      } else if (shown[0] !== undefined) files.push(options.describe(shown[0], path));
      if (Math.max(inside.length, shown.length) > 1) duplicates.push({ path, nodes: group });
      const ids = inside.map(({ id }) => id).filter((id) => !entered.has(id));
      if (ids.length === 0 || list.shallow === true || skip.has(fold(path))) continue;
      for (const id of ids) entered.add(id);
      pending.push({ path, ids });
    }
  }
  list.onCount?.(files.length);
  return { files, folders, unusable, exists: true, duplicates };
}

function childrenOf(nodes: Nodes): Map<string, Node[]> {
  const children = new Map<string, Node[]>();
  for (const node of nodes.values()) {
    const siblings = children.get(node.parent);
    if (siblings === undefined) children.set(node.parent, [node]);
    else siblings.push(node);
  }
  return children;
}

const isOutOfSight = (node: Node): boolean => node.is === "hidden" || node.is === "removed";
const isFolder = (node: Node): boolean => node.is === "folder";
const isFile = (node: Node): node is FileNode => node.is === "file";

/** Folders before files before what is no file of ours; of files the preferred one. */
function order(prefer: (a: FileNode, b: FileNode) => number): (a: Node, b: Node) => number {
  const rank = { folder: 0, file: 1, foreign: 2, hidden: 3, removed: 3 };
  return (a, b) => {
    if (a.is === "file" && b.is === "file") return prefer(a, b);
    return rank[a.is] - rank[b.is] || (a.id < b.id ? -1 : 1);
  };
}
