import * as fs from "node:fs";
import { join } from "node:path";
import { type Clock, pythonIso } from "../lib/clock.ts";
import { faultPoint } from "../lib/fault.ts";
import { writeAll, writeAtomic } from "../lib/fs.ts";
import { dumpPython } from "../lib/json.ts";
import { acquireLock, type Lock, LockedError } from "../lib/lock.ts";
import { INBOX_FILE, READING_FILE } from "./inbox-files.ts";
import type { Notice } from "./model.ts";

export interface InboxPlaces {
  /** Absolute path of the project folder. */
  readonly folder: string;
  /** Absolute path of the lock that one reader at a time holds. */
  readonly lockFile: string;
  /** Absolute path of the file that takes in lines that are no notice. */
  readonly asideFile: string;
  readonly clock: Clock;
}

/** What one look into the inbox found. */
export interface Batch {
  /** In the order in which they came. */
  readonly notices: readonly Notice[];
  /** How many lines could not be read as one. */
  readonly unreadable: number;
}

export type Taken =
  /** `more`: others wait behind these. */
  | { readonly kind: "delivered"; readonly batch: Batch; readonly more: boolean }
  | { readonly kind: "empty" }
  /** Another reader is delivering them. */
  | { readonly kind: "busy" };

/** What a notice says, before it gets its time. */
export type NewNotice = Omit<Notice, "timestamp">;

/**
 * Adds one line in one write, so that writers never mix theirs: the Python tool's form (reference 1.5), received at
 * `nowMs` (milliseconds since 1970), for good once it returns. What a killed writer left unfinished is ended first and does not spoil the new line.
 */
export function appendNotice(folder: string, notice: NewNotice, nowMs: number): void {
  const { title, message, event } = notice;
  const line = dumpPython({ timestamp: pythonIso(nowMs), title, message, ...event });
  const fd = fs.openSync(join(folder, INBOX_FILE), "a+", 0o600);
  try {
    const start = endsInLine(fd) ? "" : "\n";
    faultPoint("inbox-append");
    writeAll(fd, Buffer.from(`${start}${line}\n`));
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function endsInLine(fd: number): boolean {
  const { size } = fs.fstatSync(fd);
  if (size === 0) return true;
  const last = Buffer.alloc(1);
  fs.readSync(fd, last, 0, 1, size - 1);
  return last[0] === 0x0a;
}

/** All that waits, left where it is. */
export function peekNotices(folder: string): Batch {
  return parseBatch([READING_FILE, INBOX_FILE].map((name) => readText(join(folder, name)) ?? "").join("\n")).batch;
}

/**
 * Hands the oldest waiting notices to `deliver` and removes them after it has returned: a kill in between delivers them
 * once more, and of two readers one gets them. Lines that are no notice are set aside. Throws what `deliver` throws, then
 * everything waits on; throws an Error where the folder cannot be written to.
 */
export function takeNotices(places: InboxPlaces, deliver: (batch: Batch) => void): Taken {
  const lock = lockOrBusy(places);
  if (lock === undefined) return { kind: "busy" };
  try {
    return takeLocked(places, deliver);
  } finally {
    lock.release();
  }
}

function lockOrBusy({ lockFile, clock }: InboxPlaces): Lock | undefined {
  try {
    return acquireLock(lockFile, { command: "inbox", clock });
  } catch (error) {
    if (error instanceof LockedError) return undefined;
    throw error;
  }
}

function takeLocked({ folder, asideFile }: InboxPlaces, deliver: (batch: Batch) => void): Taken {
  const inbox = join(folder, INBOX_FILE);
  const reading = join(folder, READING_FILE);
  if (!fs.existsSync(reading) && !moved(inbox, reading)) return { kind: "empty" };
  const bytes = fs.readFileSync(reading);
  const { batch, bad } = parseBatch(bytes.toString("utf8"));
  if (bad.length > 0) setAside(asideFile, bad);
  if (batch.notices.length + batch.unreadable > 0) deliver(batch);
  faultPoint("inbox-delivered");
  removeRead(reading, bytes.length);
  const more = fs.existsSync(inbox) || fs.existsSync(reading);
  return batch.notices.length + batch.unreadable > 0 ? { kind: "delivered", batch, more } : { kind: "empty" };
}

function moved(from: string, to: string): boolean {
  try {
    fs.renameSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
    throw error;
  }
}

/** A writer that had the file open when it was taken has added to it: that is for the next reader. */
function removeRead(file: string, length: number): void {
  const now = fs.readFileSync(file);
  if (now.length > length) writeAtomic(file, now.subarray(length));
  else fs.unlinkSync(file);
}

function setAside(file: string, lines: readonly string[]): void {
  fs.appendFileSync(file, `${lines.join("\n")}\n`, { mode: 0o600 });
}

function readText(file: string): string | undefined {
  try {
    return fs.readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

function parseBatch(text: string): { readonly batch: Batch; readonly bad: readonly string[] } {
  const notices: Notice[] = [];
  const bad: string[] = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    const notice = parseNotice(line);
    if (notice === undefined) bad.push(line);
    else notices.push(notice);
  }
  return { batch: { notices, unreadable: bad.length }, bad };
}

function parseNotice(line: string): Notice | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const { timestamp, title, message, user, machine, files, project, action } = value as Record<string, unknown>;
  const says = { timestamp: textOr(timestamp), title: textOr(title), message: textOr(message) };
  if (typeof user !== "string" || typeof machine !== "string" || typeof action !== "string") {
    return says.message === "" ? undefined : says;
  }
  const names = Array.isArray(files) ? files.filter((file) => typeof file === "string") : [];
  return { ...says, event: { user, machine, files: names, project: textOr(project), action } };
}

function textOr(value: unknown): string {
  return typeof value === "string" ? value : "";
}
