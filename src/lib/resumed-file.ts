import * as fs from "node:fs";
import type { Clock } from "./clock.ts";
import { faultPoint } from "./fault.ts";
import { fsyncFile, writeAll } from "./fs.ts";
import { hashBytes, hasher } from "./hash.ts";
import { claimPart, LARGE_TRANSFER, PART_AGE_MS, PART_NOTES, partTime, releasePart, removePart } from "./part-file.ts";

/** One large body on its way into a file next to its target. */
export interface ResumedFile {
  /** Absolute. */
  readonly file: string;
  /** Bytes that an earlier try brought and that are surely whole: the body goes on here. */
  readonly from: number;
  write(chunk: Uint8Array): void;
  /** Makes it durable and closes it; from now on it is an ordinary temporary file of the caller's. */
  finish(): Promise<void>;
  /** Closes it and leaves it to a later try. */
  leave(): void;
  /** Closes and removes it. */
  drop(): void;
}

/** What a body is: any text that no other content shares, its length, and who is told the bytes that are there already. */
export interface Resumable {
  readonly version: string;
  readonly size: number;
  readonly onKnown: (bytes: Uint8Array) => void;
}

export interface ResumedFiles {
  /** Undefined for a body that is too short to be worth it. */
  open(target: string, what: Resumable): ResumedFile | undefined;
  /** Removes what was left for longer than a week, wherever that was. */
  tidy(): void;
}

const SMALLEST_BLOCK = 256 * 1024;
const LARGEST_BLOCK = 8 * 1024 * 1024;
/** A kill loses less than one block: a small share of any file. */
const BLOCKS = 64;

/**
 * Large bodies that survive a kill. Beside each lie the SHA-256s of its finished blocks, and only blocks that still
 * have theirs are believed: what a crash tore or a disk lost is fetched again. `notes` (absolute) lists where parts were
 * left, and `scope` keeps those of other remotes apart.
 */
export function createResumedFiles(options: {
  readonly notes: string;
  readonly scope: string;
  readonly clock: Clock;
}): ResumedFiles {
  const { notes, scope, clock } = options;
  return {
    open(target, what) {
      if (what.size < LARGE_TRANSFER) return undefined;
      const part = claimPart(target, JSON.stringify([scope, what.version, what.size]));
      if (part === undefined) return undefined;
      try {
        if (!part.begun) fs.appendFileSync(notes, `${JSON.stringify(part.file)}\n`, { mode: 0o600 });
        return openResumed(part.file, what);
      } catch (error) {
        releasePart(part.file);
        throw error;
      }
    },
    tidy: () => tidy(notes, clock.now()),
  };
}

function openResumed(file: string, what: Resumable): ResumedFile {
  const size = Math.min(LARGEST_BLOCK, Math.max(SMALLEST_BLOCK, Math.ceil(what.size / BLOCKS)));
  const fd = fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT | (fs.constants.O_NOFOLLOW ?? 0), 0o666);
  const sums = file + PART_NOTES;
  const good = verified(fd, readSums(sums), size, what);
  fs.ftruncateSync(fd, good.bytes);
  fs.writeFileSync(sums, good.sums.map((sum) => `${sum}\n`).join(""), { mode: 0o600 });
  const sumsFd = fs.openSync(sums, "a", 0o600);
  let at = good.bytes;
  let block = hasher("sha256");
  const close = () => {
    fs.closeSync(fd);
    fs.closeSync(sumsFd);
    releasePart(file);
  };
  return {
    file,
    from: good.bytes,
    write(chunk) {
      for (let done = 0; done < chunk.length; ) {
        const piece = chunk.subarray(done, done + (size - (at % size)));
        writeAt(fd, piece, at);
        block.update(piece);
        at += piece.length;
        done += piece.length;
        if (at % size !== 0) continue;
        faultPoint("part-block");
        writeAll(sumsFd, Buffer.from(`${block.hex()}\n`));
        block = hasher("sha256");
      }
    },
    async finish() {
      await fsyncFile(fd);
      close();
      fs.rmSync(sums, { force: true });
    },
    leave: close,
    drop() {
      close();
      removePart(file);
    },
  };
}

/** Writes every byte or throws: a full disk can show as a short count without an error. */
function writeAt(fd: number, bytes: Uint8Array, position: number): void {
  for (let at = 0; at < bytes.length; ) {
    const written = fs.writeSync(fd, bytes, at, bytes.length - at, position + at);
    if (written <= 0) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    at += written;
  }
}

/** Reads whole blocks from the start for as long as they have their sums. */
function verified(
  fd: number,
  sums: readonly string[],
  blockSize: number,
  { size, onKnown }: Resumable,
): { readonly bytes: number; readonly sums: readonly string[] } {
  const buffer = Buffer.allocUnsafe(sums.length > 0 ? blockSize : 0);
  let count = 0;
  for (; count < sums.length && (count + 1) * blockSize <= size; count++) {
    if (!readBlock(fd, buffer, count * blockSize) || hashBytes("sha256", buffer) !== sums[count]) break;
    onKnown(buffer);
  }
  return { bytes: count * blockSize, sums: sums.slice(0, count) };
}

function readBlock(fd: number, buffer: Buffer, position: number): boolean {
  for (let at = 0; at < buffer.length; ) {
    const read = fs.readSync(fd, buffer, at, buffer.length - at, position + at);
    if (read === 0) return false;
    at += read;
  }
  return true;
}

function readSums(file: string): string[] {
  const lines = readLines(file);
  const torn = lines.findIndex((line) => !/^[0-9a-f]{64}$/.test(line));
  return torn < 0 ? lines : lines.slice(0, torn);
}

function tidy(notes: string, nowMs: number): void {
  const noted = [...new Set(readLines(notes))];
  if (noted.length === 0) return;
  const left = noted.filter((line) => {
    const file = fileIn(line);
    const timeMs = file === undefined ? undefined : partTime(file);
    if (file === undefined || timeMs === undefined) return false;
    if (nowMs - timeMs < PART_AGE_MS) return true;
    removePart(file);
    return false;
  });
  if (left.length === 0) fs.rmSync(notes, { force: true });
  else if (left.length < noted.length)
    fs.writeFileSync(notes, left.map((line) => `${line}\n`).join(""), { mode: 0o600 });
}

function fileIn(line: string): string | undefined {
  try {
    const file: unknown = JSON.parse(line);
    return typeof file === "string" ? file : undefined;
  } catch {
    return undefined; // The line was cut short; that part is removed when its folder is written to next.
  }
}

function readLines(file: string): string[] {
  try {
    return fs
      .readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "");
  } catch {
    return [];
  }
}
