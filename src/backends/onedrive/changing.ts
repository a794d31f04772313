import { type Coalesced, coalesce, type Settled } from "../../lib/coalesce.ts";
import { faultPoint } from "../../lib/fault.ts";
import { nameOf, parentOf, type RelPath } from "../../lib/path.ts";
import { BackendError, NotFoundError, StaleError } from "../errors.ts";
import type { Attempted } from "../http-trouble.ts";
import type { CallOptions, CopyOptions, RemoteFile, WriteOptions, Written } from "../types.ts";
import { refused } from "./errors.ts";
import { codeOf, type GraphReply, type Json, objectAt, type SignedRequest, textAt } from "./graph.ts";
import { fileOf } from "./items.ts";
import { requireName } from "./names.ts";
import { makeFolder, type Place } from "./place.ts";
import { addressOf, FolderGoneError, knownItem, lookUp, type Remote, statFile } from "./remote.ts";

/** Most requests of one batch: https://learn.microsoft.com/graph/json-batching */
const BATCH = 20;
const BATCHES = 2;

export interface Removal {
  readonly path: RelPath;
  readonly address: string;
  readonly etag: string | undefined;
}

export type RemoveTogether = Coalesced<Removal, void>;

/** Deletes that are under way at once go together. */
export function removeTogether(remote: () => Remote): RemoveTogether {
  return coalesce<Removal, void>({
    clock: remote().clock,
    count: BATCH,
    batches: BATCHES,
    callers: BATCH * BATCHES,
    send: (items, signal) => sendRemovals(remote(), items, signal),
  });
}

async function sendRemovals(
  remote: Remote,
  items: readonly Removal[],
  signal: AbortSignal,
): Promise<readonly Settled<void>[]> {
  faultPoint("onedrive-delete");
  const { graph, clock } = remote;
  const [only] = items;
  if (items.length === 1 && only !== undefined) {
    const headers = only.etag === undefined ? {} : { "If-Match": only.etag };
    await graph.call({ method: "DELETE", path: only.address, what: `remove "${only.path}"`, headers, signal });
    return [{ ok: undefined }];
  }
  const requests = items.map(({ address, etag }, at) => ({
    id: String(at),
    method: "DELETE",
    url: address,
    ...(etag === undefined ? {} : { headers: { "If-Match": etag } }),
  }));
  const what = `remove ${items.length} files`;
  const reply = await graph.call({ method: "POST", path: "/$batch", what, json: { requests }, signal });
  const answers = new Map(answersOf(reply).map((answer) => [textAt(answer, "id"), answer]));
  return items.map(({ path }, at): Settled<void> => {
    const attempted = { what: `remove "${path}"`, host: "OneDrive", changes: true };
    return settle(answers.get(String(at)), attempted, clock.now());
  });
}

function answersOf({ body }: GraphReply): readonly Json[] {
  const responses = body?.["responses"];
  return Array.isArray(responses) ? (responses as readonly Json[]) : [];
}

function settle(answer: Json, attempted: Attempted, nowMs: number): Settled<void> {
  const status = answer?.["status"];
  if (typeof status !== "number") {
    const text = `Could not ${attempted.what}: OneDrive does not say what became of it`;
    return { error: new BackendError(text, { class: "TRANSIENT", outcomeUnknown: true }) };
  }
  if (status >= 200 && status < 300) return { ok: undefined };
  const headers = objectAt(answer, "headers");
  const retryAfter = Object.entries(headers ?? {}).find(([name]) => name.toLowerCase() === "retry-after")?.[1];
  const refusal = { status, code: codeOf(objectAt(answer, "body")), retryAfter: textOr(retryAfter) };
  return { error: refused(refusal, attempted, nowMs) };
}

function textOr(value: unknown): string | null {
  return typeof value === "string" || typeof value === "number" ? String(value) : null;
}

/** The contract's `remove`: by the item's own id, so that nothing else of the name is hit. */
export async function removeFile(
  remote: Remote,
  path: RelPath,
  { expect, signal }: WriteOptions,
  together: RemoveTogether,
): Promise<void> {
  const call = signal === undefined ? {} : { signal };
  const etag = expect === "any" || expect === "absent" ? undefined : expect;
  const known = etag === undefined ? undefined : knownItem(remote, path, etag);
  const id = known ?? (await idToRemove(remote, path, etag, call));
  if (id === undefined) return;
  const { drive } = await remote.place(call);
  try {
    await together({ path, address: `${drive}/items/${id}`, etag }, call);
    remote.seen.forget(path);
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    if (etag === undefined) return;
    throw new StaleError(`Could not remove "${path}": it is not there any more`, {
      outcomeUnknown: error.outcomeUnknown,
    });
  }
}

