import * as fs from "node:fs";
import { dirname, join } from "node:path";
import { foldersOf, type RelPath } from "../../src/lib/path.ts";
import type { Random } from "../support/random.ts";
import { digest } from "../support/tree.ts";
import { isUserPath, localFiles, remoteFiles } from "./engine-look.ts";
import { type Client, note, type World } from "./engine-model.ts";

/** A small alphabet makes collisions: two of these are folders of others. */
export const PATHS = ["a.md", "b.md", "c.bin", "d", "d/a.md", "d/e/b.md", "d/e", "f/g.txt", "a.md/x", "ü n.md"];

/** New bytes that nobody had before, or on purpose the same as elsewhere. Often of equal size. */
export function newContent(world: World, random: Random): Uint8Array {
  const kind = random.below(12);
  if (kind === 0) return new Uint8Array();
  if (kind === 1) return Buffer.from(`same ${random.below(3)}`);
  world.contents++;
  const head = `content ${String(world.contents).padStart(6, "0")} of ${world.seed}`;
  if (kind === 2) return Buffer.concat([Buffer.from(head), random.bytes(40)]);
  if (kind === 3) return Buffer.concat([Buffer.from(head), Buffer.alloc(70_000, world.contents & 0xff)]);
  return Buffer.from(head + "\n".repeat(random.pick([0, 0, 0, 1, 7])));
}

/** Somebody works in a project folder. */
export function userStep(world: World, client: Client, random: Random, wish?: string): void {
  const files = [...localFiles(client.root).keys()];
  const target = wish ?? random.pick(PATHS);
  const present =
    files.length === 0 ? undefined : wish !== undefined && files.includes(wish) ? wish : random.pick(files);
  const act = present === undefined ? 0 : random.below(14);
  if (act <= 4 || present === undefined) {
    writeLocal(world, client, target, newContent(world, random));
    return;
  }
  const file = join(client.root, present);
  switch (act) {
    case 5:
      writeLocal(world, client, present, newContent(world, random));
      break;
    case 6:
      writeLocal(world, client, present, Buffer.concat([fs.readFileSync(file), Buffer.from("more\n")]));
      break;
    case 7:
      sameSizeEdit(world, client, present, random);
      break;
    case 8:
      swapIn(world, client, present, newContent(world, random));
      break;
    case 9:
    case 10:
      removeLocal(world, client, present);
      break;
    case 11:
      renameLocal(world, client, present, target);
      break;
    case 12:
      writeLocal(world, client, target, fs.readFileSync(file));
      break;
    default:
      note(world, `${client.name}: touches ${present}`);
      fs.utimesSync(file, new Date(), new Date(Date.now() - random.below(100_000)));
  }
}

/** Puts bytes there, in place where there is a file; what is in the way goes, by the user's will. */
export function writeLocal(world: World, client: Client, path: string, bytes: Uint8Array): void {
  note(world, `${client.name}: writes ${path} (${label(bytes)})`);
  const file = join(client.root, path);
  makeRoom(world, client, path);
  tellWritten(world, bytes);
  fs.writeFileSync(file, bytes);
}

/** Other bytes of the same number, in place, and sometimes the old time put back. */
function sameSizeEdit(world: World, client: Client, path: string, random: Random): void {
  const file = join(client.root, path);
  const before = fs.statSync(file, { bigint: true });
  const bytes = fs.readFileSync(file);
  if (bytes.length < 40) {
    writeLocal(world, client, path, newContent(world, random));
    return;
  }
  world.contents++;
  bytes.write(String(world.contents).padStart(6, "0"), "content ".length);
  note(world, `${client.name}: edits ${path} keeping its size (${label(bytes)})`);
  tellDestroyed(world, client.name, path, fs.readFileSync(file));
  tellWritten(world, bytes);
  const backdated = random.below(2) === 0;
  do {
    fs.writeFileSync(file, bytes);
    if (backdated) fs.utimesSync(file, Number(before.atimeNs) / 1e9, Number(before.mtimeNs) / 1e9);
    // A kernel with coarse stamps is waited for: what neither time nor size shows, nobody can see.
  } while (fs.statSync(file, { bigint: true }).ctimeNs === before.ctimeNs);
}

