import { crc32 } from "../lib/crc32.ts";
import { writeAtomic } from "../lib/fs.ts";
import type { RelPath } from "../lib/path.ts";
import {
  type Columns,
  columnsIn,
  DIGEST_BYTES,
  Flag,
  fileBytes,
  formatTrailer,
  type IndexTrailer,
  MAGIC,
  NO_TEMPLATE,
  textOffset,
  VERSION,
} from "./index-layout.ts";
import type { BaseEntry } from "./model.ts";
import type { IndexHeader, IndexRow, LocalHash } from "./state-index.ts";

/**
 * Replaces the index file at once, in one atomic step that need not survive a power loss. Rows come sorted by path (`<`), each
 * path once (RangeError otherwise). A row that the format cannot hold (text that is not well-formed Unicode or longer
 * than 65,535 units) is left out: that costs time only.
 */
export function writeIndex(file: string, rows: Iterable<IndexRow>, header: IndexHeader): void {
  writeAtomic(file, indexBytes(rows, header), { mode: 0o600, durable: false });
}

/** What {@link writeIndex} writes, under the same conditions. */
export function indexBytes(rows: Iterable<IndexRow>, header: IndexHeader): Uint8Array {
  const state: Packing = { ...columnsFor(1024), count: 0, digest: 0, held: "", parts: [], units: 0, ...trailerParts() };
  let last: RelPath | undefined;
  for (const row of rows) {
    if (last !== undefined && !(last < row.path)) {
      throw new RangeError(`index rows out of order at ${JSON.stringify(row.path)}`);
    }
    last = row.path;
    if (!storable(row)) continue;
    if (state.count === state.views.flags.length) resize(state, state.count * 2);
    packRow(state, state.count++, row);
  }
  resize(state, state.count);
  return assemble(state, header);
}

function columnsFor(count: number): Pick<Packing, "columns" | "views" | "hashes"> {
  const columns = new ArrayBuffer(textOffset({ count, digests: 0, textBytes: 0, trailerBytes: 0 }));
  const { hashOffset: _, ...views } = columnsIn(columns, count);
  return { columns, views, hashes: Buffer.alloc(count * 2 * DIGEST_BYTES) };
}

/** Gives the columns room for `count` rows, of which each may have two digests. */
function resize(state: Packing, count: number): void {
  const { views: old, hashes, digest } = state;
  Object.assign(state, columnsFor(count));
  for (const [key, column] of Object.entries(old) as [keyof Columns, Uint8Array][]) {
    (state.views[key] as Uint8Array).set(column.subarray(0, state.count));
  }
  hashes.copy(state.hashes, 0, 0, digest * DIGEST_BYTES);
}

function assemble(state: Packing, header: IndexHeader): Uint8Array {
  const { columns, count, digest: digests, idTemplates, revTemplates, oddTimes } = state;
  keepText(state);
  const textBytes = state.parts.reduce((sum, part) => sum + part.length, 0);
  const trailer = Buffer.from(formatTrailer({ ...headerOf(header), idTemplates, revTemplates, oddTimes }));
  const file = Buffer.alloc(fileBytes({ count, digests, textBytes, trailerBytes: trailer.length }));
  file.set(new Uint8Array(columns));
  for (const [word, value] of [MAGIC, VERSION, count, digests, textBytes, trailer.length].entries()) {
    file.writeUInt32LE(value, word * 4);
  }
  let at = columns.byteLength;
  for (const part of [state.hashes.subarray(0, digests * DIGEST_BYTES), ...state.parts, trailer]) {
    file.set(part, at);
    at += part.length;
  }
  file.writeUInt32LE(crc32(file.subarray(0, at)), at);
  return file;
}

interface Packing {
  columns: ArrayBuffer;
  views: Columns;
  hashes: Buffer;
  /** Rows written so far. */
  count: number;
  /** Digests written so far. */
  digest: number;
  /** Text that is not yet in `parts`. */
  held: string;
  readonly parts: Uint8Array[];
  /** UTF-16 units of all text so far. */
  units: number;
  readonly idTemplates: (readonly [string, string])[];
  readonly revTemplates: (readonly [string, string])[];
  readonly oddTimes: Record<number, string>;
}

function trailerParts(): Pick<Packing, "idTemplates" | "revTemplates" | "oddTimes"> {
  return { idTemplates: [], revTemplates: [], oddTimes: {} };
}

function headerOf({
  hashedSinceMs,
  manifest,
  meta,
}: IndexHeader): Pick<IndexTrailer, "hashedSinceMs" | "manifest" | "meta"> {
  return { hashedSinceMs, ...(manifest && { manifest }), meta };
}

function packRow(state: Packing, number: number, row: IndexRow): void {
  const { views } = state;
  views.textStart[number] = state.units;
  views.pathLength[number] = addText(state, row.path);
  views.hashStart[number] = state.digest;
  for (const hash of digestsOf(row)) packDigest(state, hash);
  let flags = 0;
  if (row.local) {
    const { stat, hash } = row.local;
    flags |= Flag.local | (hash.sha256 === undefined ? 0 : Flag.localSha);
    views.size[number] = stat.size;
    views.mtime[number] = stat.mtimeNs;
    views.ctime[number] = stat.ctimeNs;
    views.ino[number] = stat.ino;
  }
  if (row.base) flags |= packBase(state, number, row.base, row.local?.hash);
  views.flags[number] = flags;
}