async function idToRemove(
  remote: Remote,
  path: RelPath,
  etag: string | undefined,
  call: CallOptions,
): Promise<string | undefined> {
  let item: Json;
  try {
    item = await lookUp(remote, path, call);
  } catch (error) {
    if (!(error instanceof NotFoundError) && !(error instanceof FolderGoneError)) throw error;
    if (etag === undefined) return undefined;
    throw new StaleError(`Could not remove "${path}": it is not there any more`);
  }
  const file = fileOf(item, path);
  if (file === undefined)
    throw new BackendError(`Could not remove "${path}": it is no file`, { class: "FILE_REJECTED" });
  if (etag === undefined || file.rev === etag) return textAt(item, "id");
  throw new StaleError(`Could not remove "${path}": it is another version`);
}

/** The contract's `removeFolder`: DELETE takes a folder with all in it, so a complete listing comes first. */
export async function removeFolder(remote: Remote, path: RelPath, call: CallOptions): Promise<void> {
  const place = await remote.place(call);
  const { exists, files, unusable } = await remote.index(place).list(path, call);
  const item = await lookUp(remote, path, call).catch((error: unknown) => {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  });
  if (item === undefined) return;
  const what = `remove the folder "${path}"`;
  const children = Number(objectAt(item, "folder")?.["childCount"] ?? 0);
  // Right after something was made in it the listing may not tell of it yet.
  if (objectAt(item, "folder") === undefined || files.length + unusable.length > 0 || (!exists && children > 0)) {
    throw new BackendError(`Could not ${what}: there is something in it`, { class: "FILE_REJECTED" });
  }
  await requireNoFiles(remote, place, path, call);
  const headers = { "If-Match": textAt(item, "eTag") ?? "*" };
  const address = `${place.drive}/items/${textAt(item, "id") ?? ""}`;
  try {
    await remote.graph.call({ method: "DELETE", path: address, what, headers, signal: call.signal });
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
}

/** Looks into the folder and those in it themselves. */
async function requireNoFiles(remote: Remote, place: Place, path: RelPath, { signal }: CallOptions): Promise<void> {
  const pending = [`${addressOf(place, path)}/children?$select=id,file,folder&$top=200`];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const what = `look into the folder "${path}"`;
    const { body } = await remote.graph.call({ method: "GET", path: next, what, signal });
    for (const child of (body?.["value"] ?? []) as readonly Json[]) {
      if (objectAt(child, "folder") === undefined) {
        throw new BackendError(`Could not remove the folder "${path}": there is something in it`, {
          class: "FILE_REJECTED",
        });
      }
      pending.push(`${place.drive}/items/${textAt(child, "id") ?? ""}/children?$select=id,file,folder&$top=200`);
    }
    const link = textAt(body, "@odata.nextLink");
    if (link !== undefined) pending.push(remote.graph.pathOf(link));
  }
}

interface Transfer {
  readonly from: RelPath;
  readonly to: RelPath;
  readonly verb: "copy" | "move";
}

/** The source as it is now, and the folder that the target goes into. */
async function prepareTransfer(remote: Remote, { from, to, verb }: Transfer, options: CopyOptions) {
  requireName(to);
  const call = options.signal === undefined ? {} : { signal: options.signal };
  const item = await lookUp(remote, from, call);
  const file = fileOf(item, from);
  if (file === undefined) throw new NotFoundError(`Could not ${verb} "${from}": it is no file`);
  if (options.expectSource !== undefined && options.expectSource !== file.rev) {
    throw new StaleError(`Could not ${verb} "${from}": it is another version`);
  }
  const parent = await folderId(remote, parentOf(to), call);
  return { file, id: textAt(item, "id") ?? "", parent, call };
}

