import * as fs from "node:fs";
import { join } from "node:path";
import type { Rev } from "../backends/types.ts";
import { faultPoint } from "../lib/fault.ts";
import { removeAbandonedTemps, writeAtomic } from "../lib/fs.ts";
import { hashBytes } from "../lib/hash.ts";
import { comparePaths } from "../lib/path.ts";
import { asLocalError } from "../sync/local-file.ts";
import type { ConflictEnvelope } from "./model.ts";

/** The conflicts that are left of one project, one file each (reference 1.16), for whoever resolves them later. */
export interface EnvelopeStore {
  /** Sorted by path. A file that cannot be read is not among them. */
  list(): readonly ConflictEnvelope[];
  find(path: string): ConflictEnvelope | undefined;
  /** Replaces the one of the same path. `rev` is the remote's version that was read. Throws LocalFileError. */
  write(envelope: ConflictEnvelope, rev: Rev): void;
  /** The remote version that the envelope shows; undefined where that is not known. */
  revOf(path: string): Rev | undefined;
  /** Lets the next run read both sides again. */
  distrust(path: string): void;
  /** False when there is none. Throws LocalFileError. */
  remove(path: string): boolean;
}

const ENDING = ".merge.json";
/** Bytes that a name surely may have. */
const MOST_NAME = 200;

/** Below our folder for states: the project's path, quoted as a URL's component, then `conflicts` (reference 1.16). */
export function conflictFolder(stateFolder: string, projectPath: string): string {
  return join(notesFolder(stateFolder, projectPath), "conflicts");
}

/** What belongs to a project folder whatever its remote is: the project's path, quoted as a URL's component. */
export function notesFolder(stateFolder: string, projectPath: string): string {
  const quoted = encodeURIComponent(realPathOr(projectPath)).replace(/[!'()*]/g, (char) => {
    return `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  });
  const mark = `-${hashBytes("sha256", quoted).slice(0, 8)}`;
  return join(stateFolder, quoted.length > MOST_NAME ? quoted.slice(0, MOST_NAME) + mark : quoted);
}

function realPathOr(path: string): string {
  try {
    return fs.realpathSync(path);
  } catch {
    return path;
  }
}

/** `folder` is absolute and made when the first envelope is written. */
export function openEnvelopes(folder: string): EnvelopeStore {
  const holder = (path: string): string | undefined => {
    return fileNames(path).find((name) => readEnvelope(join(folder, name))?.path === path);
  };
  return {
    list: () =>
      envelopeFiles(folder)
        .flatMap((name) => readEnvelope(join(folder, name)) ?? [])
        .sort((a, b) => comparePaths(a.path, b.path)),
    find(path) {
      const name = holder(path);
      return name === undefined ? undefined : readEnvelope(join(folder, name));
    },
    revOf: (path) => readRevs(folder)[path],
    distrust: (path) => noteRev(folder, path, undefined),
    write(envelope, rev) {
      const name = holder(envelope.path) ?? freeName(folder, envelope.path);
      try {
        fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
        fs.chmodSync(folder, 0o700);
        removeAbandonedTemps(folder);
        writeAtomic(join(folder, name), `${JSON.stringify(envelope, undefined, 2)}\n`, { mode: 0o600 });
        noteRev(folder, envelope.path, rev);
      } catch (error) {
        throw asLocalError(error, `could not note the conflict in "${envelope.path}"`);
      }
    },
    remove(path) {
      const name = holder(path);
      if (name === undefined) return false;
      try {
        faultPoint("envelope-remove");
        fs.rmSync(join(folder, name));
        noteRev(folder, path, undefined);
      } catch (error) {
        throw asLocalError(error, `could not remove the note of the conflict in "${path}"`);
      }
      return true;
    },
  };
}

/** `a/b.md` is `a__b.md`; where another path has that name, or it is too long for one, a hash of the path tells. */
function fileNames(path: string): readonly [plain: string, hashed: string] {
  const flat = path.replaceAll("/", "__");
  const mark = `-${hashBytes("sha256", path).slice(0, 8)}`;
  const hashed = `${[...flat].slice(0, 50).join("")}${mark}${ENDING}`;
  return [Buffer.byteLength(flat) > MOST_NAME ? hashed : flat + ENDING, hashed];
}

function freeName(folder: string, path: string): string {
  const [plain, hashed] = fileNames(path);
  const held = readEnvelope(join(folder, plain));
  return held === undefined || held.path === path ? plain : hashed;
}

/** Beside the envelopes, whose own form has no place for it; losing it costs reading the conflicts again. */
const REVS = "revs.json";

function readRevs(folder: string): Record<string, Rev | undefined> {
  try {
    const found: unknown = JSON.parse(fs.readFileSync(join(folder, REVS), "utf8"));
    return typeof found === "object" && found !== null ? { ...found } : {};
  } catch {
    return {};
  }
}

function noteRev(folder: string, path: string, rev: Rev | undefined): void {
  const revs = readRevs(folder);
  if (revs[path] === rev) return;
  writeAtomic(join(folder, REVS), JSON.stringify({ ...revs, [path]: rev }), { mode: 0o600, durable: false });
}

function envelopeFiles(folder: string): string[] {
  try {
    return fs.readdirSync(folder).filter((name) => name.endsWith(ENDING));
  } catch {
    return []; // No conflict was ever left.
  }
}

/** Undefined for what is not there and for what no envelope can be read from. */
function readEnvelope(file: string): ConflictEnvelope | undefined {
  try {
    const found = JSON.parse(fs.readFileSync(file, "utf8")) as Partial<ConflictEnvelope> | null;
    return found !== null && isEnvelope(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

const TEXTS = ["path", "local_text", "remote_text", "local_hash", "remote_hash", "created_at", "unified_diff"] as const;

function isEnvelope(found: Partial<ConflictEnvelope>): found is ConflictEnvelope {
  const isBase = found.base_text === null || typeof found.base_text === "string";
  return found.version === 1 && isBase && TEXTS.every((key) => typeof found[key] === "string");
}
