import { existsSync, type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";
import { joinUnder, parentOf, type RelPath } from "../../lib/path.ts";
import { attempting } from "./errors.ts";
import { attemptOn, type LocalRoot, requireRoot } from "./root.ts";

/** Tells when something next to a file happens. File systems of other machines may tell nothing of what is done there. */
export interface Follower {
  wait(path: RelPath, signal: AbortSignal | undefined): Promise<"changed">;
  close(): void;
}

/** Follows one folder at a time, from the first call on. */
export function openFollower(root: LocalRoot): Follower {
  let watcher: FSWatcher | undefined;
  let happened = false;
  let failed: unknown;
  let wake: (() => void) | undefined;
  const follow = (path: RelPath) => {
    watcher?.close();
    const folder = nearest(root, path);
    watcher = watch(folder, { persistent: true }, () => {
      // A folder that was replaced is another one: it is followed before anybody looks.
      try {
        follow(path);
      } catch (error) {
        failed = error;
      }
      happened = true;
      wake?.();
    });
    watcher.on("error", (error) => {
      failed = error;
      wake?.();
    });
  };
  const settled = () => {
    if (failed !== undefined) {
      const error = failed;
      failed = undefined;
      watcher?.close();
      watcher = undefined;
      throw error;
    }
    const now = happened;
    happened = false;
    return now;
  };
  return {
    async wait(path, signal) {
      signal?.throwIfAborted();
      const attempt = attemptOn(root, "follow", path);
      await requireRoot(attempt);
      if (watcher === undefined) await attempting(attempt, async () => follow(path));
      while (!(await attempting(attempt, async () => settled()))) {
        await woken(signal, (resolve) => {
          wake = resolve;
        });
      }
      return "changed";
    },
    close() {
      watcher?.close();
      watcher = undefined;
    },
  };
}

function woken(signal: AbortSignal | undefined, onWait: (wake: () => void) => void): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const stop = () => reject(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    onWait(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    });
  });
}

/** The file's folder, or the nearest one above it that is there: its making is what happens next. */
function nearest(root: LocalRoot, path: RelPath): string {
  const parent = parentOf(path);
  if (parent === "") return root.folder;
  let folder = joinUnder(root.folder, parent);
  while (folder !== root.folder && !existsSync(folder)) folder = dirname(folder);
  return folder;
}
