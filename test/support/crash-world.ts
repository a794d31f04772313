import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { buildBinary } from "../../scripts/build.ts";
import { davRoot } from "../../src/backends/webdav/dav-path.ts";
import { projectId } from "../../src/settings/project-id.ts";
import type { TestServer } from "./server-process.ts";
import { quickFolder, tempFolder } from "./temp.ts";

let built: Promise<string> | undefined;

/** Path of the program with its fault points compiled in, built once for all tests of this process. */
export function faultyBinary(): Promise<string> {
  built ??= buildFaulty();
  return built;
}

async function buildFaulty(): Promise<string> {
  const outfile = join(tempFolder("faulty"), "claude-mirror");
  await buildBinary({ outfile, faults: true });
  return outfile;
}

export interface CrashRun {
  readonly code: number | null;
  readonly killed: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** One machine and its remote, which can be copied whole, put into any state, and looked at. */
export interface World {
  readonly home: string;
  readonly project: string;
  /** The remote on this disk. */
  readonly remote: string;
  readonly state: string;
  readonly trash: string;
  /** The program with an empty environment but for HOME and `env`. */
  run(words: readonly string[], env?: Readonly<Record<string, string>>): Promise<CrashRun>;
  /** Starts the program and does not wait. */
  start(words: readonly string[], env?: Readonly<Record<string, string>>): Bun.Subprocess<"ignore", "pipe", "pipe">;
  /** A copy with all that the program knows, at other places on the disk. */
  copy(): World;
  remove(): void;
}

interface Places {
  readonly home: string;
  readonly remote: string;
  readonly server: TestServer | undefined;
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface WorldOptions {
  /** Where the remote is served; a local folder when left out. */
  readonly server?: TestServer;
  readonly settings?: Readonly<Record<string, unknown>>;
}

let made = 0;

/** A world with an empty project and an empty remote. */
export async function newWorld(options: WorldOptions = {}): Promise<World> {
  const binary = await faultyBinary();
  const places = newPlaces(options.server, options.settings ?? {});
  mkdirSync(join(places.home, "project"), { recursive: true });
  mkdirSync(places.remote);
  giveAway(places);
  return worldAt(binary, places);
}

/** Puts a file there by somebody else's hand. */
export function put(folder: string, path: string, content: string | Uint8Array): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, content);
}

function newPlaces(server: TestServer | undefined, settings: Places["settings"]): Places {
  const number = ++made;
  const home = quickFolder(`crash-${number}`);
  return { home, remote: server ? join(server.root, `crash-${number}`) : join(home, "remote"), server, settings };
}

function worldAt(binary: string, places: Places): World {
  const { home, remote } = places;
  const project = join(home, "project");
  const id = projectId(project, remoteRoot(places));
  writeConfig(places, project);
  const start: World["start"] = (words, { FSIZE, ...env } = {}) =>
    Bun.spawn([...(FSIZE === undefined ? [] : ["prlimit", `--fsize=${FSIZE}`]), binary, ...words], {
      cwd: project,
      // Compiling pays for runs of milliseconds no more than the other work at hand.
      env: { HOME: home, BUN_JSC_useJIT: "0", ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
  return {
    home,
    project,
    remote,
    state: join(home, ".local/state/claude-mirror", id),
    trash: join(home, ".local/share/claude-mirror", id, "trash"),
    start,
    async run(words, env) {
      const child = start(words, env);
      const [stdout, stderr] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.exited,
      ]);
      return { code: child.exitCode, killed: child.signalCode === "SIGKILL", stdout, stderr };
    },
    copy() {
      const there = newPlaces(places.server, places.settings);
      copyTree(home, there.home);
      if (places.server) copyTree(remote, there.remote);
      const newId = projectId(join(there.home, "project"), remoteRoot(there));
      for (const base of [".local/state/claude-mirror", ".local/share/claude-mirror"]) {
        const from = join(there.home, base, id);
        if (existsSync(from)) renameSync(from, join(there.home, base, newId));
      }
      const copied = worldAt(binary, there);
      // It knows the files by their inodes; without it the next look learns them anew.
      rmSync(join(copied.state, "index.bin"), { force: true });
      return copied;
    },
    remove() {
      rmSync(home, { recursive: true, force: true });
      rmSync(remote, { recursive: true, force: true });
    },
  };
}

/** Times and owners are kept, as `cp -a` does. */
function copyTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  const { exitCode, stderr } = Bun.spawnSync(["cp", "-a", `${from}/.`, to]);
  if (exitCode !== 0) throw new Error(stderr.toString());
}

function remoteRoot({ server, remote }: Places): string {
  return server ? davRoot(davUrl(server, remote)).url : remote;
}

function davUrl(server: TestServer, remote: string): string {
  return `${server.origin}/dav/${basename(remote)}/`;
}

function writeConfig(places: Places, project: string): void {
  const { home, remote, server } = places;
  const folder = join(home, ".config/claude_mirror");
  const token = join(folder, "token.json");
  const settings: Record<string, unknown> = {
    project_path: project,
    file_patterns: ["**/*"],
    exclude_patterns: [],
    snapshot_format: "blobs",
    machine_name: "machine",
    user: "me",
    token_file: token,
    parallel_workers: 1,
    ...(server
      ? { backend: "webdav", webdav_url: davUrl(server, remote), webdav_insecure_http: true }
      : { backend: "local", local_folder: remote }),
    ...places.settings,
  };
  const lines = Object.entries(settings).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "project.yaml"), lines.join(""));
  if (server) writeFileSync(token, JSON.stringify({ username: "me", password: "secret" }), { mode: 0o600 });
}

/** The server's own account must be able to write when the tests run as root. */
function giveAway({ server, remote }: Places): void {
  if (server && process.getuid?.() === 0) Bun.spawnSync(["chown", "-R", "www-data", remote]);
}
