import type { RelPath } from "../../lib/path.ts";
import { BackendError } from "../errors.ts";
import type { CallOptions, Polled } from "../types.ts";
import { type Json, objectAt, textAt } from "./graph.ts";
import { fold } from "./names.ts";
import type { Place } from "./place.ts";
import { FolderGoneError, type Remote, statFile } from "./remote.ts";

const WHAT = "look for changes on OneDrive";
const FIELDS = "id,name,file,folder,root,deleted";
const LOOK = "look ";
const GONE = "gone";

/**
 * The contract's `poll`, by a delta link of its own. The changes of the whole drive go by; the file may have changed when
 * something of its name did, a folder on the way to it, or something was removed, of which only the id is told. Cursors:
 * the link without its host; `look REV` for a shared folder that has no delta; `gone` without the remote folder.
 */
export async function pollDrive(
  remote: Remote,
  path: RelPath,
  since: string | undefined,
  call: CallOptions,
): Promise<Polled> {
  try {
    const place = await remote.place(call);
    const top = place.shared ? `${place.drive}/items/${place.rootId}` : `${place.drive}/root`;
    if (since?.startsWith(LOOK)) return await pollByLook(remote, path, since, call);
    const names = new Set(path.split("/").map(fold));
    const concerns = (item: Json) =>
      objectAt(item, "deleted") !== undefined ||
      textAt(item, "id") === place.rootId ||
      names.has(fold(textAt(item, "name") ?? ""));
    const polled = since?.startsWith(`${top}/`) ? await changesSince(remote, since, concerns, call) : undefined;
    if (polled !== undefined) return polled;
    const cursor = await linkOfNow(remote, top, place, call);
    return cursor === undefined ? await pollByLook(remote, path, since, call) : { kind: "changed", cursor };
  } catch (error) {
    if (!(error instanceof FolderGoneError)) throw error;
    return { kind: since === GONE ? "same" : "changed", cursor: GONE };
  }
}

/** Undefined where a shared folder has no delta. */
async function linkOfNow(
  { graph }: Remote,
  top: string,
  { shared }: Place,
  { signal }: CallOptions,
): Promise<string | undefined> {
  try {
    const path = `${top}/delta?$select=${FIELDS}&token=latest`;
    const { body } = await graph.call({ method: "GET", path, what: WHAT, signal });
    const link = textAt(body, "@odata.deltaLink");
    if (link !== undefined) return graph.pathOf(link);
    throw new BackendError(`Could not ${WHAT}: the end is not named`, { class: "TRANSIENT" });
  } catch (error) {
    if (shared && error instanceof BackendError && isRefused(error)) return undefined;
    throw error;
  }
}

const isRefused = ({ status = 0 }: BackendError) =>
  status === 400 || status === 404 || status === 405 || status === 501;

/** Undefined where the link is no longer known. */
async function changesSince(
  { graph }: Remote,
  link: string,
  concerns: (item: Json) => boolean,
  { signal }: CallOptions,
): Promise<Polled | undefined> {
  let touched = false;
  for (let path = link; ; ) {
    let body: Json;
    try {
      ({ body } = await graph.call({ method: "GET", path, what: WHAT, signal }));
    } catch (error) {
      // Whatever is wrong with a link that was good once, a new one cures it.
      if (error instanceof BackendError && (error.status === 410 || isRefused(error))) return undefined;
      throw error;
    }
    const items = (body?.["value"] ?? []) as readonly Json[];
    touched ||= items.some(concerns);
    const [next, end] = [textAt(body, "@odata.nextLink"), textAt(body, "@odata.deltaLink")];
    if (end !== undefined) return { kind: touched ? "changed" : "same", cursor: graph.pathOf(end) };
    if (next === undefined) throw new BackendError(`Could not ${WHAT}: the end is not named`, { class: "TRANSIENT" });
    path = graph.pathOf(next);
  }
}

async function pollByLook(
  remote: Remote,
  path: RelPath,
  since: string | undefined,
  call: CallOptions,
): Promise<Polled> {
  const file = await statFile(remote, path, call);
  const cursor = `${LOOK}${file?.rev ?? ""}`;
  return { kind: cursor === since ? "same" : "changed", cursor };
}
