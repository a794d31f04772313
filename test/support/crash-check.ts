import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { TEMP_PREFIX } from "../../src/lib/temp-prefix.ts";
import type { World } from "./crash-world.ts";
import { digest, filesBelow, userFiles } from "./tree.ts";

const BLOBS = "_claude_mirror_blobs";
const SNAPSHOTS = "_claude_mirror_snapshots";
const MARKER = "_snapshot_meta.json";
const LOG = "_claude_mirror_logs/_sync_log.json";

/** The user's files on both sides: path to content. */
export interface Sides {
  readonly project: Readonly<Record<string, string>>;
  readonly remote: Readonly<Record<string, string>>;
}

/** Files under a name of ours for unfinished ones are left out: {@link ending} lists them. */
export function sides(world: World): Sides {
  return { project: withoutTemps(userFiles(world.project)), remote: withoutTemps(userFiles(world.remote)) };
}

function withoutTemps(files: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).filter(([path]) => !isTemp(path)));
}

function isTemp(path: string): boolean {
  return path.split("/").some((name) => name.startsWith(TEMP_PREFIX));
}

/** All that two runs must agree on, times and versions left out. */
export interface Ending extends Sides {
  /** Per snapshot what made it and each file with its content; every content was read and verified. */
  readonly snapshots: readonly object[];
  readonly log: readonly string[];
  readonly status: object;
  readonly trash: readonly string[];
  /** Whatever a run should have taken away again. */
  readonly leftovers: readonly string[];
}

export async function ending(world: World): Promise<Ending> {
  const status = await world.run(["status", "--json"]);
  if (status.code !== 0) throw new Error(`status exits ${status.code}: ${status.stderr}`);
  const { summary, held } = JSON.parse(status.stdout).result;
  return {
    ...sides(world),
    snapshots: snapshotsOf(world.remote),
    log: logOf(world.remote),
    status: { summary, held },
    trash: trashOf(world),
    leftovers: leftoversOf(world),
  };
}

/** Where two endings differ, one line each; empty when they are alike. */
export function differences(found: Ending, wanted: Ending): string[] {
  const lines = [
    ...differentFiles("project", found.project, wanted.project),
    ...differentFiles("remote", found.remote, wanted.remote),
  ];
  for (const part of ["snapshots", "log", "status", "trash", "leftovers"] as const) {
    const [one, other] = [JSON.stringify(found[part]), JSON.stringify(wanted[part])];
    if (one !== other) lines.push(`${part}: ${one} instead of ${other}`);
  }
  return lines;
}

function differentFiles(side: string, found: Sides["project"], wanted: Sides["project"]): string[] {
  const paths = [...new Set([...Object.keys(found), ...Object.keys(wanted)])].sort();
  return paths
    .filter((path) => found[path] !== wanted[path])
    .map((path) => `${side} ${path}: ${short(found[path])} instead of ${short(wanted[path])}`);
}

function short(content: string | undefined): string {
  return content === undefined ? "nothing" : `${content.length} bytes ${JSON.stringify(content.slice(0, 30))}`;
}

/**
 * What must hold at every instant: each path on each side has its whole old or its whole new content (I4), what there was
 * before still is somewhere (I1), the shared manifest is whole and says of no path more than is true (I9), every snapshot
 * has all its contents (I30). Answers what does not hold.
 */
export function broken(world: World, before: Sides, after: Sides): string[] {
  const now = sides(world);
  return [
    ...mixtures("project", now.project, before.project, after.project),
    ...mixtures("remote", now.remote, before.remote, after.remote),
    ...lost(world, before),
    ...untrueManifest(world, now),
    ...brokenSnapshots(world.remote),
    ...unfinishedLog(world.remote),
  ];
}

function mixtures(side: string, now: Sides["project"], before: Sides["project"], after: Sides["project"]): string[] {
  const paths = new Set([...Object.keys(now), ...Object.keys(before), ...Object.keys(after)]);
  return [...paths]
    .filter((path) => now[path] !== before[path] && now[path] !== after[path])
    .map((path) => `${side} ${path} holds ${short(now[path])}, neither the old nor the new content`);
}

