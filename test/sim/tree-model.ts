import type { RemoteFile, Rev } from "../../src/backends/types.ts";
import { comparePaths, foldersOf, type RelPath } from "../../src/lib/path.ts";
import type {
  Action,
  BaseEntry,
  FileStat,
  LocalState,
  Plan,
  PlanRequest,
  RemoteState,
  Row,
} from "../../src/sync/model.ts";
import { foldName } from "../../src/sync/names.ts";
import { hashOf } from "../support/rows.ts";

/** What is under test: `plan`, or a mutant of it. */
export type Planner = (rows: Iterable<Row>, request: PlanRequest) => Plan;

interface TreeFile {
  readonly content: string;
  /** Never the same twice in one world: a rev on the remote, an mtime here. */
  readonly stamp: number;
}

/** One side's files. A folding tree takes names that differ in case or Unicode form for one, as some servers do. */
export interface Tree {
  readonly files: Map<RelPath, TreeFile>;
  readonly folds: boolean;
}

export interface Client {
  readonly name: string;
  readonly tree: Tree;
  readonly base: Map<RelPath, BaseEntry>;
}

/** Two machines, one remote, and what the oracle needs to know. */
export interface World {
  readonly remote: Tree;
  readonly clients: readonly Client[];
  /** Contents that were once agreed on: a snapshot holds them. */
  readonly kept: Set<string>;
  /** Contents that an action destroyed while nothing else held them. */
  readonly lost: string[];
  /** Files written with the very bytes they held. */
  readonly rewritten: RelPath[];
  /** Names of conflict copies made, by original and content. */
  readonly copies: Map<string, Set<RelPath>>;
  stamp: number;
}

/** What an observer cannot see, or must not. */
export interface View {
  readonly inScope?: (path: RelPath) => boolean;
  readonly unreadable?: (path: RelPath) => boolean;
  readonly unusable?: (path: RelPath) => boolean;
}

export function newWorld(clients: number, folds: boolean): World {
  const machines = Array.from({ length: clients }, (_, i) => ({
    name: `m${i}`,
    tree: newTree(false),
    base: new Map(),
  }));
  const remote = newTree(folds);
  return { remote, clients: machines, kept: new Set(), lost: [], rewritten: [], copies: new Map(), stamp: 0 };
}

function newTree(folds: boolean): Tree {
  return { files: new Map(), folds };
}

/** Puts a file as a user would; false where a folder or file is in the way. */
export function put(world: World, tree: Tree, path: RelPath, content: string): boolean {
  if (isBlocked(tree, path)) return false;
  tree.files.set(storedName(tree, path), { content, stamp: ++world.stamp });
  return true;
}

/** Puts a file that everybody already agrees on. */
export function putAgreed(world: World, path: RelPath, content: string, holders: readonly Client[]): void {
  if (!put(world, world.remote, path, content)) return;
  for (const client of holders) {
    if (put(world, client.tree, path, content)) record(world, client, path);
  }
}

function isBlocked(tree: Tree, path: RelPath): boolean {
  if (foldersOf(path).some((folder) => tree.files.has(folder))) return true;
  const below = `${path}/`;
  for (const other of tree.files.keys()) if (other.startsWith(below)) return true;
  return false;
}

function storedName(tree: Tree, path: RelPath): RelPath {
  if (!tree.folds) return path;
  const folded = foldName(path);
  for (const other of tree.files.keys()) if (foldName(other) === folded) return other;
  return path;
}

/** What a truthful observer makes of the world; `compared` paths have had both contents read. */
export function observe(
  world: World,
  client: Client,
  view: View = {},
  compared: ReadonlySet<RelPath> = NO_PATHS,
): Row[] {
  const paths = new Set([...world.remote.files.keys(), ...client.tree.files.keys(), ...client.base.keys()]);
  return [...paths].sort(comparePaths).map((path) => rowAt(world, client, path, view, compared.has(path)));
}

const NO_PATHS: ReadonlySet<RelPath> = new Set();

