import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { heartbeatFile, readHeartbeat, watchLockFile } from "../activity/heartbeat.ts";
import type { Clock } from "../lib/clock.ts";
import { readLock, secondsText } from "../lib/lock.ts";
import { lockFile } from "../project/lock.ts";
import { syncFiles } from "../sync/files.ts";
import { replayJournal } from "../sync/journal.ts";
import { readManifest } from "../sync/manifest-file.ts";
import { openTrash, TRASH_KEEP_MS } from "../sync/trash.ts";
import type { Report } from "./doctor-report.ts";

const IGNORE_FILE = ".claude_mirror_ignore";
const DAY_MS = 24 * 3600 * 1000;

/** The project folder and the records in it. */
export async function checkProject(report: Report, projectPath: string): Promise<void> {
  const name = "project folder";
  const there = await report.attempt(name, () => {
    const stat = statSync(projectPath, { throwIfNoEntry: false });
    if (stat?.isDirectory()) return true;
    const state = stat === undefined ? "is missing" : "is no folder";
    report.fail(
      name,
      `${projectPath} ${state}`,
      "If its disk is not mounted, mount it; if it has moved, correct project_path.",
    );
    return false;
  });
  if (!there) return;
  checkAccess(report, name, projectPath);
  await report.attempt("ignore file", () => checkIgnoreFile(report, join(projectPath, IGNORE_FILE)));
  await report.attempt("manifest", () => checkManifest(report, syncFiles(projectPath, "").manifest));
}

function checkAccess(report: Report, name: string, folder: string): undefined {
  try {
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
    report.ok(name, folder);
  } catch {
    report.fail(name, `${folder} cannot be read or written`, "Check its owner and permissions.");
  }
}

function checkIgnoreFile(report: Report, file: string): undefined {
  if (!existsSync(file)) return report.ok("ignore file", "none");
  const rules = readFileSync(file, "utf8")
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("#"));
  report.ok("ignore file", `${rules.length} rule(s) in ${IGNORE_FILE}`);
}

function checkManifest(report: Report, file: string): undefined {
  const name = "manifest";
  const result = readManifest(file, () => {});
  switch (result.kind) {
    case "missing":
      return report.ok(name, "none yet: the first run compares both sides");
    case "corrupt":
      return report.warn(
        name,
        `${file} is damaged: ${result.reason}`,
        "The next push, pull or sync moves it aside and compares both sides anew; nothing is deleted.",
      );
    case "future":
      return report.fail(name, `${file} is from a newer version: ${result.reason}`, "Install that version here.");
    case "ok": {
      const { unsafe, entries } = result;
      if (unsafe.length === 0) return report.ok(name, `${entries} file(s) recorded`);
      return report.warn(name, `${unsafe.length} recorded name(s) would leave the project and are not used`);
    }
  }
}

export interface StatePlaces {
  readonly stateFolder: string;
  readonly trashFolder: string;
  readonly projectPath: string;
}

/** What this machine keeps of the project: the records of a run, the lock, the trash. */
export async function checkState(
  report: Report,
  places: StatePlaces,
  { clock }: { readonly clock: Clock },
): Promise<void> {
  const { stateFolder, trashFolder, projectPath } = places;
  await report.attempt("state folder", () => checkFolderMode(report, stateFolder));
  await report.attempt("last run", () => checkJournal(report, syncFiles(projectPath, stateFolder).journal));
  await report.attempt("lock", () => checkLock(report, lockFile(stateFolder), clock));
  await report.attempt("watcher", () => checkWatcher(report, stateFolder, clock));
  await report.attempt("trash", () => {
    const entries = openTrash(trashFolder, { clock, root: projectPath }).list();
    const bytes = entries.reduce((sum, { size }) => sum + size, 0);
    const detail =
      entries.length === 0
        ? "empty"
        : `${entries.length} item(s), ${megabytes(bytes)}, kept ${TRASH_KEEP_MS / DAY_MS} days`;
    report.ok("trash", detail);
  });
}

function checkFolderMode(report: Report, folder: string): undefined {
  const stat = statSync(folder, { throwIfNoEntry: false });
  const name = "state folder";
  if (stat === undefined) return report.ok(name, "none yet");
  const open = process.platform !== "win32" && (stat.mode & 0o022) !== 0;
  if (open) return report.warn(name, `others on this machine can write to ${folder}`, `Run chmod 700 "${folder}".`);
  report.ok(name, folder);
}

export function checkJournal(report: Report, file: string): undefined {
  const { base, sent, damaged } = replayJournal(file);
  const steps = base.size + sent.size;
  if (steps === 0 && damaged === 0) return report.ok("last run", "it ended in order");
  report.warn(
    "last run",
    `it was interrupted after ${steps} confirmed step(s)`,
    "Nothing is lost: the next push, pull or sync goes on from there.",
  );
}

function checkLock(report: Report, file: string, clock: Clock): undefined {
  const state = readLock(file, { clock });
  const who = (owner: { command: string; pid: number; host: string; startedAt: string }) =>
    `${owner.command}, process ${owner.pid} on ${owner.host}, since ${secondsText(owner.startedAt)}`;
  switch (state.kind) {
    case "free":
      return report.ok("lock", "free");
    case "held":
      return report.warn(
        "lock",
        `held by ${who(state.owner)}`,
        "Until it ends, other runs of this project end with exit code 7.",
      );
    case "stale":
      return report.ok(
        "lock",
        `left behind by a run that is gone${state.owner ? ` (${who(state.owner)})` : ""}; the next one takes it over`,
      );
    case "unreadable":
      return report.warn(
        "lock",
        `${file} is being written or damaged`,
        "It is taken over ten seconds after its last change.",
      );
  }
}

/** A watcher that has said nothing for so long hangs. */
const STUCK_MS = 10 * 60_000;

export function checkWatcher(report: Report, stateFolder: string, clock: Clock): undefined {
  const name = "watcher";
  const lock = readLock(watchLockFile(stateFolder), { clock });
  const heard = readHeartbeat(heartbeatFile(stateFolder));
  if (lock.kind === "stale" && heard !== undefined) {
    const detail = `process ${heard.pid} was killed after ${secondsText(heard.at)}`;
    return report.warn(name, detail, "Run claude-mirror watch-all, or install it as a service.");
  }
  if (lock.kind !== "held" || heard === undefined) {
    return report.ok(name, "none is running; claude-mirror watch-all tells what collaborators change");
  }
  const who = `process ${lock.owner.pid}`;
  if (clock.now() - Date.parse(heard.at) > STUCK_MS) {
    const detail = `${who} has said nothing since ${secondsText(heard.at)}`;
    return report.warn(name, detail, "End it and start it again.");
  }
  if (heard.state === "failing") return report.warn(name, `${who} is trying on: ${heard.error}`);
  const told = heard.told === true ? ", told of changes as they happen" : "";
  report.ok(name, `${who}, last look ${secondsText(heard.lastLook)}${told}`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MB`;
}
