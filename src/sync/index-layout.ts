import type { FileStat } from "./model.ts";

/**
 * The file format of the state index. Little-endian:
 * 32 bytes of header (magic, version, rows, digests, bytes of text, bytes of trailer, two reserved words), the columns
 * in the order of `COLUMNS`, the text (UTF-8), the trailer (JSON), CRC-32 of all before.
 */
export const MAGIC = 0x58494d43; // "CMIX"
export const VERSION = 1;
export const HEADER_BYTES = 32;
export const DIGEST_BYTES = 48;

/** Bits of a row. */
export const Flag = {
  local: 1,
  base: 2,
  localSha: 4,
  baseSha: 8,
  /** The base has a digest slot of its own, after the local one. */
  ownBaseHash: 16,
  racy: 32,
  rev: 64,
  baseNoMd5: 128,
  /** The local file as recorded has the content of the base. */
  sameContent: 256,
} as const;

/** In place of a template's number: the text is stored. */
export const NO_TEMPLATE = 255;

export interface IndexTrailer {
  readonly hashedSinceMs: number;
  readonly manifest?: FileStat;
  readonly meta: string;
  /** What stands before and after the path in a remote id. */
  readonly idTemplates: readonly (readonly [string, string])[];
  /** What stands before and after the native hash in a rev. */
  readonly revTemplates: readonly (readonly [string, string])[];
  /** `syncedAt` of the rows where it is not in the usual form. */
  readonly oddTimes: Readonly<Record<number, string>>;
}

export interface Columns {
  readonly size: Float64Array;
  readonly mtime: BigInt64Array;
  readonly ctime: BigInt64Array;
  readonly ino: BigUint64Array;
  /** -1 when unknown. */
  readonly baseSize: Float64Array;
  /** Microseconds since 1970. */
  readonly syncedAt: Float64Array;
  readonly textStart: Uint32Array;
  /** The number of the row's first digest. */
  readonly hashStart: Uint32Array;
  readonly pathLength: Uint16Array;
  readonly idLength: Uint16Array;
  readonly nativeLength: Uint16Array;
  readonly revLength: Uint16Array;
  readonly flags: Uint16Array;
  readonly idTemplate: Uint8Array;
  readonly revTemplate: Uint8Array;
}

export interface Layout extends Columns {
  readonly count: number;
  readonly hashes: Uint8Array;
  readonly text: string;
}

export interface Sizes {
  readonly count: number;
  readonly digests: number;
  readonly textBytes: number;
  readonly trailerBytes: number;
}

/** Wide columns first, so that each starts at a multiple of its width. */
const BYTES_PER_ROW = 6 * 8 + 2 * 4 + 5 * 2 + 2;

/** Length of an index file in bytes. */
export function fileBytes(sizes: Sizes): number {
  return textOffset(sizes) + sizes.textBytes + sizes.trailerBytes + 4;
}

/** Where the text starts. */
export function textOffset({ count, digests }: Sizes): number {
  return HEADER_BYTES + count * BYTES_PER_ROW + digests * DIGEST_BYTES;
}

/** Views of the columns of an index that lies in `buffer`, and where its digests start. */
export function columnsIn(buffer: ArrayBuffer, count: number): Columns & { readonly hashOffset: number } {
  let at = HEADER_BYTES;
  const take = <T>(make: (buffer: ArrayBuffer, at: number, count: number) => T, width: number): T => {
    const column = make(buffer, at, count);
    at += width * count;
    return column;
  };
  const float64 = () => take((b, o, n) => new Float64Array(b, o, n), 8);
  const int64 = () => take((b, o, n) => new BigInt64Array(b, o, n), 8);
  const uint32 = () => take((b, o, n) => new Uint32Array(b, o, n), 4);
  const uint16 = () => take((b, o, n) => new Uint16Array(b, o, n), 2);
  const uint8 = () => take((b, o, n) => new Uint8Array(b, o, n), 1);
  return {
    size: float64(),
    mtime: int64(),
    ctime: int64(),
    ino: take((b, o, n) => new BigUint64Array(b, o, n), 8),
    baseSize: float64(),
    syncedAt: float64(),
    textStart: uint32(),
    hashStart: uint32(),
    pathLength: uint16(),
    idLength: uint16(),
    nativeLength: uint16(),
    revLength: uint16(),
    flags: uint16(),
    idTemplate: uint8(),
    revTemplate: uint8(),
    hashOffset: at,
  };
}

/** The sizes that the header of an index file tells, or undefined when they do not fit its length. */
export function sizesIn(header: Uint8Array<ArrayBuffer>, length: number): Sizes | undefined {
  if (header.length < HEADER_BYTES) return undefined;
  const [magic, version, count = 0, digests = 0, textBytes = 0, trailerBytes = 0] = new Uint32Array(
    header.buffer,
    0,
    6,
  );
  const sizes = { count, digests, textBytes, trailerBytes };
  return magic === MAGIC && version === VERSION && fileBytes(sizes) === length ? sizes : undefined;
}

/** The parts of an index file whose checksum is right: `table` is header, columns and digests, `rest` all that follows. */
export function layoutOf(sizes: Sizes, table: Uint8Array<ArrayBuffer>, rest: Uint8Array): Layout {
  const { hashOffset, ...columns } = columnsIn(table.buffer, sizes.count);
  const text = Buffer.from(rest.buffer, rest.byteOffset, sizes.textBytes).toString("utf8");
  return { ...columns, count: sizes.count, hashes: table.subarray(hashOffset), text };
}

interface StoredTrailer extends Omit<IndexTrailer, "manifest"> {
  readonly manifest?: {
    readonly size: number;
    readonly mtimeNs: string;
    readonly ctimeNs: string;
    readonly ino: string;
  };
}

/** Reads the trailer in the `rest` of an index file whose checksum is right. */
export function readTrailer(sizes: Sizes, bytes: Uint8Array): IndexTrailer {
  const start = bytes.byteOffset + sizes.textBytes;
  const text = Buffer.from(bytes.buffer, start, sizes.trailerBytes).toString("utf8");
  const { manifest, ...rest } = JSON.parse(text) as StoredTrailer;
  if (manifest === undefined) return rest;
  const { size, mtimeNs, ctimeNs, ino } = manifest;
  return { ...rest, manifest: { size, mtimeNs: BigInt(mtimeNs), ctimeNs: BigInt(ctimeNs), ino: BigInt(ino) } };
}

export function formatTrailer(trailer: IndexTrailer): string {
  return JSON.stringify(trailer, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));
}