function rowAt(world: World, client: Client, path: RelPath, view: View, compared: boolean): Row {
  const base = client.base.get(path);
  const here = client.tree.files.get(path);
  const there = world.remote.files.get(path);
  const equal = compared && here && there ? { equal: here.content === there.content } : {};
  return {
    path,
    inScope: view.inScope?.(path) ?? true,
    ...(base && { base }),
    local: view.unreadable?.(path) ? { kind: "unreadable", reason: "permission denied" } : localAt(here, base),
    remote: view.unusable?.(path)
      ? { kind: "unusable", reason: "listed twice" }
      : remoteAt(path, there, base, compared),
    ...equal,
  };
}

function localAt(file: TreeFile | undefined, base: BaseEntry | undefined): LocalState {
  if (file === undefined) return { kind: "absent" };
  const hash = digests(file.content);
  return { kind: "file", changed: hash.md5 !== base?.md5, stat: statAt(file), hash };
}

function remoteAt(
  path: RelPath,
  file: TreeFile | undefined,
  base: BaseEntry | undefined,
  compared: boolean,
): RemoteState {
  if (file === undefined) return { kind: "absent" };
  const sha256 = compared ? { sha256: digests(file.content).sha256 } : {};
  return { kind: "file", changed: revAt(file) !== base?.rev, file: remoteFileAt(path, file), ...sha256 };
}

function statAt(file: TreeFile): FileStat {
  return { size: file.content.length, mtimeNs: BigInt(file.stamp), ctimeNs: 0n, ino: 0n };
}

function revAt(file: TreeFile): Rev {
  return `r${file.stamp}` as Rev;
}

function remoteFileAt(path: RelPath, file: TreeFile): RemoteFile {
  const rev = revAt(file);
  return { path, size: file.content.length, rev, racy: false, id: path, nativeHash: rev };
}

const known = new Map<string, ReturnType<typeof hashOf>>();

function digests(content: string): ReturnType<typeof hashOf> {
  let found = known.get(content);
  if (found === undefined) {
    found = hashOf(content);
    known.set(content, found);
  }
  return found;
}

export interface RunOptions {
  readonly view?: View;
  /** Called before each action: somebody else at work. */
  readonly between?: () => void;
}

export interface Ran {
  readonly rows: readonly Row[];
  readonly plan: Plan;
  readonly failed: readonly Action[];
}

/** One run of one client: observe, compare what has to be, plan, execute step by step, record what happened. */
export function run(
  world: World,
  client: Client,
  planner: Planner,
  request: PlanRequest,
  options: RunOptions = {},
): Ran {
  let rows = observe(world, client, options.view);
  let plan = planner(rows, request);
  if (plan.compare.length > 0) {
    rows = observe(world, client, options.view, new Set(plan.compare));
    plan = planner(rows, request);
  }
  const failed: Action[] = [];
  for (const action of plan.actions) {
    options.between?.();
    if (!execute(world, client, action)) failed.push(action);
  }
  return { rows, plan, failed };
}

/** Does one action if the world still is as planned; false (and nothing done) otherwise. */
function execute(world: World, client: Client, action: Action): boolean {
  switch (action.kind) {
    case "upload":
      return upload(world, client, action.path, action.local, action.expect);
    case "download":
      return download(world, client, action.path, action.remote, action.local);
    case "delete-remote":
      if (client.tree.files.has(action.path) || !holds(world.remote, action.path, action.remote.rev)) return false;
      return remove(world, client, world.remote, action.path);
    case "delete-local":
      if (!isAt(client.tree, action.path, action.local) || world.remote.files.has(action.path)) return false;
      return remove(world, client, client.tree, action.path);
    case "adopt":
      if (!isAt(client.tree, action.path, action.local) || !holds(world.remote, action.path, action.remote.rev))
        return false;
      record(world, client, action.path);
      return true;
    case "forget":
      client.base.delete(action.path);
      return true;
    case "keep-both":
      return keepBoth(world, client, action);
  }
}

