import { NotFoundError } from "../backends/errors.ts";
import type { Parts } from "./parts.ts";

/** Stands for the newest snapshot that is whole, wherever one is asked for to read it. */
export const LATEST = "latest";

/** The name that `typed` means on one remote. Throws NotFoundError where there is none that is latest. */
export async function snapshotNamed(parts: Parts, typed: string): Promise<string> {
  if (typed !== LATEST) return typed;
  const all = await (await parts.snapshots()).list({ signal: parts.deps.signal });
  const newest = all.find(({ problem }) => problem === undefined);
  if (newest === undefined) throw new NotFoundError("cannot find the latest snapshot: there is none");
  return newest.timestamp;
}
