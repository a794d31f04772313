import * as fs from "node:fs";
import { BackendError, LocalFileError } from "../backends/errors.ts";
import { writeAtomic } from "../lib/fs.ts";
import { joinUnder, type RelPath } from "../lib/path.ts";
import { toBytes } from "../lib/streams.ts";
import { fileStat } from "../sync/file-stat.ts";
import { asLocalError, openLocalRoot, requireUnchanged, StalePlanError } from "../sync/local-file.ts";
import type { Look } from "../sync/look.ts";
import { holdsMarkers, mergeLines, mergeTexts } from "../sync/merge.ts";
import type { Conflict, Plan, Row, Strategy } from "../sync/model.ts";
import { holdMarked } from "./hold-marked.ts";
import type { ConflictAnswer, ConflictQuestion } from "./model.ts";
import type { Parts } from "./parts.ts";
import type { RunRequest } from "./run.ts";

/** Larger files are not shown; they can be kept or skipped as a whole. Bytes. */
const MOST_SHOWN = 8 * 1024 * 1024;

/**
 * Asks about every conflict, where there is somebody to ask, and plans again with the answers. A conflict of which a side
 * moves on meanwhile, or cannot be read, is skipped with a notice; the answers to the others count.
 */
export async function settleConflicts(
  parts: Parts,
  request: RunRequest,
  { plan, look }: { readonly plan: Plan; readonly look: Look },
): Promise<Plan> {
  const ask = answersOf(request);
  if (ask === undefined || plan.conflicts.length === 0) return plan;
  const answers = new Map<RelPath, Strategy>();
  for (const conflict of plan.conflicts) {
    try {
      const question = await questionOf(parts, conflict);
      const answer = await ask(question);
      answers.set(conflict.path, await takeAnswer(parts, { look, conflict, answer }));
    } catch (error) {
      if (!concernsOneFile(error)) throw error;
      look.notices.push(`The conflict in "${conflict.path}" is left: ${(error as Error).message}`);
    }
  }
  const settled = await parts.sync.plan(look, {
    mode: request.mode,
    settle: ({ path }) => answers.get(path) ?? "skip",
  });
  return holdMarked(parts, settled, look);
}

/** Who settles the conflicts one by one; nobody where the plan has done it already. */
function answersOf({ strategy, ask }: RunRequest): RunRequest["ask"] {
  if (strategy === undefined) return ask;
  return strategy === "merge" ? async (question) => cleanMerge(question) : undefined;
}

function cleanMerge({ merge }: ConflictQuestion): ConflictAnswer {
  if (merge?.kind !== "clean") return { kind: "skip" };
  return { kind: "content", bytes: new TextEncoder().encode(merge.text) };
}

/** Whether the others can go on. */
export function concernsOneFile(error: unknown): boolean {
  if (error instanceof BackendError) return error.class === "FILE_REJECTED" || error.class === "UNKNOWN";
  return error instanceof StalePlanError || (error instanceof LocalFileError && error.code !== "ENOSPC");
}

/** Reads both sides, and what they agreed on last where it is needed and known. */
export async function questionOf(
  parts: Parts,
  { path, kind, row }: Conflict,
): Promise<ConflictQuestion & { readonly base?: string }> {
  const { local, remote } = row;
  const sizes = [local.kind === "file" ? local.stat.size : 0, remote.kind === "file" ? remote.file.size : 0];
  const shown = Math.max(...sizes) <= MOST_SHOWN;
  const here = local.kind === "file" ? (shown ? readHere(parts, path) : NOT_SHOWN) : undefined;
  const there = remote.kind === "file" ? (shown ? await readRemote(parts, remote.file) : NOT_SHOWN) : undefined;
  const binary = !shown || isBinary(here) || isBinary(there);
  const question = { path, kind, local: here, remote: there, binary };
  if (binary || here === undefined || there === undefined) return question;
  const base = await readBase(parts, row.base);
  const merge = mergeOf(path, { base, local: textOf(here), remote: textOf(there) });
  return { ...question, ...(base !== undefined && { base }), ...(merge !== undefined && { merge }) };
}

