import { readdirSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { newWorld, put, type World, type WorldOptions } from "./crash-world.ts";
import { digest } from "./tree.ts";

/** One command in a prepared world. */
export interface CrashScenario {
  readonly name: string;
  /** A world as it is before the command, to be copied; made once. */
  prepare(options: WorldOptions): Promise<World>;
  /** What is typed in a copy of that world. */
  words(world: World): readonly string[];
  /** The snapshots stay exactly what they are, at every instant. */
  readonly keepsSnapshots?: true;
  /** Takes the lock only when there is something to do: what a killed one left goes with the next run that does. */
  readonly locksForWork?: true;
  /** The world is damaged before: then only what was good must stay so. */
  readonly damaged?: true;
}

const BIG = Buffer.alloc(1_300_000, "all work and no play\n");
const BASE = ["notes.md", "keep.md", "docs/a.md", "old.md", "deep/er/c.md"];

async function pushed(options: WorldOptions, paths: readonly string[] = BASE): Promise<World> {
  const world = await newWorld(options);
  for (const path of paths) put(world.project, path, `first ${path}\n`);
  await succeed(world, ["push"]);
  return world;
}

async function succeed(world: World, words: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await world.run(words);
  if (code !== 0) throw new Error(`${words.join(" ")} exits ${code}: ${stdout}${stderr}`);
}

/** New, edited, deleted, a big new one, and a folder that was renamed. */
export const PUSH: CrashScenario = {
  name: "push",
  async prepare(options) {
    const world = await pushed(options);
    const { project } = world;
    put(project, "new.md", "new\n");
    put(project, "sub/dir/new.md", "new below\n");
    put(project, "notes.md", "second notes, longer\n");
    put(project, "big.bin", BIG);
    rmSync(join(project, "old.md"));
    renameSync(join(project, "docs"), join(project, "papers"));
    return world;
  },
  words: () => ["push"],
};

/** The other side's new, edited and deleted files, new folders, and contents that no snapshot holds. */
export const PULL: CrashScenario = {
  name: "pull",
  async prepare(options) {
    const world = await pushed(options);
    const { remote } = world;
    put(remote, "new.md", "new there\n");
    put(remote, "sub/dir/new.md", "new there below\n");
    put(remote, "notes.md", "second notes, written there\n");
    put(remote, "big.bin", BIG);
    rmSync(join(remote, "old.md"));
    rmSync(join(remote, "deep"), { recursive: true });
    // Then what is replaced here has to go to the trash.
    rmSync(join(world.state, "snapshots"), { recursive: true });
    return world;
  },
  words: () => ["pull"],
};

/** Two conflicts of which each side wins one, beside ordinary changes. */
export const KEEP_BOTH: CrashScenario = {
  name: "sync --strategy keep-both",
  async prepare(options) {
    const world = await pushed(options);
    const { project, remote } = world;
    put(project, "notes.md", "edited here\n");
    put(remote, "notes.md", "edited there, longer\n");
    put(project, "deep/er/c.md", "mine, and long enough to differ\n");
    put(remote, "deep/er/c.md", "theirs\n");
    put(project, "docs/a.md", "another edit here\n");
    return world;
  },
  words: () => ["sync", "--no-prompt", "--strategy", "keep-both"],
};

/** Back to the first snapshot: some files are overwritten, some are there no longer, some are as they were. */
export const RESTORE: CrashScenario = {
  name: "restore",
  async prepare(options) {
    const world = await pushed(options, [...BASE, "gone/with/all.md"]);
    const { project } = world;
    put(project, "notes.md", "second notes, longer\n");
    rmSync(join(project, "old.md"));
    rmSync(join(project, "gone"), { recursive: true });
    await succeed(world, ["push"]);
    put(project, "docs/a.md", "never pushed\n");
    return world;
  },
  words: ({ remote }) => ["restore", firstSnapshot(remote), "--yes"],
};

function firstSnapshot(remote: string): string {
  const [first] = readdirSync(join(remote, "_claude_mirror_snapshots")).sort();
  return (first ?? "").replace(/\.json$/, "");
}

/** A push whose snapshot is of the full format, over one that is there. */
export const FULL_PUSH: CrashScenario = {
  name: "push with snapshot_format full",
  async prepare(options) {
    const settings = { ...options.settings, snapshot_format: "full" };
    const world = await pushed({ ...options, settings }, ["notes.md", "old.md", "docs/keep.md"]);
    put(world.project, "sub/new.md", "new\n");
    put(world.project, "notes.md", "second notes, longer\n");
    rmSync(join(world.project, "old.md"));
    return world;
  },
  words: () => ["push"],
};

/** One file each way, for servers, where every step costs more. */
export const SMALL_PUSH: CrashScenario = {
  name: "push",
  async prepare(options) {
    const world = await pushed(options, ["notes.md", "old.md", "keep.md"]);
    put(world.project, "sub/new.md", "new\n");
    put(world.project, "notes.md", "second notes, longer\n");
    put(world.project, "big.bin", BIG);
    rmSync(join(world.project, "old.md"));
    return world;
  },
  words: () => ["push"],
};

/** Snapshots of both formats, oldest first: two full ones, two blobs ones. */
async function withSnapshots(options: WorldOptions, formats: "blobs" | "full" | "both"): Promise<World> {
  const world = await pushed(options, ["notes.md", "sub/keep.md"]);
  const push = async (text: string): Promise<void> => {
    put(world.project, "notes.md", text);
    await succeed(world, ["push"]);
  };
  await push("second\n");
  if (formats !== "blobs") await succeed(world, ["migrate-snapshots", "--to", "full", "--no-update-config"]);
  if (formats !== "both") return world;
  await push("third\n");
  await push("fourth\n");
  return world;
}

export const FORGET: CrashScenario = {
  name: "forget",
  prepare: (options) => withSnapshots(options, "both"),
  words: () => ["forget", "--keep-last", "1", "--delete", "--yes"],
  locksForWork: true,
};

export const PRUNE: CrashScenario = {
  name: "prune",
  prepare: (options) => withSnapshots(options, "full"),
  words: () => ["prune", "--keep-last", "1", "--delete", "--yes"],
  locksForWork: true,
};

/** Contents that only forgotten snapshots named. */
export const GC: CrashScenario = {
  name: "gc",
  async prepare(options) {
    const world = await withSnapshots(options, "both");
    await succeed(world, ["forget", "--keep-last", "1", "--delete", "--yes"]);
    return world;
  },
  words: () => ["gc", "--grace", "0", "--delete", "--yes"],
  keepsSnapshots: true,
  locksForWork: true,
};

export const TO_BLOBS: CrashScenario = {
  name: "migrate-snapshots --to blobs",
  async prepare(options) {
    const world = await withSnapshots(options, "full");
    await succeed(world, ["prune", "--keep-last", "2", "--delete", "--yes"]);
    // Nothing is stored, so that every content has to come from the folders.
    rmSync(join(world.remote, "_claude_mirror_blobs"), { recursive: true });
    rmSync(join(world.state, "snapshots"), { recursive: true });
    return world;
  },
  words: () => ["migrate-snapshots", "--to", "blobs"],
  keepsSnapshots: true,
  locksForWork: true,
};

export const TO_FULL: CrashScenario = {
  name: "migrate-snapshots --to full",
  prepare: (options) => withSnapshots(options, "blobs"),
  words: () => ["migrate-snapshots", "--to", "full"],
  keepsSnapshots: true,
  locksForWork: true,
};

/** A content that is gone, one that is damaged, a torn manifest, and a live file whose bytes rotted under their version. */
export const REPAIR: CrashScenario = {
  name: "verify --repair",
  async prepare(options) {
    const world = await withSnapshots(options, "blobs");
    const { remote } = world;
    rmSync(join(remote, blobOf("second\n")));
    put(remote, blobOf("first sub/keep.md\n"), "damaged\n");
    put(remote, `_claude_mirror_snapshots/${firstSnapshot(remote)}.json`, "{ torn");
    // The first version of the notes is nowhere but here.
    put(world.project, "old notes.txt", "first notes.md\n");
    put(remote, blobOf("first notes.md\n"), "damaged, too\n");
    inPlace(remote, "sub/keep.md");
    return world;
  },
  words: () => ["verify", "--repair"],
  damaged: true,
  locksForWork: true,
};

function blobOf(content: string): string {
  const name = digest(Buffer.from(content));
  return `_claude_mirror_blobs/${name.slice(0, 2)}/${name}`;
}

/** Other bytes of the same length and time. */
export function inPlace(folder: string, path: string): void {
  const file = join(folder, path);
  const { atimeMs, mtimeMs, size } = statSync(file);
  writeFileSync(file, "x".repeat(size));
  utimesSync(file, atimeMs / 1000, (Math.floor(mtimeMs) + 0.5) / 1000);
}
