import { hasher } from "../lib/hash.ts";
import { dumpPython, type PythonJson, quoteAscii } from "../lib/json.ts";
import { compareCodePoints, parseRelPath, type RelPath } from "../lib/path.ts";
import type { BlobsManifest, FullMeta, SnapshotInfo } from "./model.ts";

/** The word that a blobs manifest carries as its `format` (reference 1.8). */
const BLOBS_FORMAT = "v2";
/** A key of our own, for the rare manifest whose names would else be taken for paths of Windows. */
const SEPARATOR_KEY = "path_separator";

export type ParsedManifest =
  | { readonly kind: "ok"; readonly manifest: BlobsManifest }
  | { readonly kind: "unreadable"; readonly reason: string };

export type ParsedMeta =
  | { readonly kind: "ok"; readonly info: FullMeta }
  | { readonly kind: "unreadable"; readonly reason: string };

/**
 * Reads a blobs manifest (reference 1.8). `name` is its file name without `.json`; it is the timestamp, whatever the text says.
 * Unknown keys are dropped and missing ones get empty values, but without a usable `files` it is unreadable. Entries
 * with an unsafe path or a bad hash are left out and counted in `problem`.
 */
export function parseManifest(text: string, name: string): ParsedManifest {
  const parsed = parseObject(text);
  if (typeof parsed === "string") return { kind: "unreadable", reason: parsed };
  const format = parsed["format"];
  if (format !== undefined && format !== BLOBS_FORMAT) {
    return { kind: "unreadable", reason: `its format is ${JSON.stringify(format)}, which this version does not know` };
  }
  const listed = parsed["files"];
  if (!isObject(listed)) return { kind: "unreadable", reason: "it has no list of files" };
  const { files, dropped } = parseFiles(listed, parsed[SEPARATOR_KEY] !== "/" && isWrittenWithBackslashes(listed));
  const manifest: BlobsManifest = {
    ...parseInfo(parsed, name),
    format: "blobs",
    totalFiles: count(parsed["total_files"]) ?? files.size,
    files,
    ...parseExtras(parsed),
    ...(dropped === 0 ? {} : { problem: `${dropped} of its entries cannot be used` }),
  };
  return { kind: "ok", manifest };
}

/** Reads the `_snapshot_meta.json` of a full snapshot (reference 1.9) as leniently. */
export function parseMeta(text: string, name: string): ParsedMeta {
  const parsed = parseObject(text);
  if (typeof parsed === "string") return { kind: "unreadable", reason: parsed };
  return { kind: "ok", info: { ...parseInfo(parsed, name), format: "full", ...parseExtras(parsed) } };
}

/** The text of a `_snapshot_meta.json`, byte for byte as the Python tool writes it: its order of keys, two spaces, ASCII only. */
export function formatMeta(meta: FullMeta): string {
  const value: Record<string, PythonJson> = {
    timestamp: meta.timestamp,
    triggered_by: meta.triggeredBy,
    action: meta.action,
    files_changed: meta.filesChanged,
    total_files: meta.totalFiles,
    format: "full",
    ...(isLabelled(meta) ? { tag: meta.tag, message: meta.message } : {}),
    ...(meta.migratedFrom === undefined ? {} : { migrated_from: meta.migratedFrom }),
  };
  return dumpPython(value, { indent: 2 });
}

function isLabelled({ labelled, tag, message }: BlobsManifest | FullMeta): boolean {
  return labelled ?? (tag !== null || message !== null);
}

/** The text of a blobs manifest, byte for byte as the Python tool writes it: sorted keys, two spaces, ASCII only. */
export function formatManifest(manifest: BlobsManifest): string {
  return Buffer.concat(manifestText(manifest).pieces).toString("latin1");
}

/** Such a text, which can be long, in pieces of some kilobytes. */
export interface ManifestText {
  readonly pieces: readonly Uint8Array[];
  /** Bytes. */
  readonly size: number;
  /** Of all of it. */
  readonly sha256: string;
}

/** The text that {@link formatManifest} answers. */
export function manifestText(manifest: BlobsManifest): ManifestText {
  // The quotes of the empty list are bare, so no string of the manifest can hold this text.
  const [before, after] = withoutFiles(manifest).split('"files": {}') as [string, string];
  const text = pieceWriter();
  text.add(`${before}"files": `);
  if (!addFiles(text, manifest.files)) return manifestText({ ...manifest, files: sortedFiles(manifest.files) });
  text.add(after);
  return text.end();
}