function lost(world: World, before: Sides): string[] {
  const kept = new Set<string>();
  const now = sides(world);
  for (const content of [...Object.values(now.project), ...Object.values(now.remote)]) kept.add(sha256(content));
  for (const path of blobsOf(world.remote)) kept.add(digest(readFileSync(join(world.remote, BLOBS, path))));
  for (const path of filesBelow(join(world.remote, SNAPSHOTS))) {
    if (isInWholeFull(world.remote, path)) kept.add(digest(readFileSync(join(world.remote, SNAPSHOTS, path))));
  }
  for (const path of filesBelow(world.trash)) {
    if (path.endsWith("/content")) kept.add(digest(readFileSync(join(world.trash, path))));
  }
  return [...Object.entries(before.project), ...Object.entries(before.remote)]
    .filter(([, content]) => !kept.has(sha256(content)))
    .map(([path]) => `the content of ${path} is nowhere any more`);
}

function isInWholeFull(remote: string, path: string): boolean {
  const [name = "", ...rest] = path.split("/");
  return rest.length > 0 && existsSync(join(remote, SNAPSHOTS, name, "_snapshot_meta.json"));
}

function sha256(content: string): string {
  return digest(Buffer.from(content, "latin1"));
}

function untrueManifest(world: World, now: Sides): string[] {
  const file = join(world.project, ".claude_mirror_manifest.json");
  if (!existsSync(file)) return [];
  let entries: Record<string, { readonly synced_hash: string; readonly synced_remote_hash: string }>;
  try {
    entries = JSON.parse(readFileSync(file, "utf8"));
  } catch (error) {
    return [`the manifest cannot be read: ${error}`];
  }
  return Object.entries(entries)
    .filter(([path, entry]) => {
      const there = now.remote[path];
      // What the entry speaks of may have been replaced since; then its version differs too.
      const isThat = there !== undefined && entry.synced_remote_hash.startsWith(`${there.length}-`);
      return isThat && isDated(world, path, entry.synced_remote_hash) && md5(there) !== entry.synced_hash;
    })
    .map(([path]) => `the manifest says of ${path} what is not on the remote`);
}

/** The local folder's versions are `size-mtime in ms`. */
function isDated(world: World, path: string, version: string): boolean {
  return version.endsWith(`-${Math.floor(statSync(join(world.remote, path)).mtimeMs)}`);
}

function md5(content: string): string {
  return new Bun.CryptoHasher("md5").update(Buffer.from(content, "latin1")).digest("hex");
}

function blobsOf(remote: string): string[] {
  return filesBelow(join(remote, BLOBS)).filter((path) => !isTemp(path));
}

