import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type MachineOptions, type OwnMachine, ownMachine, type Run, type RunOptions } from "./own-machine.ts";
import type { RemotePlace } from "./remote-place.ts";
import { digest, fileDigest, filesBelow, isUserFile, userFiles } from "./tree.ts";

/** Machines that share one remote, watched: no run of the program may make any content vanish from the world. */
export interface Team {
  readonly place: RemotePlace;
  readonly machines: readonly OwnMachine[];
  /**
   * Runs the program on a machine with `--json`; afterwards every content that was anywhere before (a project, the live
   * remote, a snapshot, a trash) must still be somewhere. Throws with what was lost.
   */
  run(machine: OwnMachine, words: readonly string[], options?: RunOptions): Promise<Run>;
  /** Like `run`, and it must exit 0. */
  ok(machine: OwnMachine, words: readonly string[], options?: RunOptions): Promise<Run>;
  /** Syncs all in turns, twice; then all trees must be equal and whole, and nothing left to do. */
  settle(): Promise<Record<string, string>>;
  /** The live files on the remote. */
  remoteFiles(): Record<string, string>;
}

export async function team(place: RemotePlace, names: readonly string[], options: MachineOptions = {}): Promise<Team> {
  const machines = await Promise.all(names.map((name) => ownMachine(name, place, options)));
  const remoteFiles = () => {
    place.refresh?.();
    return userFiles(place.folder);
  };
  const run: Team["run"] = async (machine, words, runOptions) => {
    const before = contents(place, machines);
    const ended = await machine.run([...words, "--json"], runOptions);
    const after = contents(place, machines);
    const lost = [...before].filter(([sha256]) => !after.has(sha256)).map(([, where]) => where);
    if (lost.length > 0) throw new Error(`${words.join(" ")} lost ${lost.join(", ")}: ${ended.stdout}${ended.stderr}`);
    return ended;
  };
  const ok: Team["ok"] = async (machine, words, runOptions) => {
    const ended = await run(machine, words, runOptions);
    if (ended.code !== 0) throw new Error(`${words.join(" ")} exits ${ended.code}: ${ended.stdout}${ended.stderr}`);
    return ended;
  };
  return {
    place,
    machines,
    run,
    ok,
    remoteFiles,
    async settle() {
      for (let round = 0; round < 2; round++) for (const machine of machines) await ok(machine, ["sync"]);
      const agreed = remoteFiles();
      for (const machine of machines) {
        sameFiles(`${machine.home} and the remote`, machine.files(), agreed);
        const { json } = await ok(machine, ["status"]);
        const { in_sync, ...rest } = json.summary;
        const idle = Object.values(rest).every((count) => count === 0) && in_sync === Object.keys(agreed).length;
        if (!idle) throw new Error(`not in sync: ${JSON.stringify(json)}`);
      }
      wholeSnapshots(place);
      return agreed;
    },
  };
}

/** Every blob holds the bytes of its name, and every snapshot finds its blobs. */
function wholeSnapshots(place: RemotePlace): void {
  place.refresh?.();
  const { folder } = place;
  const blobs = join(folder, "_claude_mirror_blobs");
  const held = new Set(filesBelow(blobs).map((path) => path.slice(3)));
  for (const path of filesBelow(blobs)) {
    if (digest(readFileSync(join(blobs, path))) !== path.slice(3)) throw new Error(`damaged blob ${path}`);
  }
  const manifests = join(folder, "_claude_mirror_snapshots");
  for (const name of filesBelow(manifests).filter((path) => /^[^/]*\.json$/.test(path))) {
    const { files } = JSON.parse(readFileSync(join(manifests, name), "utf8"));
    const missing = Object.entries<string>(files).filter(([, sha256]) => !held.has(sha256));
    if (missing.length > 0) throw new Error(`snapshot ${name} lacks the blobs of ${missing.map(([path]) => path)}`);
  }
}

function sameFiles(what: string, one: Record<string, string>, other: Record<string, string>): void {
  const paths = [...new Set([...Object.keys(one), ...Object.keys(other)])].sort();
  const differing = paths.filter((path) => one[path] !== other[path]);
  const told = differing.map((path) => `${path}: ${short(one[path])} / ${short(other[path])}`);
  if (differing.length > 0) throw new Error(`${what} differ:\n${told.join("\n")}`);
}

function short(content: string | undefined): string {
  return content === undefined ? "(none)" : JSON.stringify(content.slice(0, 60));
}

/** Every content in the world, by SHA-256, with one place where it is. */
function contents(place: RemotePlace, machines: readonly OwnMachine[]): Map<string, string> {
  place.refresh?.();
  const found = new Map<string, string>();
  const note = (what: string, folder: string, holds: (path: string) => boolean) => {
    for (const path of filesBelow(folder).filter(holds)) found.set(fileDigest(join(folder, path)), `${what} ${path}`);
  };
  note("remote", place.folder, isUserFile);
  note("blob", join(place.folder, "_claude_mirror_blobs"), () => true);
  note("snapshot", join(place.folder, "_claude_mirror_snapshots"), (path) => !path.endsWith(".claim"));
  for (const { project, home } of machines) {
    note(project, project, isUserFile);
    note("trash", join(home, ".local/share/claude-mirror"), (path) => path.endsWith("/content"));
  }
  return found;
}
