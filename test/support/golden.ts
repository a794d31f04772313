import { cpSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const FIXTURES = join(import.meta.dir, "../fixtures");

/** A remote as the Python tool left it, with the project and the settings that belong to it. */
export interface Golden {
  readonly version: "0.5.31" | "0.5.70";
  /** Absolute folders and files. */
  readonly remote: string;
  readonly project: string;
  readonly config: string;
  readonly token: string;
}

function golden(version: Golden["version"], remote: string, name: string): Golden {
  const folder = join(FIXTURES, `claude-mirror-${version}`);
  return {
    version,
    remote: join(folder, remote),
    project: join(folder, "project"),
    config: join(folder, `config/${name}.yaml`),
    token: join(folder, `config/webdav-${name}-token.json`),
  };
}

export const GOLDENS = {
  blobs: golden("0.5.31", "remote-blobs", "myproject"),
  full: golden("0.5.31", "remote-full", "myproject"),
  newest: golden("0.5.70", "remote", "notes"),
} as const;

/** Every file of the Python tool, relative to the folder of the fixtures, sorted. */
export function goldenFiles(): readonly string[] {
  return readdirSync(FIXTURES)
    .filter((name) => name.startsWith("claude-mirror-"))
    .flatMap((name) => (readdirSync(join(FIXTURES, name), { recursive: true }) as string[]).map((at) => join(name, at)))
    .filter((path) => statSync(join(FIXTURES, path)).isFile())
    .sort();
}

export function goldenPath(path: string): string {
  return join(FIXTURES, path);
}

export function goldenText(path: string): string {
  return readFileSync(goldenPath(path), "utf8");
}

/** Lays a copy of `from` at `to`, so that a test may change it. */
export function copyFolder(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  cpSync(from, to, { recursive: true });
}

/** Sets a file's modification time to the nanosecond, which no runtime's `utimes` can. */
export function setMtimeNs(file: string, mtimeNs: bigint): void {
  const [seconds, rest] = [mtimeNs / 1_000_000_000n, mtimeNs % 1_000_000_000n];
  const set = Bun.spawnSync(["touch", "-d", `@${seconds}.${String(rest).padStart(9, "0")}`, file]);
  if (set.exitCode !== 0) throw new Error(`touch: ${set.stderr.toString()}`);
}