function upload(world: World, client: Client, path: RelPath, local: FileStat, expect: Rev | "absent"): boolean {
  const file = client.tree.files.get(path);
  if (file === undefined || !isAt(client.tree, path, local)) return false;
  const asExpected = expect === "absent" ? !world.remote.files.has(path) : holds(world.remote, path, expect);
  return asExpected && write(world, client, world.remote, path, file.content);
}

function download(
  world: World,
  client: Client,
  path: RelPath,
  remote: RemoteFile,
  local: FileStat | "absent",
): boolean {
  const file = world.remote.files.get(path);
  if (file === undefined || !holds(world.remote, path, remote.rev)) return false;
  const asExpected = local === "absent" ? !client.tree.files.has(path) : isAt(client.tree, path, local);
  if (!asExpected) return false;
  if (client.tree.files.get(path)?.content !== file.content)
    return write(world, client, client.tree, path, file.content);
  record(world, client, path);
  return true;
}

function keepBoth(world: World, client: Client, action: Extract<Action, { kind: "keep-both" }>): boolean {
  const { path, copy, winner } = action;
  const here = client.tree.files.get(path);
  const there = world.remote.files.get(path);
  if (here === undefined || there === undefined) return false;
  if (!isAt(client.tree, path, action.local) || !holds(world.remote, path, action.remote.rev)) return false;
  const loser = winner === "local" ? there : here;
  for (const tree of [client.tree, world.remote]) {
    const content = tree.files.get(copy)?.content;
    if (content === loser.content) continue;
    if (content !== undefined || !write(world, client, tree, copy, loser.content)) return false;
  }
  record(world, client, copy);
  noteCopy(world, path, copy, loser.content);
  if (winner === "local") return upload(world, client, path, action.local, action.remote.rev);
  return download(world, client, path, action.remote, action.local);
}

function noteCopy(world: World, path: RelPath, copy: RelPath, content: string): void {
  const original = path.replace(/\.conflict-[0-9a-f]{8}$/, "");
  const key = `${original} ${content}`;
  world.copies.set(key, (world.copies.get(key) ?? new Set()).add(copy));
}

function isAt(tree: Tree, path: RelPath, stat: FileStat): boolean {
  return tree.files.get(path)?.stamp === Number(stat.mtimeNs);
}

function holds(tree: Tree, path: RelPath, rev: Rev): boolean {
  const file = tree.files.get(path);
  return file !== undefined && revAt(file) === rev;
}

function write(world: World, client: Client, tree: Tree, path: RelPath, content: string): boolean {
  const old = tree.files.get(storedName(tree, path));
  if (!put(world, tree, path, content)) return false;
  if (old?.content === content) world.rewritten.push(path);
  record(world, client, path);
  if (old !== undefined) noteDestroyed(world, old.content);
  return true;
}

function remove(world: World, client: Client, tree: Tree, path: RelPath): boolean {
  const old = tree.files.get(path);
  tree.files.delete(path);
  client.base.delete(path);
  if (old !== undefined) noteDestroyed(world, old.content);
  return true;
}

function noteDestroyed(world: World, content: string): void {
  if (world.kept.has(content) || isHeld(world.remote, content)) return;
  if (!world.clients.some((client) => isHeld(client.tree, content))) world.lost.push(content);
}

function isHeld(tree: Tree, content: string): boolean {
  for (const file of tree.files.values()) if (file.content === content) return true;
  return false;
}

/** Both sides agree on a path now; half-done pairs (a copy that is on one side yet) are not recorded. */
function record(world: World, client: Client, path: RelPath): void {
  const here = client.tree.files.get(path);
  const there = world.remote.files.get(path);
  if (here === undefined || there === undefined || here.content !== there.content) return;
  const { md5, sha256 } = digests(here.content);
  const rev = revAt(there);
  const size = here.content.length;
  client.base.set(path, { path, md5, sha256, size, remoteId: path, nativeHash: rev, rev, racy: false, syncedAt: "" });
  world.kept.add(here.content);
}

/** The contents of a tree, for comparing. */
export function contentsOf(tree: Tree): Map<RelPath, string> {
  return new Map([...tree.files].map(([path, file]) => [path, file.content]));
}