function withoutFiles(manifest: BlobsManifest): string {
  const labelled = isLabelled(manifest);
  const value: Record<string, PythonJson> = {
    action: manifest.action,
    files: {},
    files_changed: manifest.filesChanged,
    format: BLOBS_FORMAT,
    ...(labelled ? { message: manifest.message } : {}),
    ...(manifest.migratedFrom === undefined ? {} : { migrated_from: manifest.migratedFrom }),
    ...(hasBackslashesOnly(manifest.files.keys()) ? { [SEPARATOR_KEY]: "/" } : {}),
    ...(labelled ? { tag: manifest.tag } : {}),
    timestamp: manifest.timestamp,
    total_files: manifest.totalFiles,
    triggered_by: manifest.triggeredBy,
  };
  return dumpPython(value, { indent: 2 });
}

/** What `dumpPython` would write, in less than half its time for the one part that is large. False when they are not sorted. */
function addFiles(text: PieceWriter, files: ReadonlyMap<RelPath, string>): boolean {
  let last: RelPath | undefined;
  let sorted = true;
  files.forEach((sha256, path) => {
    sorted &&= last === undefined || compareCodePoints(last, path) < 0;
    if (sorted) text.add(`${last === undefined ? "{" : ","}\n    ${quoteAscii(path)}: "${sha256}"`);
    last = path;
  });
  text.add(last === undefined ? "{}" : "\n  }");
  return sorted;
}

/** Nearly always they come sorted. */
function sortedFiles(files: ReadonlyMap<RelPath, string>): ReadonlyMap<RelPath, string> {
  return new Map([...files].sort(([a], [b]) => compareCodePoints(a, b)));
}

interface PieceWriter {
  /** ASCII only. */
  add(text: string): void;
  end(): ManifestText;
}

const PIECE_CHARS = 1 << 16;

function pieceWriter(): PieceWriter {
  const pieces: Uint8Array[] = [];
  const digest = hasher("sha256");
  let held = "";
  let size = 0;
  const keep = () => {
    const piece = Buffer.from(held, "latin1");
    digest.update(piece);
    size += piece.length;
    pieces.push(piece);
    held = "";
  };
  return {
    add(text) {
      held += text;
      if (held.length >= PIECE_CHARS) keep();
    },
    end() {
      keep();
      return { pieces, size, sha256: digest.hex() };
    },
  };
}

/** True for 64 lower-case hex digits. */
export function isSha256(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

function parseObject(text: string): Record<string, unknown> | string {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : "it is not a JSON object";
  } catch {
    return text.trim() === "" ? "it is empty" : "it is not valid JSON";
  }
}

function parseInfo(parsed: Record<string, unknown>, timestamp: string): Omit<SnapshotInfo, "format"> {
  const changed = parsed["files_changed"];
  return {
    timestamp,
    triggeredBy: textOr(parsed["triggered_by"], ""),
    action: textOr(parsed["action"], ""),
    filesChanged: Array.isArray(changed) ? changed.filter((item): item is string => typeof item === "string") : [],
    totalFiles: count(parsed["total_files"]) ?? 0,
    tag: textOr(parsed["tag"], null),
    message: textOr(parsed["message"], null),
  };
}

function parseExtras(parsed: Record<string, unknown>): Pick<FullMeta, "labelled" | "migratedFrom"> {
  const migratedFrom = parsed["migrated_from"];
  return {
    ...("message" in parsed || "tag" in parsed ? { labelled: true } : {}),
    ...(typeof migratedFrom === "string" ? { migratedFrom } : {}),
  };
}

function parseFiles(
  listed: Record<string, unknown>,
  backslashes: boolean,
): { readonly files: Map<RelPath, string>; readonly dropped: number } {
  const files = new Map<RelPath, string>();
  let dropped = 0;
  for (const [key, value] of Object.entries(listed)) {
    const path = parseRelPath(backslashes ? slashed(key) : key);
    const sha256 = typeof value === "string" ? value.toLowerCase() : "";
    if (path === undefined || !isSha256(sha256)) dropped++;
    else files.set(path, sha256);
  }
  return { files, dropped };
}

/**
 * A manifest from Windows may separate by `\`; then no key of it holds a `/`, and each is a path. A lone `\` elsewhere
 * is part of a name.
 */
function isWrittenWithBackslashes(listed: Record<string, unknown>): boolean {
  const keys = Object.keys(listed);
  return hasBackslashesOnly(keys) && keys.every((key) => parseRelPath(slashed(key)) !== undefined);
}

function hasBackslashesOnly(keys: Iterable<string>): boolean {
  let found = false;
  for (const key of keys) {
    if (key.includes("/")) return false;
    found ||= key.includes("\\");
  }
  return found;
}

function slashed(key: string): string {
  return key.replaceAll("\\", "/");
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function textOr<T>(value: unknown, other: T): string | T {
  return typeof value === "string" ? value : other;
}

function count(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}
