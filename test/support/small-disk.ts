import { mkdirSync } from "node:fs";
import { tempFolder } from "./temp.ts";

/** Somewhere a run can write too little. */
export interface SmallDisk {
  /** How it is made too small, for the test's name. */
  readonly kind: "a full disk" | "a limit on file sizes";
  /** Environment of the runs that meet it. */
  readonly env: Readonly<Record<string, string>>;
  /** Makes space. */
  grow(): void;
  remove(): void;
}

/** Whether this account may mount. Where it may not, {@link sizeLimit} alone stands for a disk that takes no more. */
export const MAY_MOUNT = mayMount();

function mayMount(): boolean {
  const folder = tempFolder("mount");
  const { exitCode } = Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]);
  if (exitCode === 0) sh("umount", folder);
  return exitCode === 0;
}

/** A file system of `bytes` in the place of `folder`, whose content it takes over as far as it fits. */
export function tinyDisk(folder: string, bytes: number): SmallDisk {
  const before = tempFolder("before");
  mkdirSync(folder, { recursive: true });
  sh("cp", "-a", `${folder}/.`, before);
  sh("mount", "-t", "tmpfs", "-o", `size=${bytes}`, "tmpfs", folder);
  sh("cp", "-a", `${before}/.`, folder);
  return {
    kind: "a full disk",
    env: {},
    grow: () => sh("mount", "-o", "remount,size=20m", folder),
    remove: () => sh("umount", folder),
  };
}

/** No file may grow beyond `bytes` (RLIMIT_FSIZE): what needs no permission at all. */
export function sizeLimit(bytes: number): SmallDisk {
  let limit: Readonly<Record<string, string>> = { FSIZE: String(bytes) };
  return {
    kind: "a limit on file sizes",
    get env() {
      return limit;
    },
    grow() {
      limit = {};
    },
    remove: () => undefined,
  };
}

function sh(...words: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(words);
  if (exitCode !== 0) throw new Error(`${words.join(" ")}: ${stderr.toString()}`);
}
