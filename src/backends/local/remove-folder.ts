import { readdir, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { faultPoint } from "../../lib/fault.ts";
import { joinUnder, type RelPath } from "../../lib/path.ts";
import type { CallOptions } from "../types.ts";
import { attempting, codeOf, rejected } from "./errors.ts";
import { mayBeLeftover, removeLeftover } from "./leftovers.ts";
import { attemptOn, findAny, type LocalRoot, syncFolder, unlessMissing } from "./root.ts";

/** The contract's `removeFolder`. The file system itself refuses to remove a folder with something in it. */
export async function removeFolderLocal(root: LocalRoot, path: RelPath, { signal }: CallOptions = {}): Promise<void> {
  signal?.throwIfAborted();
  const attempt = attemptOn(root, "remove the folder", path);
  const found = await findAny(root, path, attempt);
  if (found === undefined) return;
  if (!found.isDirectory()) throw rejected(attempt, "it is not a folder");
  const folder = joinUnder(root.folder, path);
  await attempting(attempt, async () => {
    if (!(await removeEmpty(folder, signal))) throw rejected(attempt, "there is something in it");
    await syncFolder(dirname(folder));
  });
}

/** Removes the folders from the innermost outwards, with what killed runs left there; false when one holds anything else. */
async function removeEmpty(folder: string, signal: AbortSignal | undefined): Promise<boolean> {
  signal?.throwIfAborted();
  for (const entry of (await unlessMissing(readdir(folder, { withFileTypes: true }))) ?? []) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() ? !(await removeEmpty(path, signal)) : !mayBeLeftover(entry.name)) return false;
    if (!entry.isDirectory()) await removeLeftover(path);
  }
  faultPoint("local-rmdir");
  try {
    await unlessMissing(rmdir(folder));
    return true;
  } catch (error) {
    if (codeOf(error) === "ENOTEMPTY" || codeOf(error) === "EEXIST") return false;
    throw error;
  }
}
