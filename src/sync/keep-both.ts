import * as fs from "node:fs";
import { dirname } from "node:path";
import { StaleError } from "../backends/errors.ts";
import type { RemoteFile } from "../backends/types.ts";
import { faultPoint } from "../lib/fault.ts";
import { tempPathFor } from "../lib/fs.ts";
import { hasher } from "../lib/hash.ts";
import { drain } from "../lib/streams.ts";
import { download, placeNew } from "./download.ts";
import { fetchRemote } from "./fetch.ts";
import { digestFile } from "./local-content.ts";
import { asLocalError, lookAt, requireUnchanged, StalePlanError } from "./local-file.ts";
import type { Action, ContentHash, FileStat } from "./model.ts";
import { agreedBase, callOptions, compareRemote, judgeSent, type Progress, type RunContext } from "./run-context.ts";
import { damaged, recordSent, type Sent, send } from "./upload.ts";

export type KeepBothAction = Extract<Action, { readonly kind: "keep-both" }>;

/**
 * Settles a conflict by keeping both contents: the loser under the copy's name here, then there, then the winner under
 * the path. Each step begins only when the one before it is confirmed, and a repetition finds earlier steps done.
 * Answers what the last upload, if there was one, found out. Throws StalePlanError or StaleError when another content
 * has either name, before `path` is touched.
 */
export async function keepBoth(
  action: KeepBothAction,
  run: RunContext,
  onProgress: Progress,
): Promise<Sent | undefined> {
  const { path, local, remote } = action;
  const copy = await makeCopy(action, run);
  const sent = await sendCopy(action, copy, run);
  run.record({ kind: "set", base: agreedBase(run, sent, copy.hash), local: copy });
  if (action.winner === "remote") {
    const { localSha256 } = action;
    await download({ kind: "download", path, remote, local, localSha256 }, keptElsewhere(run, localSha256), onProgress);
    return undefined;
  }
  const won = await send({ path, local, expect: remote.rev }, run, onProgress);
  recordSent(won, local, run);
  return won;
}

/** The loser is safe in its copy on both sides: no need of the trash. */
function keptElsewhere(run: RunContext, sha256: string): RunContext {
  return { ...run, heldBySnapshot: async (asked) => asked === sha256 || (await run.heldBySnapshot(asked)) };
}

interface Copy {
  readonly stat: FileStat;
  readonly hash: ContentHash;
}

async function makeCopy(action: KeepBothAction, run: RunContext): Promise<Copy> {
  const { copy } = action;
  const target = run.root.fileToCreate(copy);
  try {
    const found = lookAt(target);
    if (found === "absent") {
      const temp = await bringLoser(action, target, run);
      try {
        placeNew(temp, target, copy);
        faultPoint("place-unlink-temp");
      } finally {
        fs.rmSync(temp, { force: true });
      }
      await run.syncFolder(dirname(target));
    }
    return await requireCopy(action, target, run);
  } catch (error) {
    throw asLocalError(error, `could not write "${copy}"`);
  }
}

/** The loser's bytes in a durable temporary file. */
async function bringLoser(action: KeepBothAction, target: string, run: RunContext): Promise<string> {
  if (action.winner === "local") {
    const fetched = await fetchRemote(action.remote, target, run, () => undefined);
    return fetched.temp;
  }
  const from = run.root.file(action.path);
  requireUnchanged(from, action.path, action.local);
  const temp = tempPathFor(target);
  faultPoint("copy-here");
  fs.copyFileSync(from, temp, fs.constants.COPYFILE_EXCL | fs.constants.COPYFILE_FICLONE);
  const handle = await fs.promises.open(temp, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
  return temp;
}

async function requireCopy({ copy, copySha256 }: KeepBothAction, target: string, run: RunContext): Promise<Copy> {
  const stat = lookAt(target);
  if (typeof stat === "object") {
    const hash = await digestFile(target, copy, { planned: stat, ...callOptions(run) });
    if (hash.sha256 === copySha256) return { stat, hash };
  }
  throw new StalePlanError(`kept the conflict as it is: "${copy}" holds something else here; rename it and run again`);
}

/** Uploads the copy, or finds that the remote has it; the version is known afterwards. */
async function sendCopy(action: KeepBothAction, copy: Copy, run: RunContext): Promise<RemoteFile> {
  const { stat: local, hash } = copy;
  try {
    const request = { path: action.copy, local, expect: "absent", hash } as const;
    const sent = await send(request, run, () => undefined);
    return sent.kind === "known" ? sent.file : await lookUp(sent, run);
  } catch (error) {
    if (!(error instanceof StaleError)) throw error;
    const there = await run.backend.stat(action.copy, callOptions(run));
    if (there !== undefined && (await holds(there, { ...hash, size: local.size }, run))) return there;
    throw error;
  }
}

async function lookUp({ sent }: Extract<Sent, { readonly kind: "unnamed" }>, run: RunContext): Promise<RemoteFile> {
  const file = await run.backend.stat(sent.path, callOptions(run));
  const verdict = judgeSent(sent, file);
  if (verdict === "damaged") throw damaged(sent.path);
  if (file !== undefined && (verdict === "confirmed" || (await holds(file, sent, run)))) return file;
  throw new StaleError(`kept the conflict as it is: the copy "${sent.path}" was changed on the remote; run again`);
}

async function holds(
  file: RemoteFile,
  content: ContentHash & { readonly size: number },
  run: RunContext,
): Promise<boolean> {
  const verdict = compareRemote(file, content);
  if (verdict !== "unknown") return verdict === "equal";
  const sha256 = hasher("sha256");
  const { body } = await run.backend.read(file.path, { expect: file.rev, ...callOptions(run) });
  await drain(body, (chunk) => sha256.update(chunk), callOptions(run));
  return sha256.hex() === content.sha256;
}
