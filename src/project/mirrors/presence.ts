import { BackendError } from "../../backends/errors.ts";
import { RESERVED_FOLDERS } from "../../backends/layout.ts";
import type { Backend } from "../../backends/types.ts";
import type { RelPath } from "../../lib/path.ts";
import type { Mirror } from "./model.ts";
import { type MirrorState, merged } from "./state.ts";

/**
 * Looks whether a mirror still has what was sent there, with one request where all is well: a folder that was emptied, or
 * whose disk is not mounted, must not pass for a copy because the few files of today arrive. What is missing is
 * noted and answered: it counts as never sent. Throws BackendError when all of it is missing, before anything is written.
 */
export async function lostFiles(
  mirror: Mirror,
  state: MirrorState,
  tried: ReadonlySet<RelPath>,
  { signal }: { readonly signal: AbortSignal },
): Promise<readonly RelPath[]> {
  const sample = sampleOf(state, tried);
  if (sample === undefined) return [];
  const backend = await mirror.backend();
  if ((await backend.stat(sample, { signal })) !== undefined) return [];
  const missing = await missingOn(backend, state, signal);
  if (missing === undefined) return [];
  const sent = [...merged(state.index, state.overlay)].length;
  if (missing.length === sent) {
    throw new BackendError(`"${mirror.root}" holds none of the ${sent} file(s) that were sent there`, {
      class: "TRANSIENT",
      hint: `If it was moved or is not mounted, bring it back; if it was emptied, run claude-mirror seed-mirror --backend ${mirror.name}`,
    });
  }
  for (const path of missing) state.note(path, undefined);
  return missing;
}

/** A file that should be there; none where each is about to be sent or deleted, which finds out by itself. */
function sampleOf(state: MirrorState, tried: ReadonlySet<RelPath>): RelPath | undefined {
  for (const { path } of merged(state.index, state.overlay)) if (!tried.has(path)) return path;
  return undefined;
}

/** What was sent and is not there any more; undefined when the folder itself is missing, which writing tells better. */
export async function missingOn(
  backend: Backend,
  state: MirrorState,
  signal: AbortSignal,
): Promise<readonly RelPath[] | undefined> {
  const { files, exists } = await backend.list("", { skip: RESERVED_FOLDERS, signal });
  if (!exists) return undefined;
  const there = new Set(files.map(({ path }) => path));
  return [...merged(state.index, state.overlay)].flatMap(({ path }) => (there.has(path) ? [] : path));
}
