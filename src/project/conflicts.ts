import * as fs from "node:fs";
import { writeAtomic } from "../lib/fs.ts";
import { joinUnder, type RelPath } from "../lib/path.ts";
import { toBytes } from "../lib/streams.ts";
import { fileStat } from "../sync/local-file.ts";
import type { Look } from "../sync/look.ts";
import type { Conflict, Plan, Strategy } from "../sync/model.ts";
import type { ConflictAnswer, ConflictQuestion } from "./model.ts";
import type { Parts } from "./parts.ts";
import type { RunRequest } from "./run.ts";

/** Larger files are not shown; they can be kept or skipped as a whole. Bytes. */
const MOST_SHOWN = 8 * 1024 * 1024;

/** Asks about every conflict, where there is somebody to ask, and plans again with the answers. */
export async function settleConflicts(
  parts: Parts,
  request: RunRequest,
  { plan, look }: { readonly plan: Plan; readonly look: Look },
): Promise<Plan> {
  const { ask } = request;
  if (ask === undefined || request.strategy !== undefined || plan.conflicts.length === 0) return plan;
  const answers = new Map<RelPath, Strategy>();
  for (const conflict of plan.conflicts) {
    const question = await questionOf(parts, conflict);
    const answer = await ask(question);
    answers.set(conflict.path, await takeAnswer(parts, { look, conflict, answer }));
  }
  return parts.sync.plan(look, { mode: request.mode, settle: ({ path }) => answers.get(path) ?? "skip" });
}

async function questionOf(parts: Parts, { path, kind, row }: Conflict): Promise<ConflictQuestion> {
  const { local, remote } = row;
  const sizes = [local.kind === "file" ? local.stat.size : 0, remote.kind === "file" ? remote.file.size : 0];
  const shown = Math.max(...sizes) <= MOST_SHOWN;
  const here = local.kind === "file" ? (shown ? fs.readFileSync(joinUnder(parts.root, path)) : NOT_SHOWN) : undefined;
  const there = remote.kind === "file" ? (shown ? await readRemote(parts, remote.file) : NOT_SHOWN) : undefined;
  return { path, kind, local: here, remote: there, binary: !shown || isBinary(here) || isBinary(there) };
}

const NOT_SHOWN = new Uint8Array();

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

/** What the editor left becomes the local file, the version before it goes to the trash; then the local side is kept. */
async function takeAnswer(parts: Parts, { look, conflict, answer }: Answered): Promise<Strategy> {
  if (answer.kind !== "content") return answer.kind;
  const { path } = conflict;
  const target = joinUnder(parts.root, path);
  parts.trash.keepCopy(target, { path, reason: "replaced by the edited merge of a conflict" });
  writeAtomic(target, answer.bytes);
  const { hash } = await parts.sync.tools.hashLocal(path);
  const stat = fileStat(fs.statSync(target, { bigint: true }));
  const at = look.rows.findIndex((row) => row.path === path);
  const row = look.rows[at];
  if (row) look.rows[at] = { ...row, equal: false, local: { kind: "file", changed: true, stat, hash } };
  return "keep-local";
}
