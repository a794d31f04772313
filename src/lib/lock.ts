import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import { basename, dirname } from "node:path";
import type { Clock } from "./clock.ts";
import { pythonIso } from "./clock.ts";
import { NeedsActionError } from "./errors.ts";
import { faultPoint } from "./fault.ts";
import { tempPathFor, writeAll } from "./fs.ts";
import { bootTimeMs, liveness, ownIdentity, type ProcessIdentity } from "./process-identity.ts";
import { isDiskFull, systemState } from "./system-error.ts";

/** Who holds a lock. */
export interface LockOwner {
  readonly pid: number;
  readonly host: string;
  /** Python isoformat, UTC. */
  readonly startedAt: string;
  readonly command: string;
}

export interface LockOptions {
  /** What is being run, for the message that another run gets: `push`. */
  readonly command: string;
  readonly clock: Clock;
}

export interface Lock {
  /** Tells runs on other hosts that we still live; needed only by what runs for hours. */
  refresh(): void;
  /** Gives the lock up. Calling it again does nothing; so does process exit after it. */
  release(): void;
}

/** What lies at a lock's place. */
export type LockState =
  | { readonly kind: "free" }
  | { readonly kind: "held"; readonly owner: LockOwner }
  /** Its owner is gone; the next run takes it over. */
  | { readonly kind: "stale"; readonly owner: LockOwner | undefined }
  /** Not written by us or not yet whole; stale once it is older than 10 s. */
  | { readonly kind: "unreadable" };

/** Another run holds the lock. `owner` is undefined while its file cannot be read. */
export class LockedError extends Error {
  readonly owner: LockOwner | undefined;
  constructor(file: string, command: string, owner: LockOwner | undefined) {
    const who = owner
      ? `another run holds the lock (${owner.command}, process ${owner.pid} on ${owner.host}, since ${secondsText(owner.startedAt)}); wait for it to end`
      : `the lock "${file}" is being written by another run; try again in a few seconds`;
    super(`cannot start "${command}": ${who}`);
    this.name = "LockedError";
    this.owner = owner;
  }
}

/** An owner's `startedAt` as a person reads it, to the second. */
export function secondsText(isoTime: string): string {
  return isoTime.replace("T", " ").replace(/(\.\d+)?(\+00:00|Z)$/, " UTC");
}

const UNREADABLE_STALE_MS = 10_000;
const FOREIGN_STALE_MS = 24 * 3_600_000;
/** Kills in the middle of a take-over that must follow one another before the answer is "locked". */
const MAX_DEPTH = 8;

/**
 * Takes the lock `file` (one run per project) or throws LockedError. The file appears whole, by a hard link that fails
 * when the name is taken. What a dead process left is taken over, and of several takers exactly one gets it: taking
 * over needs the lock `file.take`, under which the stale lock is looked at again and then replaced by rename, so that
 * there is never a moment without a lock. Released by `release` or when the process exits; a killed process leaves a
 * stale lock behind.
 */
export function acquireLock(file: string, options: LockOptions): Lock {
  const content = contentFor(options);
  try {
    fs.mkdirSync(dirname(file), { recursive: true });
    take(file, content, options, 0);
    settleClaim(file, options);
  } catch (error) {
    if (error instanceof LockedError) throw error;
    const message = `cannot start "${options.command}": its lock "${file}" cannot be made: ${systemState(error)}`;
    throw isDiskFull(error) ? new NeedsActionError(message, { cause: error }) : new Error(message, { cause: error });
  }
  return heldLock(file, content, options.clock);
}

/** Looks at the lock `file` without touching it. */
export function readLock(file: string, options: { readonly clock: Clock }): LockState {
  return look(file, options.clock).state;
}

function take(file: string, content: string, options: LockOptions, depth: number): void {
  for (;;) {
    if (createExclusive(file, content)) return;
    const seen = look(file, options.clock);
    if (seen.state.kind === "free") continue;
    if (seen.state.kind !== "stale" || depth >= MAX_DEPTH) throw locked(file, options, seen.state);
    const claim = `${file}.take`;
    const claimContent = contentFor(options);
    take(claim, claimContent, options, depth + 1);
    try {
      const again = look(file, options.clock);
      if (again.text === seen.text && again.state.kind === "stale") {
        replace(file, content);
        return;
      }
    } finally {
      removeOwn(claim, claimContent);
    }
  }
}

/** A taker that was killed leaves its claim behind: that is taken over and released like any lock. */
function settleClaim(file: string, options: LockOptions): void {
  const claim = `${file}.take`;
  if (!fs.existsSync(claim) || look(claim, options.clock).state.kind !== "stale") return;
  const content = contentFor(options);
  try {
    take(claim, content, options, 1);
    removeOwn(claim, content);
  } catch {
    // It is in nobody's way: the next one who needs it takes it over.
  }
}

