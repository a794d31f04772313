import * as fs from "node:fs";
import { faultPoint } from "../lib/fault.ts";
import { writeAtomic } from "../lib/fs.ts";
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

export function readMarker(file: string): Marker | undefined {
  try {
    const raw = JSON.parse(fs.readFileSync(file, "utf8")) as RawMarker;
    const planned = new Map<RelPath, ActionKind>();
    for (const [text, kind] of raw.planned) {
      const path = parseRelPath(text);
      if (path !== undefined) planned.set(path, kind);
    }
    const closing = typeof raw.closingMs === "number" ? { closingMs: raw.closingMs } : {};
    return { command: String(raw.command), planned, ...closing };
  } catch {
    return undefined;
  }
}

interface RawMarker {
  readonly command: string;
  readonly planned: [string, ActionKind][];
  readonly closingMs?: number;
}

/**
 * Notes durably that snapshot and log entry are about to be made, and answers the time that both carry: that of the first
 * attempt, so that a later one finds what the first has made.
 */
export function beginClosing(file: string, nowMs: number): number {
  const marker = readMarker(file);
  if (marker?.closingMs !== undefined) return marker.closingMs;
  if (marker !== undefined) save(file, { ...marker, closingMs: nowMs });
  return nowMs;
}

function save(file: string, { planned, ...rest }: Marker): void {
  writeAtomic(file, JSON.stringify({ ...rest, planned: [...planned] }), { mode: 0o600 });
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
  save(file, { command, planned });
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