function packBase(state: Packing, number: number, base: BaseEntry, local: LocalHash | undefined): number {
  const { views } = state;
  views.baseSize[number] = base.size ?? -1;
  const micros = parseMicros(base.syncedAt);
  if (micros === undefined) state.oddTimes[number] = base.syncedAt;
  else views.syncedAt[number] = micros;
  const id = templateFor(state.idTemplates, base.remoteId, base.path);
  views.idTemplate[number] = id;
  views.idLength[number] = id === NO_TEMPLATE ? addText(state, base.remoteId) : 0;
  views.nativeLength[number] = addText(state, base.nativeHash);
  const rev = base.rev === undefined ? NO_TEMPLATE : templateFor(state.revTemplates, base.rev, base.nativeHash);
  views.revTemplate[number] = rev;
  views.revLength[number] = rev === NO_TEMPLATE ? addText(state, base.rev ?? "") : 0;
  return (
    Flag.base |
    (base.sha256 === undefined ? 0 : Flag.baseSha) |
    (base.md5 === "" ? Flag.baseNoMd5 : 0) |
    (base.racy ? Flag.racy : 0) |
    (base.rev === undefined ? 0 : Flag.rev) |
    (local && !sharesDigest(base, local) ? Flag.ownBaseHash : 0) |
    (local && sameContent(base, local) ? Flag.sameContent : 0)
  );
}

/** The digests that a row needs, the local one first. */
function digestsOf({ base, local }: IndexRow): readonly LocalHash[] {
  if (!base) return local ? [local.hash] : [];
  if (!local) return [base];
  return sharesDigest(base, local.hash) ? [local.hash] : [local.hash, base];
}

/** Whether the local digest, cut down by the base's own flags, says what the base says. */
function sharesDigest(base: BaseEntry, local: LocalHash): boolean {
  return (base.md5 === "" || base.md5 === local.md5) && (base.sha256 === undefined || base.sha256 === local.sha256);
}

function sameContent(base: BaseEntry, local: LocalHash): boolean {
  if (base.sha256 !== undefined && local.sha256 !== undefined) return base.sha256 === local.sha256;
  return base.md5 !== "" && base.md5 === local.md5;
}

function packDigest(state: Packing, { md5, sha256 }: { readonly md5: string; readonly sha256?: string }): void {
  const start = state.digest * DIGEST_BYTES;
  state.hashes.write(md5, start, 16, "hex");
  if (sha256 !== undefined) state.hashes.write(sha256, start + 16, 32, "hex");
  state.digest++;
}

function addText(state: Packing, text: string): number {
  state.held += text;
  state.units += text.length;
  if (state.held.length >= PIECE_UNITS) keepText(state);
  return text.length;
}

const PIECE_UNITS = 1 << 16;

function keepText(state: Packing): void {
  state.parts.push(Buffer.from(state.held));
  state.held = "";
}

/** The number of the template that makes `text` from `seed`, a new one where there is room. */
function templateFor(templates: (readonly [string, string])[], text: string, seed: string): number {
  const known = templates.findIndex(
    ([before, after]) =>
      text.length === before.length + seed.length + after.length && text === `${before}${seed}${after}`,
  );
  if (known >= 0) return known;
  const start = seed === "" ? -1 : text.lastIndexOf(seed);
  if (start < 0 || templates.length >= MOST_TEMPLATES) return NO_TEMPLATE;
  templates.push([text.slice(0, start), text.slice(start + seed.length)]);
  return templates.length - 1;
}

/** More than a few mean that what surrounds the seed differs from file to file. */
const MOST_TEMPLATES = 8;

/** Microseconds since 1970 of a time in Python's isoformat in UTC; undefined when it is spelled in another way. */
function parseMicros(text: string): number | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{6}))?\+00:00$/.exec(text);
  if (!match || match[2] === "000000") return undefined;
  const ms = Date.parse(`${match[1]}Z`);
  if (Number.isNaN(ms) || ms < 0 || new Date(ms).toISOString().slice(0, 19) !== match[1]) return undefined;
  return ms * 1000 + Number(match[2] ?? 0);
}

const HEX_MD5 = /^[0-9a-f]{32}$/;
const HEX_SHA256 = /^[0-9a-f]{64}$/;

function storable({ path, base, local }: IndexRow): boolean {
  return (
    goodText(path) &&
    (local === undefined || (HEX_MD5.test(local.hash.md5) && goodSha256(local.hash.sha256))) &&
    (base === undefined ||
      (base.path === path &&
        (base.md5 === "" || HEX_MD5.test(base.md5)) &&
        goodSha256(base.sha256) &&
        [base.remoteId, base.nativeHash, base.rev ?? "", base.syncedAt].every(goodText)))
  );
}

function goodSha256(text: string | undefined): boolean {
  return text === undefined || HEX_SHA256.test(text);
}

function goodText(text: string): boolean {
  return text.length <= 0xffff && text.isWellFormed();
}