function brokenSnapshots(remote: string): string[] {
  try {
    snapshotsOf(remote);
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

/** Reads every snapshot and every content it names, as a restore would; throws for one that could not be restored. */
function snapshotsOf(remote: string): object[] {
  const held = new Set<string>();
  for (const path of blobsOf(remote)) {
    const name = path.slice(3);
    if (digest(readFileSync(join(remote, BLOBS, path))) !== name) throw new Error(`damaged blob ${path}`);
    held.add(name);
  }
  const folder = join(remote, SNAPSHOTS);
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => !isTemp(name)) : [];
  const timestamps = new Set(names.map((name) => name.replace(/\.json$/, "")));
  return [...timestamps].sort().flatMap((timestamp) => {
    if (!names.includes(`${timestamp}.json`)) return fullSnapshotOf(join(folder, timestamp));
    const { action, files_changed, files } = JSON.parse(readFileSync(join(folder, `${timestamp}.json`), "utf8"));
    const missing = Object.entries<string>(files).filter(([, content]) => !held.has(content));
    if (missing.length > 0) {
      throw new Error(`snapshot ${timestamp} lacks the contents of ${missing.map(([path]) => path)}`);
    }
    return [{ action, files_changed, files }];
  });
}

/** Nothing for one without its marker and for a claim: nobody trusts them. */
function fullSnapshotOf(folder: string): object[] {
  const marker = join(folder, MARKER);
  if (!existsSync(marker)) return [];
  const { action, files_changed, total_files } = JSON.parse(readFileSync(marker, "utf8"));
  const paths = filesBelow(folder).filter((path) => path !== MARKER && !isTemp(path));
  if (paths.length !== total_files) throw new Error(`${folder} holds ${paths.length} of ${total_files} files`);
  const files = Object.fromEntries(paths.sort().map((path) => [path, digest(readFileSync(join(folder, path)))]));
  return [{ action, files_changed, files }];
}

/** Where the snapshots are not these, with exactly these files. */
export function changedSnapshots(world: World, wanted: readonly object[]): string[] {
  const found = JSON.stringify(snapshotsOf(world.remote));
  return found === JSON.stringify(wanted) ? [] : [`the snapshots are ${found}`];
}

/** Every file of the remote to the digest of its content. */
export type Store = Readonly<Record<string, string>>;

export function storeOf({ remote }: World): Store {
  const paths = filesBelow(remote).filter((path) => !isTemp(path));
  return Object.fromEntries(paths.map((path) => [path, digest(readFileSync(join(remote, path)))]));
}

/** Files that hold neither their old nor their new content, and old contents that are nowhere any more. */
export function brokenStore(world: World, before: Store, after: Store): string[] {
  const now = storeOf(world);
  const kept = new Set(Object.values(now));
  for (const path of filesBelow(world.trash)) kept.add(digest(readFileSync(join(world.trash, path))));
  const mixed = [...new Set([...Object.keys(now), ...Object.keys(before)])].filter(
    (path) => now[path] !== before[path] && now[path] !== after[path],
  );
  return [
    ...mixed.map((path) => `remote ${path} holds neither the old nor the new content`),
    ...Object.keys(before)
      .filter((path) => !kept.has(before[path] as string))
      .map((path) => `what ${path} held is nowhere any more`),
  ];
}

function unfinishedLog(remote: string): string[] {
  try {
    logOf(remote);
    return [];
  } catch (error) {
    return [`the log cannot be read: ${error}`];
  }
}

function logOf(remote: string): string[] {
  const file = join(remote, LOG);
  if (!existsSync(file)) return [];
  const { events } = JSON.parse(readFileSync(file, "utf8"));
  return events.map((event: { action: string; files: string[] }) => `${event.action} ${event.files.join(" ")}`);
}

/** Path and digest of each entry, without its time; a killed run may have kept a content that the next one keeps again. */
function trashOf({ trash }: World): string[] {
  const entries = filesBelow(trash)
    .filter((path) => path.endsWith("/content"))
    .map((path) => {
      const { path: name } = JSON.parse(readFileSync(join(trash, path.replace(/content$/, "meta.json")), "utf8"));
      return `${name} ${digest(readFileSync(join(trash, path)))}`;
    });
  return [...new Set(entries)].sort();
}

/** Claims, and folders without their marker. */
function unfinishedFulls(remote: string): string[] {
  const folder = join(remote, SNAPSHOTS);
  const names = existsSync(folder)
    ? readdirSync(folder).filter((name) => !name.endsWith(".json") && !isTemp(name))
    : [];
  return names
    .filter((name) => !existsSync(join(folder, name, "_snapshot_meta.json")))
    .map((name) => `snapshot ${name}`);
}

const RUN_FILES = ["journal.jsonl", "run.json", "lock", "lock.take"];

/** An entry of the trash that was begun and has no content is no entry; the trash itself drops it with the old ones. */
export function leftoversOf(world: World): string[] {
  const temps = (side: string, folder: string) =>
    existsSync(folder)
      ? (readdirSync(folder, { recursive: true }) as string[]).filter(isTemp).map((path) => `${side} ${path}`)
      : [];
  return [
    ...unfinishedFulls(world.remote),
    ...temps("project", world.project),
    ...temps("remote", world.remote),
    ...temps("state", world.state),
    ...RUN_FILES.filter((name) => existsSync(join(world.state, name))),
  ];
}