function heldLock(file: string, content: string, clock: Clock): Lock {
  let held = true;
  const release = () => {
    if (!held) return;
    held = false;
    process.removeListener("exit", release);
    removeOwn(file, content);
  };
  process.on("exit", release);
  return {
    release,
    refresh() {
      const now = clock.now() / 1000;
      if (held) fs.utimesSync(file, now, now);
    },
  };
}

function locked(file: string, options: LockOptions, state: LockState): LockedError {
  return new LockedError(
    file,
    options.command,
    state.kind === "held" || state.kind === "stale" ? state.owner : undefined,
  );
}

interface LockContent extends LockOwner, ProcessIdentity {
  /** Makes every lock's text differ from every other's. */
  readonly nonce: string;
}

function contentFor(options: LockOptions): string {
  const content: LockContent = {
    ...ownIdentity(),
    startedAt: pythonIso(options.clock.now()),
    command: options.command,
    nonce: randomBytes(8).toString("hex"),
  };
  return `${JSON.stringify(content)}\n`;
}

interface Look {
  readonly text: string | undefined;
  readonly state: LockState;
}

function look(file: string, clock: Clock): Look {
  let text: string;
  let ageMs: number;
  try {
    // The age is read first: should the lock be replaced in between, the new text is judged and found to be alive.
    ageMs = Math.abs(clock.now() - fs.statSync(file).mtimeMs);
    text = fs.readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { text: undefined, state: { kind: "free" } };
    throw error;
  }
  const content = parseContent(text);
  if (content === undefined) {
    return { text, state: ageMs > UNREADABLE_STALE_MS ? { kind: "stale", owner: undefined } : { kind: "unreadable" } };
  }
  const { pid, host, startedAt, command } = content;
  const owner: LockOwner = { pid, host, startedAt, command };
  return { text, state: { kind: isStale(content, ageMs, clock) ? "stale" : "held", owner } };
}

function isStale(content: LockContent, ageMs: number, clock: Clock): boolean {
  const state = liveness(content);
  if (state !== "alive") return state === "dead" || ageMs > FOREIGN_STALE_MS;
  // Where there is no boot id: a lock from before the machine started, with a minute for clocks that were set.
  return content.boot === "" && Date.parse(content.startedAt) < bootTimeMs(clock.now()) - 60_000;
}

function parseContent(text: string): LockContent | undefined {
  let value: Partial<Record<keyof LockContent, unknown>> | null;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || !Number.isInteger(value.pid) || Number(value.pid) <= 0)
    return undefined;
  const word = (key: keyof LockContent) => (typeof value[key] === "string" ? value[key] : "");
  return {
    pid: Number(value.pid),
    host: word("host"),
    boot: word("boot"),
    pidSpace: word("pidSpace"),
    processStart: word("processStart"),
    startedAt: word("startedAt"),
    command: word("command"),
    nonce: word("nonce"),
  };
}

/** Creates `file` with its whole content, or answers false because there is one. */
function createExclusive(file: string, content: string): boolean {
  const temp = writeTemp(file, content);
  try {
    faultPoint(`lock-create ${basename(file)}`);
    try {
      fs.linkSync(temp, file);
    } catch (error) {
      if (!hasNoLinks(error)) throw error;
      createWithoutLink(file, content);
    }
    faultPoint(`lock-unlink-temp ${basename(file)}`);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    fs.rmSync(temp, { force: true });
  }
}

/** FAT and some network file systems know no hard links; there a reader may see the file unfinished for a moment. */
function createWithoutLink(file: string, content: string): void {
  const fd = fs.openSync(file, "wx", 0o600);
  try {
    writeAll(fd, Buffer.from(content));
  } finally {
    fs.closeSync(fd);
  }
}

function hasNoLinks(error: unknown): boolean {
  return ["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes((error as NodeJS.ErrnoException).code ?? "");
}

function replace(file: string, content: string): void {
  const temp = writeTemp(file, content);
  faultPoint(`lock-replace ${basename(file)}`);
  try {
    fs.renameSync(temp, file);
  } catch (error) {
    fs.rmSync(temp, { force: true });
    throw error;
  }
}

function writeTemp(file: string, content: string): string {
  const temp = tempPathFor(file);
  const fd = fs.openSync(temp, "wx", 0o600);
  try {
    faultPoint(`lock-temp ${basename(file)}`);
    writeAll(fd, Buffer.from(content));
  } finally {
    fs.closeSync(fd);
  }
  return temp;
}

/** Removes `file` when it is still the one that we wrote. */
function removeOwn(file: string, content: string): void {
  try {
    if (fs.readFileSync(file, "utf8") !== content) return;
    faultPoint(`lock-remove ${basename(file)}`);
    fs.unlinkSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
