import { BackendError, mayWriteInstead } from "../backends/errors.ts";
import type { RemoteFile, Rev, Written } from "../backends/types.ts";
import { faultPoint } from "../lib/fault.ts";
import type { RelPath } from "../lib/path.ts";
import type { SentFile } from "./journal.ts";
import { type LocalContent, localContent } from "./local-content.ts";
import type { Action, ContentHash, FileStat } from "./model.ts";
import { agreedBase, callOptions, compareRemote, type Progress, type RunContext } from "./run-context.ts";

export type UploadAction = Extract<Action, { readonly kind: "upload" }>;

/** What is known after an upload that the server has acknowledged. */
export type Sent =
  | { readonly kind: "known"; readonly file: RemoteFile; readonly hash: ContentHash }
  /** The answer did not name the new version: the closing look finds it. */
  | { readonly kind: "unnamed"; readonly sent: SentFile };

/**
 * Sends one file: content first where `beforeUpload` keeps it, then the live file, guarded by the version that the plan
 * saw. Remote content that nobody else holds goes to the trash before it is replaced. Recorded in the journal.
 * Throws StalePlanError or StaleError when either side is not what the plan saw; the remote is then untouched.
 */
export async function upload(action: UploadAction, run: RunContext, onProgress: Progress): Promise<Sent> {
  const { replaced } = action;
  if (replaced !== undefined) await keepRemote(replaced.remote, replaced.sha256, "replaced by push", run);
  const sent = await send(action, run, onProgress);
  recordSent(sent, action.local, run);
  return sent;
}

/** Writes down what {@link send} found out. */
export function recordSent(sent: Sent, local: FileStat, run: RunContext): void {
  if (sent.kind === "unnamed") {
    run.record({ kind: "sent", sent: sent.sent });
    run.onSent?.(sent.sent);
    return;
  }
  const { file, hash } = sent;
  run.record({ kind: "set", base: agreedBase(run, file, hash), local: { stat: local, hash } });
  run.onSent?.({ path: file.path, size: file.size, ...hash, local });
}

export interface SendRequest {
  readonly path: RelPath;
  readonly local: FileStat;
  readonly expect: Rev | "absent";
  readonly hash?: ContentHash;
}

/** The transfer alone, recorded by nobody. */
export async function send(request: SendRequest, run: RunContext, onProgress: Progress): Promise<Sent> {
  const { path, local, hash } = request;
  const options = { planned: local, onProgress, ...callOptions(run), ...(hash === undefined ? {} : { hash }) };
  const content = await localContent(run.root.file(path), path, options);
  try {
    faultPoint("upload-blob");
    run.backend.expectWrite?.(path, callOptions(run));
    const blob = await run.beforeUpload?.(content.source, run.signal);
    faultPoint("upload-live");
    const written = await sendLive(request, content, blob, run).catch(async (error: unknown) => {
      if (request.expect !== "absent" || !(await makeWay(path, error, run))) throw error;
      return sendLive(request, content, blob, run);
    });
    onProgress(content.source.size);
    return answerOf(request, content, written);
  } catch (error) {
    throw content.failure() ?? error;
  }
}

/** Puts a remote content that no snapshot holds into the trash. Reads exactly the version given. */
export async function keepRemote(
  file: RemoteFile,
  sha256: string | undefined,
  reason: string,
  run: RunContext,
): Promise<void> {
  if (await run.heldBySnapshot(sha256)) return;
  const { body } = await run.backend.read(file.path, { expect: file.rev, ...callOptions(run) });
  const kept = await run.trash.putBytes(body, { path: file.path, reason }, callOptions(run));
  if (kept.size === file.size) return;
  run.trash.discard(kept);
  const found = `${kept.size} of ${file.size} bytes came`;
  throw new BackendError(`could not keep the remote "${file.path}": ${found}; run again`, { class: "TRANSIENT" });
}

async function sendLive(
  request: SendRequest,
  content: LocalContent,
  blob: RelPath | undefined,
  run: RunContext,
): Promise<Written> {
  const { path, expect } = request;
  if (!content.small && expect === "absent" && blob !== undefined && run.backend.copy !== undefined) {
    try {
      return await run.backend.copy(blob, path, callOptions(run));
    } catch (error) {
      if (!mayWriteInstead(error)) throw error;
    }
  }
  return run.backend.write(path, content.source, { expect, ...callOptions(run) });
}

/**
 * Removes a remote folder that stands where a file is to be created and that holds no file: files that were moved or deleted
 * left it behind. False when there is none, or it could not be removed: then what the write said counts.
 */
async function makeWay(path: RelPath, error: unknown, { backend, ...run }: RunContext): Promise<boolean> {
  const refused = error instanceof BackendError && error.class === "FILE_REJECTED" && !error.outcomeUnknown;
  if (!refused || backend.removeFolder === undefined) return false;
  try {
    const { exists } = await backend.list(path, { shallow: true, ...callOptions(run) });
    if (exists) await backend.removeFolder(path, callOptions(run));
    return exists;
  } catch (other) {
    if (other instanceof BackendError) return false;
    throw other;
  }
}

function answerOf(request: SendRequest, content: LocalContent, written: Written): Sent {
  const { path, local } = request;
  const { hash, source } = content;
  if (written.file === undefined) {
    const { serverTimeMs, tookMs } = written;
    const time = serverTimeMs === undefined ? {} : { serverTimeMs, ...(tookMs === undefined ? {} : { tookMs }) };
    return { kind: "unnamed", sent: { path, ...hash, size: source.size, local, ...time } };
  }
  if (compareRemote(written.file, { ...hash, size: source.size }) === "different") throw damaged(path);
  return { kind: "known", file: written.file, hash };
}

/** The server took the body and holds another. */
export function damaged(path: RelPath): BackendError {
  return new BackendError(`sent "${path}", and the server holds other bytes than were sent: run again to compare`, {
    class: "UNKNOWN",
  });
}