/** The id of a folder, made with those above it where it is missing. */
async function folderId(remote: Remote, folder: RelPath | "", call: CallOptions): Promise<string> {
  const place = await remote.place(call);
  if (folder === "") return place.rootId;
  const node = remote.index(place).at(folder)[0];
  if (node?.is === "folder") return node.id;
  const look = async () => {
    const item = await lookUp(remote, folder, call);
    if (objectAt(item, "folder") !== undefined) return textAt(item, "id") ?? "";
    throw new BackendError(`Could not use "${folder}" as a folder: a file is there`, { class: "FILE_REJECTED" });
  };
  try {
    return await look();
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
  const parent = await folderId(remote, parentOf(folder), call);
  const what = `make the folder "${folder}"`;
  const made = await makeFolder(remote.graph, `${place.drive}/items/${parent}`, nameOf(folder), { ...call, what });
  return made ?? look();
}

/** The contract's `move`. */
export async function moveFile(remote: Remote, transfer: Transfer, options: CopyOptions): Promise<Written> {
  const { from, to } = transfer;
  const { file, id, parent, call } = await prepareTransfer(remote, transfer, options);
  const place = await remote.place(call);
  const { body } = await remote.graph.call({
    method: "PATCH",
    path: `${place.drive}/items/${id}`,
    what: `move "${from}" to "${to}"`,
    headers: { "If-Match": file.rev },
    json: { parentReference: { id: parent }, name: nameOf(to) },
    signal: call.signal,
  });
  remote.seen.forget(from);
  return writtenAs(remote, to, body);
}

/** Between looks at a copy that is under way; grows. Milliseconds. */
const FIRST_POLL_MS = 250;
const MOST_POLL_MS = 4000;
/** A copy that takes longer has an unknown outcome (decision 24). */
const COPY_MS = 600_000;

/** The contract's `copy`: accepted by one request, told by another when it is done. */
export async function copyFile(remote: Remote, transfer: Transfer, options: CopyOptions): Promise<Written> {
  const { from, to } = transfer;
  const { file, id, parent, call } = await prepareTransfer(remote, transfer, options);
  const place = await remote.place(call);
  // Personal accounts accept a copy onto a name that is taken and fail later, or rename it.
  if ((await statFile(remote, to, call)) !== undefined) {
    throw new StaleError(`Could not copy to "${to}": it exists already`);
  }
  const what = `copy "${from}" to "${to}"`;
  const { header } = await remote.graph.call({
    method: "POST",
    path: `${place.drive}/items/${id}/copy`,
    what,
    json: { parentReference: { driveId: place.driveId, id: parent }, name: nameOf(to) },
    signal: call.signal,
  });
  const monitor = header("location");
  const made = monitor === null ? undefined : await waitForCopy(remote, monitor, what, call);
  const address = made === undefined ? addressOf(place, to) : `${place.drive}/items/${encodeURIComponent(made)}`;
  const { body } = await remote.graph.call({ method: "GET", path: address, what, signal: call.signal });
  return checkCopy(remote, file, { to, body });
}

function checkCopy(remote: Remote, source: RemoteFile, { to, body }: { to: RelPath; body: Json }): Written {
  const written = writtenAs(remote, to, body);
  const sumOf = (file: RemoteFile | undefined) => file?.checksums?.find(({ kind }) => kind === "quickxor")?.value;
  const [wanted, got] = [sumOf(source), sumOf(written.file)];
  const name = textAt(body, "name")?.toLowerCase() === nameOf(to).toLowerCase();
  if (name && written.file?.size === source.size && (wanted === undefined || got === undefined || wanted === got)) {
    return written;
  }
  throw new StaleError(`Could not copy to "${to}": the source changed meanwhile, or the name was taken`);
}

/** The id of the finished copy, where the monitor tells it. */
async function waitForCopy(
  remote: Remote,
  url: string,
  what: string,
  { signal }: CallOptions,
): Promise<string | undefined> {
  const request = { method: "GET", url, what, signal } as const;
  const started = remote.clock.now();
  for (let wait = FIRST_POLL_MS; ; wait = Math.min(wait * 2, MOST_POLL_MS)) {
    const job = await askMonitor(remote, request);
    if (job === "elsewhere") return undefined;
    const state = textAt(job, "status") ?? "";
    if (state === "completed") return textAt(job, "resourceId");
    if (/fail|cancel/i.test(state)) throw failedCopy(what, codeOf(job) || (textAt(job, "errorCode") ?? ""));
    if (remote.clock.now() - started > COPY_MS) {
      throw new BackendError(`Could not ${what}: it is not done after ${COPY_MS / 60_000} minutes`, {
        class: "TRANSIENT",
        outcomeUnknown: true,
      });
    }
    await remote.clock.sleep(wait, signal);
  }
}

/** How far the copy is; `elsewhere` when the answer leads to the finished item. Whatever fails here, the copy may be made. */
async function askMonitor(remote: Remote, request: SignedRequest): Promise<Json | "elsewhere"> {
  try {
    const response = await remote.graph.signed(request);
    if (response.status === 303 || response.status === 302) {
      await response.drain();
      return "elsewhere";
    }
    if (!response.ok) throw await remote.graph.refusal(response, request);
    return await remote.graph.json(response, request);
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    const { message, pauseMs, hint } = error;
    const more = { ...(pauseMs === undefined ? {} : { pauseMs }), ...(hint === undefined ? {} : { hint }) };
    throw new BackendError(message, { class: "TRANSIENT", outcomeUnknown: true, cause: error, ...more });
  }
}

function failedCopy(what: string, code: string): BackendError {
  if (code === "nameAlreadyExists") return new StaleError(`Could not ${what}: the name is taken (${code})`);
  const isQuota = /quota|insufficientStorage/i.test(code);
  return new BackendError(`Could not ${what}: OneDrive reports that it failed (${code || "no reason given"})`, {
    class: isQuota ? "QUOTA" : "TRANSIENT",
  });
}

function writtenAs(remote: Remote, path: RelPath, body: Json): Written {
  const file = fileOf(body, path);
  if (file === undefined) return {};
  remote.seen.note(path, body);
  return { file };
}
