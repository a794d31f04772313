import { type BigIntStats, constants } from "node:fs";
import { copyFile, open, rename, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { faultPoint } from "../../lib/fault.ts";
import { comparePaths, joinUnder, type RelPath } from "../../lib/path.ts";
import { NotFoundError, StaleError } from "../errors.ts";
import type { CopyOptions, Rev, Written } from "../types.ts";
import { type Attempt, attempting, subject } from "./errors.ts";
import { withPathLock } from "./lock.ts";
import { attemptOn, describe, findAny, findFile, type LocalRoot, lookAt, makeFolders, syncFolder } from "./root.ts";
import { revOf } from "./version.ts";
import { linkNew, placeNew, requireExpected, seal } from "./write.ts";

/** The contract's `copy`: a clone where the file system shares blocks, else a copy made by the kernel. */
export async function copyLocal(
  root: LocalRoot,
  from: RelPath,
  to: RelPath,
  options: CopyOptions = {},
): Promise<Written> {
  const { expectSource, signal } = options;
  signal?.throwIfAborted();
  const attempt = attemptOn(root, `copy "${from}" to`, to);
  const source = await requireSource(root, from, expectSource, attempt);
  requireExpected(root, await findAny(root, to, attempt), "absent", attempt);
  await makeFolders(root, to, attempt);
  const place = { expect: "absent" as const, ...(signal ? { signal } : {}) };
  return placeNew(root, to, attempt, place, async (temp) => {
    await attempting(attempt, () => cloneFile(root, joinUnder(root.folder, from), temp));
    await requireSource(root, from, revOf(source, root.version), attempt);
  });
}

async function cloneFile(root: LocalRoot, from: string, temp: string): Promise<void> {
  faultPoint("local-copy");
  await copyFile(from, temp, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const handle = await open(temp, process.platform === "win32" ? "r+" : "r");
  try {
    await seal(root, handle, undefined);
  } finally {
    await handle.close();
  }
}

/** The contract's `move`. Both names are locked; the old one is given up only while it still is the file that was linked. */
export async function moveLocal(
  root: LocalRoot,
  from: RelPath,
  to: RelPath,
  options: CopyOptions = {},
): Promise<Written> {
  const { expectSource, signal } = options;
  signal?.throwIfAborted();
  const attempt = attemptOn(root, `move "${from}" to`, to);
  await requireSource(root, from, expectSource, attempt);
  requireExpected(root, await findAny(root, to, attempt), "absent", attempt);
  await makeFolders(root, to, attempt);
  const [first, second] = [from, to].sort(comparePaths).map((path) => joinUnder(root.folder, path)) as [string, string];
  await attempting(attempt, () =>
    withPathLock(root, first, attempt, { signal }, (firstOurs) =>
      withPathLock(root, second, attempt, { signal }, async (secondOurs) => {
        const source = await requireSource(root, from, expectSource, attempt);
        requireExpected(root, await lookAt(root, to, attempt), "absent", attempt);
        await firstOurs();
        await secondOurs();
        await giveNewName(root, from, to, source, attempt);
      }),
    ),
  );
  const found = await lookAt(root, to, attempt);
  return found?.isFile() ? { file: describe(root, to, found) } : {};
}

async function giveNewName(
  root: LocalRoot,
  from: RelPath,
  to: RelPath,
  source: BigIntStats,
  attempt: Attempt,
): Promise<void> {
  const [old, target] = [joinUnder(root.folder, from), joinUnder(root.folder, to)];
  if (await linkNew(root, old, target, attempt)) {
    const now = await lookAt(root, from, attempt);
    faultPoint("local-move-unlink");
    if (now?.ino === source.ino) await unlink(old);
  } else {
    faultPoint("local-move-rename");
    await rename(old, target);
  }
  await syncFolder(dirname(target));
  await syncFolder(dirname(old));
}

async function requireSource(
  root: LocalRoot,
  from: RelPath,
  expect: Rev | undefined,
  attempt: Attempt,
): Promise<BigIntStats> {
  const found = await findFile(root, from, { ...attempt, verb: "read", path: from });
  if (!found) throw new NotFoundError(`cannot ${attempt.verb} ${subject(attempt)}: the source is not there`);
  const rev = revOf(found, root.version);
  if (expect === undefined || expect === rev) return found;
  throw new StaleError(`cannot ${attempt.verb} ${subject(attempt)}: the source is not version ${expect} but ${rev}`);
}
