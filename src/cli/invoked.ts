import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";

const INSTALLER = "claude-mirror-install";

/**
 * The words of the command line, `install` put before them where the program was called by the link
 * `claude-mirror-install`. The compiled program's `argv` does not tell its own name, so the system is asked; nobody is
 * where the first word is a command.
 */
export function wordsAsInvoked(words: readonly string[], { platform, pid }: Pick<NodeJS.Process, "platform" | "pid">) {
  const isCommand = words[0] !== undefined && !words[0].startsWith("-");
  return isCommand || !isInstaller(ownName(platform, pid)) ? words : ["install", ...words];
}

/** True for a command line that begins with the link, at any path. */
export function isInstaller(line: string): boolean {
  const [program = ""] = line.split("\0", 1);
  return new RegExp(`(^|/)${INSTALLER}(\\s|$)`).test(program);
}

/** What the program was called as; `""` where that cannot be known. */
function ownName(platform: string, pid: number): string {
  try {
    if (platform === "linux") return readFileSync("/proc/self/cmdline", "utf8");
    if (platform === "win32") return "";
    return spawnSync("ps", ["-ww", "-o", "args=", "-p", String(pid)], { encoding: "utf8" }).stdout;
  } catch {
    return "";
  }
}
