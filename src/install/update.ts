import { spawnSync } from "node:child_process";
import { chmodSync, linkSync, realpathSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { NeedsActionError } from "../lib/errors.ts";
import { fsyncFolder, tempPathFor } from "../lib/fs.ts";
import { isSystemError, systemState } from "../lib/system-error.ts";
import type { Releases } from "./release.ts";

/** Set by scripts/build.ts; absent when run from source. */
declare const TARGET: string | undefined;
declare const RELEASES: string | undefined;

/** The name of this program's system in a release; undefined where it runs from its sources. */
export function ownTarget(): string | undefined {
  return typeof TARGET === "undefined" ? undefined : TARGET;
}

/** Where releases are: as the environment says, else as compiled in; undefined when nobody says. */
export function releasesUrl(env: Readonly<Record<string, string | undefined>>): string | undefined {
  return env["CLAUDE_MIRROR_BASE_URL"] || (typeof RELEASES === "undefined" ? "" : RELEASES) || undefined;
}

export interface Replacement {
  /** The program's own file. */
  readonly executable: string;
  readonly version: string;
  readonly target: string;
}

/**
 * Puts the program of a release into the place of this one. It is compared with its checksum and run once before it takes
 * the place, in one rename, and once after; when that fails the old one comes back. Throws with nothing changed.
 */
export async function replaceProgram(releases: Releases, replacement: Replacement): Promise<void> {
  const { version, target } = replacement;
  const executable = realpathSync(replacement.executable);
  const file = `claude-mirror-${target}${target.startsWith("windows") ? ".exe" : ""}`;
  const fresh = tempPathFor(executable);
  try {
    const wanted = await releases.checksum(version, file);
    const found = await releases.download(version, file, fresh);
    if (found !== wanted)
      throw new Error(
        `cannot use ${file} of ${version}: its SHA-256 is ${found} and should be ${wanted}; nothing was changed`,
      );
    chmodSync(fresh, statSync(executable).mode & 0o777);
    expectVersion(fresh, version);
    exchange(executable, fresh, version);
  } catch (error) {
    if (!isSystemError(error) || !["EACCES", "EPERM", "EROFS", "ENOSPC"].includes(error.code)) throw error;
    throw new NeedsActionError(`cannot replace "${executable}": ${systemState(error)}`, { cause: error });
  } finally {
    rmSync(fresh, { force: true });
  }
}

function exchange(executable: string, fresh: string, version: string): void {
  const old = join(dirname(executable), ".claude-mirror.old");
  rmSync(old, { force: true });
  // Windows lets a running program be renamed, not replaced.
  if (process.platform === "win32") renameSync(executable, old);
  else linkSync(executable, old);
  try {
    renameSync(fresh, executable);
    fsyncFolder(dirname(executable));
    expectVersion(executable, version);
  } catch (error) {
    renameSync(old, executable);
    throw error;
  }
  try {
    rmSync(old, { force: true });
  } catch {
    // Windows keeps it while it runs; the next update removes it.
  }
}

function expectVersion(program: string, version: string): void {
  const { status, stdout, error } = spawnSync(program, ["--version"], { encoding: "utf8", timeout: 60_000 });
  const said = `${stdout ?? ""}`.trim();
  if (status === 0 && said.split(" ")[1] === version) return;
  const state = error ? error.message : `it says "${said.slice(0, 80)}" and ends with ${status}`;
  throw new Error(`cannot use the new program: ${state}; the old one stays`);
}

interface Part {
  readonly component: string;
  readonly action: string;
  /** False where nothing of ours is in place. */
  readonly present?: boolean;
}

/**
 * Brings the manual page along, which is a file of ours alone and names the version. Answers the other parts that the
 * program at `executable` would put in place differently from what is there.
 */
export function updateParts(executable: string): readonly string[] {
  const stale = partsOf(executable).filter(
    ({ action, present }) => present !== false && (action === "change" || action === "replace"),
  );
  return stale
    .filter(({ component, action }) => !(component === "man" && action === "change" && renewManPage(executable)))
    .map(({ component }) => component);
}

function partsOf(executable: string): readonly Part[] {
  const { stdout } = spawnSync(executable, ["install", "--dry-run", "--json"], { encoding: "utf8", timeout: 60_000 });
  try {
    return (JSON.parse(stdout) as { readonly result: { readonly components: readonly Part[] } }).result.components;
  } catch {
    return [];
  }
}

function renewManPage(executable: string): boolean {
  const words = ["install", "--only", "man", "--yes"];
  return spawnSync(executable, words, { stdio: "ignore", timeout: 60_000 }).status === 0;
}
