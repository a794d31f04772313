import { NotFoundError } from "../../backends/errors.ts";
import { MOVED_PATH, PROMOTED_PATH } from "../../backends/layout.ts";
import type { Backend } from "../../backends/types.ts";
import { pythonIso } from "../../lib/clock.ts";
import { RefusedError } from "../../lib/errors.ts";
import { fromBytes, toText } from "../../lib/streams.ts";
import type { Look } from "../../sync/look.ts";
import type { Parts } from "../parts.ts";

/** What is left on a remote when another one becomes the primary. */
export interface Moved {
  /** What the new primary is called in the config that was swapped. */
  readonly to: string;
  /** Where it is. */
  readonly place: string;
  /** `user@machine`. */
  readonly by: string;
  /** Python isoformat. */
  readonly at: string;
}

/** Bytes of a marker. */
const MAX_BYTES = 64 * 1024;

/**
 * Refuses to send anything to a remote that was the primary once. A whole look has seen the marker; where only some files
 * were looked at, a project with mirrors looks for it.
 */
export async function refuseWhereMoved(parts: Parts, look: Look): Promise<void> {
  const mayHave = look.hasMoved || (look.selection?.exact !== undefined && parts.mirrors.length > 0);
  const moved = mayHave ? await readMarker(await parts.backend(), parts.deps.signal) : undefined;
  if (moved === undefined) return;
  throw new RefusedError(
    "old-primary",
    `${movedText(moved)} To send to the old one all the same, add --allow old-primary.`,
  );
}

/** What a look or a pull tells of it. */
export function movedText({ to, place, by, at }: Moved): string {
  return `This remote is not the primary any more: ${by} made ${to} (${place}) the primary on ${at.slice(0, 10)}. Run claude-mirror promote ${to} here, too, or set the project up with that remote.`;
}

/** Undefined where there is none. Throws what the backend throws. */
export async function readMarker(backend: Backend, signal: AbortSignal): Promise<Moved | undefined> {
  const text = await readSmall(backend, MOVED_PATH, signal);
  if (text === undefined) return undefined;
  const known: Moved = { to: "another remote", place: "unknown", by: "somebody", at: "" };
  try {
    return { ...known, ...(JSON.parse(text) as Partial<Moved>) };
  } catch {
    return known;
  }
}

/** Leaves word on both remotes. Each call replaces what an earlier promotion left. */
export async function writeMarker(
  backend: Backend,
  which: "moved" | "promoted",
  moved: Moved,
  signal: AbortSignal,
): Promise<void> {
  const body = new TextEncoder().encode(`${JSON.stringify(moved, undefined, 2)}\n`);
  const source = { size: body.length, open: () => fromBytes(body) };
  await backend.write(which === "moved" ? MOVED_PATH : PROMOTED_PATH, source, { expect: "any", signal });
}

/** Whether this remote was made the primary by somebody, and none since. */
export async function isPromoted(backend: Backend, signal: AbortSignal): Promise<boolean> {
  const [promoted, moved] = [await readSmall(backend, PROMOTED_PATH, signal), await readMarker(backend, signal)];
  return promoted !== undefined && moved === undefined;
}

async function readSmall(backend: Backend, path: typeof MOVED_PATH, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { body } = await backend.read(path, { signal });
    return await toText(body, { limit: MAX_BYTES, signal });
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

export function movedNow(parts: Parts, to: string, place: string): Moved {
  const { config, clock } = parts.deps;
  return { to, place, by: `${config.user}@${config.machineName}`, at: pythonIso(clock.now()) };
}
