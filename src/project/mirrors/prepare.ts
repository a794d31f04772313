import type { Parts } from "../parts.ts";
import type { Mirror, OpenMirror } from "./model.ts";
import { writeMarker } from "./moved.ts";
import { mirrorsBlobs } from "./snapshots.ts";

/** A primary that was lost when another one took its place hears of it before anything else. */
export async function tell({ deps }: Parts, { mirror, state }: OpenMirror): Promise<void> {
  if (state.untold === undefined) return;
  await writeMarker(await mirror.backend(), "moved", state.untold, deps.signal);
  state.setUntold(undefined);
}

/** From so many bodies on it pays to find out first which blob folders exist. */
const MANY = 16;

/** What the executor asks of the snapshots when it sends `count` bodies to a mirror. */
export async function hooksFor(parts: Parts, mirror: Mirror, count: number) {
  const primary = await parts.snapshotHooks().catch(() => ({}) as Awaited<ReturnType<Parts["snapshotHooks"]>>);
  const held = primary.heldBySnapshot === undefined ? {} : { heldBySnapshot: primary.heldBySnapshot };
  if (!mirrorsBlobs(parts.deps.config)) return held;
  const snapshots = await mirror.snapshots();
  const { signal } = parts.deps;
  if (count >= MANY) await snapshots.prepareToStore({ signal });
  const beforeUpload: typeof primary.beforeUpload = async (content) =>
    (await snapshots.store(content, { signal })).path;
  return { ...held, beforeUpload };
}