/** Logs of one JSON value a line are only appended to, so both sides' lines count; other texts need their base. */
function mergeOf(
  path: RelPath,
  { base, local, remote }: { readonly base: string | undefined; readonly local: string; readonly remote: string },
): ConflictQuestion["merge"] {
  if (path.endsWith(".jsonl")) return notMarked({ kind: "clean", text: mergeLines({ local, remote }) });
  return base === undefined ? undefined : notMarked(mergeTexts({ base, local, remote }));
}

/** Markers that one side brought along are for a person to take out. */
function notMarked(merge: NonNullable<ConflictQuestion["merge"]>): ConflictQuestion["merge"] {
  return holdsMarkers(merge.text) ? { kind: "conflict", text: merge.text } : merge;
}

/** The agreed content from a snapshot; undefined when none that was looked into has it or it is no text. */
async function readBase(parts: Parts, base: Row["base"]): Promise<string | undefined> {
  if (base === undefined) return undefined;
  const { signal } = parts.deps;
  try {
    const bytes = await (await parts.snapshots()).findContent(base, { limit: MOST_SHOWN, signal });
    return bytes === undefined || isBinary(bytes) ? undefined : textOf(bytes);
  } catch (error) {
    if (concernsOneFile(error)) return undefined;
    throw error;
  }
}

/** Everything in it, a byte order mark too. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}

const NOT_SHOWN = new Uint8Array();

function readHere(parts: Parts, path: RelPath): Uint8Array {
  try {
    return fs.readFileSync(joinUnder(parts.root, path));
  } catch (error) {
    throw asLocalError(error, `could not read "${path}"`);
  }
}

async function readRemote(
  parts: Parts,
  file: Parameters<Parts["sync"]["tools"]["hashRemote"]>[0],
): Promise<Uint8Array> {
  const { signal } = parts.deps;
  const { body } = await (await parts.backend()).read(file.path, { expect: file.rev, signal });
  return toBytes(body, { limit: MOST_SHOWN, signal });
}

/** A NUL in the first 8 KiB, or bytes that are not UTF-8 (reference 2.8, without its cut in the middle of a character). */
export function isBinary(bytes: Uint8Array | undefined): boolean {
  if (bytes === undefined) return false;
  if (bytes.subarray(0, 8192).includes(0)) return true;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return false;
  } catch {
    return true;
  }
}

interface Answered {
  readonly look: Look;
  readonly conflict: Conflict;
  readonly answer: ConflictAnswer;
}

/**
 * What the editor left becomes the local file, the version before it goes to the trash; then the local side is kept.
 * Throws StalePlanError when the local file is no longer the one that was shown.
 */
async function takeAnswer(parts: Parts, { look, conflict, answer }: Answered): Promise<Strategy> {
  if (answer.kind !== "content") return answer.kind;
  const { path } = conflict;
  const at = look.rows.find(path);
  const row = look.rows.at(at);
  const target = putMerge(parts, row, answer.bytes);
  const { hash } = await parts.sync.tools.hashLocal(path);
  const stat = fileStat(fs.statSync(target, { bigint: true }));
  look.rows.set(at, { ...row, equal: false, local: { kind: "file", changed: true, stat, hash } });
  return "keep-local";
}

function putMerge(parts: Parts, { path, local }: Row, bytes: Uint8Array): string {
  const root = openLocalRoot(parts.root);
  try {
    const target = local.kind === "file" ? root.fileToReplace(path) : root.fileToCreate(path);
    requireUnchanged(target, path, local.kind === "file" ? local.stat : "absent");
    if (local.kind === "file") {
      parts.trash.keepCopy(target, { path, reason: "replaced by the merge of a conflict" });
    }
    writeAtomic(target, bytes);
    return target;
  } catch (error) {
    throw asLocalError(error, `could not write the merge of "${path}"`);
  }
}
