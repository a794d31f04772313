import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { faultPoint } from "../lib/fault.ts";
import { writeAtomic } from "../lib/fs.ts";
import { compileIgnore } from "../sync/ignore.ts";
import type { GitignoreOffer } from "./model.ts";

/** The state files stay out of git; the ignore file is the user's own and goes along. */
const LINES = [".claude_mirror_*", "!.claude_mirror_ignore"] as const;

/** What of the state files git must not see. */
const STATE_FILES = [
  ".claude_mirror_manifest.json",
  ".claude_mirror_hash_cache.json",
  ".claude_mirror_inbox.jsonl",
] as const;

/**
 * The lines that the `.gitignore` of a project lacks; undefined outside a git work tree, and where its own or a
 * `.gitignore` above it leaves the state files out already.
 */
export function gitignoreOffer(project: string): GitignoreOffer | undefined {
  const file = join(project, ".gitignore");
  for (let folder = project, below = ""; ; ) {
    const ignore = compileIgnore(textOf(join(folder, ".gitignore")));
    if (STATE_FILES.every((name) => ignore.ignores(below + name))) return undefined;
    if (existsSync(join(folder, ".git"))) return { file, lines: LINES };
    const parent = dirname(folder);
    if (parent === folder) return undefined;
    below = `${folder.slice(parent.length).replace(/^[\\/]+/, "")}/${below}`;
    folder = parent;
  }
}

/** Adds the lines at the end of the file, which is made when there is none. */
export function addToGitignore({ file, lines }: GitignoreOffer): void {
  const text = textOf(file);
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const gap = text === "" || text.endsWith("\n") ? "" : newline;
  faultPoint("gitignore");
  writeAtomic(file, text + gap + lines.map((line) => line + newline).join(""));
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return "";
    throw error;
  }
}
