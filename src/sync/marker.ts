import * as fs from "node:fs";
import { faultPoint } from "../lib/fault.ts";
import { writeAll, writeAtomic } from "../lib/fs.ts";
import { parseRelPath, type RelPath } from "../lib/path.ts";
import type { ActionKind, Plan } from "./model.ts";

/** What a run has set out to do, kept until its snapshot and its log entry are made. */
export interface Marker {
  readonly command: string;
  readonly planned: ReadonlyMap<RelPath, ActionKind>;
  /** When its snapshot and its log entry were begun, milliseconds since 1970. */
  readonly closingMs?: number;
}

/** What has changed since the last snapshot and log entry, paths sorted. */
export interface Due {
  readonly command: string;
  readonly uploaded: readonly RelPath[];
  readonly downloaded: readonly RelPath[];
  readonly deletedRemote: readonly RelPath[];
  readonly deletedLocal: readonly RelPath[];
}

/** The first line of the file is what is planned, of those after it the first whole one says when it was being closed. */
export function readMarker(file: string): Marker | undefined {
  try {
    const [first = "", ...lines] = fs.readFileSync(file, "utf8").split("\n");
    const raw = JSON.parse(first) as RawMarker;
    const planned = new Map<RelPath, ActionKind>();
    for (const [text, kind] of raw.planned) {
      const path = parseRelPath(text);
      if (path !== undefined) planned.set(path, kind);
    }
    const closingMs = closingIn(lines);
    return { command: String(raw.command), planned, ...(closingMs === undefined ? {} : { closingMs }) };
  } catch {
    return undefined;
  }
}

interface RawMarker {
  readonly command: string;
  readonly planned: [string, ActionKind][];
}

/** A line that was torn is none. */
function closingIn(lines: readonly string[]): number | undefined {
  const found = lines
    .map((line) => /^\{"closingMs":(\d+(?:\.\d+)?)\}$/.exec(line)?.[1])
    .find((text) => text !== undefined);
  return found === undefined ? undefined : Number(found);
}

/** More than a few of the lines after the first are never there. Bytes. */
const TAIL_BYTES = 1024;

/**
 * Notes durably that snapshot and log entry are about to be made, and answers the time that both carry: that of the first
 * attempt, so that a later one finds what the first has made. What is planned stays unread: it can be long.
 */
export function beginClosing(file: string, nowMs: number): number {
  if (!fs.existsSync(file)) return nowMs;
  const fd = fs.openSync(file, "a+");
  try {
    const { size } = fs.fstatSync(fd);
    const tail = Buffer.alloc(Math.min(TAIL_BYTES, size));
    fs.readSync(fd, tail, 0, tail.length, size - tail.length);
    const earlier = closingIn(tail.toString("utf8").split("\n").slice(1));
    if (earlier !== undefined) return earlier;
    faultPoint("marker-closing");
    writeAll(fd, Buffer.from(`\n{"closingMs":${nowMs}}\n`));
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  return nowMs;
}

/** Adds a run's plan to what an earlier run left unfinished. */
export function writeMarker(file: string, command: string, plan: Plan): void {
  const planned = new Map(readMarker(file)?.planned);
  const deletedThere = new Set(plan.actions.filter(({ kind }) => kind === "delete-remote").map(({ path }) => path));
  for (const action of plan.actions) {
    if (action.kind === "adopt" || action.kind === "forget") continue;
    // What is deleted on both sides is news for the others because of the remote one.
    if (action.kind === "delete-local" && deletedThere.has(action.path)) continue;
    planned.set(action.path, action.kind);
    if (action.kind === "keep-both") planned.set(action.copy, "upload");
  }
  writeAtomic(file, JSON.stringify({ command, planned: [...planned] }), { mode: 0o600 });
}

export function clearMarker(file: string): void {
  faultPoint("marker-clear");
  fs.rmSync(file, { force: true });
}

/** The planned steps that were confirmed. */
export function dueOf({ command, planned }: Marker, isConfirmed: (path: RelPath) => boolean): Due {
  const paths = (...kinds: ActionKind[]) => {
    const found: RelPath[] = [];
    for (const [path, kind] of planned) if (kinds.includes(kind) && isConfirmed(path)) found.push(path);
    return found.sort();
  };
  return {
    command,
    uploaded: paths("upload", "keep-both"),
    downloaded: paths("download"),
    deletedRemote: paths("delete-remote"),
    deletedLocal: paths("delete-local"),
  };
}
