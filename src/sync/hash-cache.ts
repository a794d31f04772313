import * as fs from "node:fs";
import { dirname } from "node:path";
import { StringDecoder } from "node:string_decoder";
import { faultPoint } from "../lib/fault.ts";
import { tempPathFor, writeAll } from "../lib/fs.ts";
import { quoteAscii } from "../lib/json.ts";
import { parseRelPath, type RelPath } from "../lib/path.ts";

/** What the shared cache knows of one file: these digests hold while size and modification time are these. */
export interface HashCacheRow {
  readonly path: RelPath;
  /** Bytes. */
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly md5: string;
  readonly sha256?: string;
}

/**
 * Streams the shared hash cache: a JSON object, `path -> [size, mtime_ns, md5]` or `[size, mtime_ns, md5, sha256]`.
 * Rows without a usable MD5 and rows with an unsafe path are left out. "corrupt" means that the rows handed out so far
 * are to be dropped as well. Throws what the file system throws, except for a missing file.
 */
export function readHashCache(file: string, onRow: (row: HashCacheRow) => void): "ok" | "missing" | "corrupt" {
  let fd: number;
  try {
    fd = fs.openSync(file, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "missing";
    throw error;
  }
  try {
    return readRows(textOf(fd), onRow) ? "ok" : "corrupt";
  } finally {
    fs.closeSync(fd);
  }
}

const CHUNK_BYTES = 1 << 16;
/** No row is longer: paths end at 4 KiB, six bytes a character when escaped. */
const LONGEST_ROW = 1 << 16;

function* textOf(fd: number): Generator<string> {
  const decoder = new StringDecoder("utf8");
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (let read = fs.readSync(fd, chunk); read > 0; read = fs.readSync(fd, chunk)) {
    yield decoder.write(chunk.subarray(0, read));
  }
  yield decoder.end();
}

/** One member and the comma or brace after it. */
const ROW =
  /\s*("(?:[^"\\]|\\.)*")\s*:\s*\[\s*(\d+)\s*,\s*(-?\d+)\s*,\s*"([^"\\]*)"\s*(?:,\s*"([^"\\]*)"\s*)?\]\s*([,}])/y;

function readRows(chunks: Iterable<string>, onRow: (row: HashCacheRow) => void): boolean {
  let text = "";
  let at = 0;
  let state: "start" | "rows" | "end" = "start";
  for (const chunk of chunks) {
    text = text.slice(at) + chunk;
    at = 0;
    if (state === "start") {
      const open = /^\s*\{(?:\s*(\}))?/.exec(text);
      if (!open || (open[1] === undefined && /^\s*\{\s*$/.test(text))) continue;
      at = open[0].length;
      state = open[1] === undefined ? "rows" : "end";
    }
    while (state === "rows") {
      ROW.lastIndex = at;
      const match = ROW.exec(text);
      if (!match) break;
      if (!handOut(match, onRow)) return false;
      at = ROW.lastIndex;
      if (match[6] === "}") state = "end";
    }
    if (text.length - at > LONGEST_ROW + CHUNK_BYTES) return false;
  }
  return state === "end" && text.slice(at).trim() === "";
}

const MD5 = /^[0-9a-f]{32}$/;
const SHA256 = /^[0-9a-f]{64}$/;

function handOut(match: RegExpExecArray, onRow: (row: HashCacheRow) => void): boolean {
  const [, key = "", size = "", mtime = "", md5 = "", sha256 = ""] = match;
  const path = parseKey(key);
  if (path === undefined) return false;
  const safe = parseRelPath(path);
  if (safe === undefined || !MD5.test(md5)) return true;
  const row = { path: safe, size: Number(size), mtimeNs: BigInt(mtime), md5 };
  onRow(SHA256.test(sha256) ? { ...row, sha256 } : row);
  return true;
}

function parseKey(quoted: string): string | undefined {
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return undefined; // A bad escape: the file is corrupt, and the caller says so.
  }
}

/** Replaces the shared hash cache in one atomic step that need not survive a power loss, a row at a time. */
export function writeHashCache(file: string, rows: Iterable<HashCacheRow>): void {
  fs.mkdirSync(dirname(file), { recursive: true });
  const mode = (fs.statSync(file, { throwIfNoEntry: false })?.mode ?? 0o644) & 0o777;
  const temp = tempPathFor(file);
  try {
    const fd = fs.openSync(temp, "wx", mode);
    try {
      faultPoint("hash-cache-temp");
      writeRows(fd, rows);
      fs.fchmodSync(fd, mode);
    } finally {
      fs.closeSync(fd);
    }
    faultPoint("hash-cache-rename");
    fs.renameSync(temp, file);
  } catch (error) {
    fs.rmSync(temp, { force: true });
    throw error;
  }
}

function writeRows(fd: number, rows: Iterable<HashCacheRow>): void {
  let text = "{";
  let separator = "";
  for (const { path, size, mtimeNs, md5, sha256 } of rows) {
    const digests = sha256 === undefined ? `"${md5}"` : `"${md5}", "${sha256}"`;
    text += `${separator}${quoteAscii(path)}: [${size}, ${mtimeNs}, ${digests}]`;
    separator = ", ";
    if (text.length >= CHUNK_BYTES) {
      writeAll(fd, Buffer.from(text));
      text = "";
    }
  }
  writeAll(fd, Buffer.from(`${text}}`));
}