/** As editors save: a new file renamed over the old one. */
function swapIn(world: World, client: Client, path: string, bytes: Uint8Array): void {
  note(world, `${client.name}: saves ${path} by rename (${label(bytes)})`);
  const file = join(client.root, path);
  tellDestroyed(world, client.name, path, fs.readFileSync(file));
  tellWritten(world, bytes);
  const temp = join(client.home, "editor");
  fs.writeFileSync(temp, bytes);
  fs.renameSync(temp, file);
}

function removeLocal(world: World, client: Client, path: string): void {
  note(world, `${client.name}: deletes ${path}`);
  const file = join(client.root, path);
  tellDestroyed(world, client.name, path, fs.readFileSync(file));
  fs.rmSync(file);
}

function renameLocal(world: World, client: Client, from: string, to: string): void {
  if (from === to || to.startsWith(`${from}/`)) return;
  note(world, `${client.name}: renames ${from} to ${to}`);
  const bytes = fs.readFileSync(join(client.root, from));
  world.givenUp.add(`${client.name} ${from} ${digest(bytes)}`);
  if (from.startsWith(`${to}/`)) {
    makeRoom(world, client, to);
    fs.writeFileSync(join(client.root, to), bytes);
    return;
  }
  makeRoom(world, client, to);
  fs.renameSync(join(client.root, from), join(client.root, to));
}

/** Files where folders are needed go, and so does a folder where the file shall be. */
function makeRoom(world: World, client: Client, path: string): void {
  const at = (inner: string) => join(client.root, inner);
  const doomed = (inner: string): void => {
    for (const [name] of localFiles(client.root)) {
      if (name === inner || name.startsWith(`${inner}/`))
        tellDestroyed(world, client.name, name, fs.readFileSync(at(name)));
    }
  };
  for (const folder of foldersOf(path as RelPath)) {
    if (!fs.statSync(at(folder), { throwIfNoEntry: false })?.isFile()) continue;
    doomed(folder);
    fs.rmSync(at(folder));
  }
  doomed(path);
  if (fs.statSync(at(path), { throwIfNoEntry: false })?.isDirectory()) fs.rmSync(at(path), { recursive: true });
  fs.mkdirSync(dirname(at(path)), { recursive: true });
}

/** Somebody works on the remote itself, with another program. */
export function handStep(world: World, random: Random, wish?: string): void {
  const { store } = world;
  // Two writers in one tick of a server's revs, or in one second of its answers' dates, are beyond anybody's sight.
  const unseenMs = 3 * store.tickMs + 2000;
  world.skippedMs += unseenMs;
  const present = [...remoteFiles(world).keys()];
  const path = (wish ??
    (present.length > 0 && random.below(2) === 0 ? random.pick(present) : random.pick(PATHS))) as RelPath;
  const found = store.get(path);
  if (found !== undefined && random.below(3) === 0) {
    note(world, `remote: ${path} is deleted by hand`);
    tellDestroyed(world, HAND, path, found.bytes);
    store.delete(path);
    pruneRemote(world);
    return;
  }
  const blocked = foldersOf(path).some((folder) => store.get(folder)) || store.isFolder(path);
  if (blocked) return;
  const bytes = newContent(world, random);
  note(world, `remote: ${path} is written by hand (${label(bytes)})`);
  if (found) tellDestroyed(world, HAND, path, found.bytes);
  tellWritten(world, bytes);
  store.put(path, bytes);
  world.skippedMs += unseenMs;
}

/** Drops user folders that hold nothing, where the remote does so. */
export function pruneRemote(world: World): void {
  if (!world.prunes) return;
  const { store } = world;
  for (const [key, folder] of [...store.folders]) {
    const used = [...store.files.values()].some((file) => file.path.startsWith(`${folder}/`));
    if (!used && isUserPath(folder)) store.folders.delete(key);
  }
}

export function tellWritten(world: World, bytes: Uint8Array): void {
  const sha256 = digest(bytes);
  world.ever.add(sha256);
  if (world.depth > 0) world.written.add(sha256);
}

/** The hand of somebody who works on the remote itself. */
const HAND = "remote";

function tellDestroyed(world: World, who: string, path: string, bytes: Uint8Array): void {
  const sha256 = digest(bytes);
  world.givenUp.add(`${who} ${path} ${sha256}`);
  if (world.depth > 0) world.destroyed.add(sha256);
}

function label(bytes: Uint8Array): string {
  return `${bytes.length} B ${digest(bytes).slice(0, 6)}`;
}
