import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { childOf, nameOf, parentOf, parseRelPath, type RelPath } from "../../lib/path.ts";
import { TEMP_PREFIX } from "../../lib/temp-prefix.ts";
import type { RemoteFile } from "../types.ts";

/**
 * The temporary files that this client puts on a server before they are moved to their names. Each is written down
 * first, so that the next run of this project removes what a killed one left, hidden from listings or not. Those of
 * other machines are met in listings and removed once they are old.
 */
export interface Temps {
  /** A new name next to `target`, written down. */
  create(target: RelPath): RelPath;
  /** The file was moved or removed. */
  done(temp: RelPath): void;
  /** A listing met a file of ours; `dateMs` is the server's clock in its answer. */
  met(file: RemoteFile, dateMs: number | undefined): void;
  /** What killed runs left and nobody was told of yet. */
  takeLeft(): Left;
}

export interface Left {
  /** Names that this machine wrote down and did not cross out. */
  readonly own: readonly RelPath[];
  /** Files of that kind of name, a day old at least by the server's own clock. */
  readonly old: readonly RemoteFile[];
}

/** A large body can be under way for hours; its temporary file is renamed at once when it has arrived. */
const OLD_MS = 24 * 3600 * 1000;
/** A run has other things to do. */
const MOST_AT_ONCE = 100;

const NAME = new RegExp(`^${TEMP_PREFIX.replaceAll(".", "\\.")}[0-9a-f]{12}$`);

/** True for the very form of name that {@link Temps.create} gives. */
export function isTempName(path: RelPath): boolean {
  return NAME.test(nameOf(path));
}

/** Keeps its notes in `file`, which is there only while something is open; nowhere when left out. */
export function createTemps(file: string | undefined): Temps {
  const open = new Set<RelPath>();
  const old = new Map<RelPath, RemoteFile>();
  /** Whether the notes of earlier runs were read: only then may the file go. */
  let taken = false;
  const note = (sign: "+" | "-", path: RelPath) => {
    if (file === undefined) return;
    mkdirSync(dirname(file), { recursive: true });
    appendFileSync(file, `${sign}${JSON.stringify(path)}\n`, { mode: 0o600 });
  };
  return {
    create(target) {
      const temp = childOf(parentOf(target), TEMP_PREFIX + randomBytes(6).toString("hex"));
      note("+", temp);
      open.add(temp);
      return temp;
    },
    done(temp) {
      open.delete(temp);
      if (taken && open.size === 0 && file !== undefined) rmSync(file, { force: true });
      else note("-", temp);
    },
    met(found, dateMs) {
      const ageMs = (dateMs ?? 0) - (found.modifiedMs ?? Number.POSITIVE_INFINITY);
      if (isTempName(found.path) && ageMs > OLD_MS && old.size < MOST_AT_ONCE) old.set(found.path, found);
    },
    takeLeft() {
      const own = taken || file === undefined ? [] : readNotes(file).filter((path) => !open.has(path));
      const left = { own, old: [...old.values()].filter(({ path }) => !own.includes(path)) };
      taken = true;
      old.clear();
      for (const path of own) open.add(path);
      return left;
    },
  };
}

function readNotes(file: string): RelPath[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return []; // None were taken, or they cannot be read: what they name gets old on the server then.
  }
  const left = new Set<RelPath>();
  for (const line of text.split("\n")) {
    const path = pathIn(line);
    if (path === undefined || !isTempName(path)) continue;
    if (line.startsWith("+")) left.add(path);
    else left.delete(path);
  }
  return [...left];
}

/** Undefined for a line that was cut short. */
function pathIn(line: string): RelPath | undefined {
  try {
    const path: unknown = JSON.parse(line.slice(1));
    return typeof path === "string" ? parseRelPath(path) : undefined;
  } catch {
    return undefined;
  }
}
