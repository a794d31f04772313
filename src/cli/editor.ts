import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import type { ConflictQuestion } from "../project/model.ts";
import type { CommandContext } from "./context.ts";

/** What was saved; unfinished while it holds conflict markers. */
export interface Edited {
  readonly bytes: Uint8Array;
  readonly isFinished: boolean;
}

const OURS = "<<<<<<< LOCAL";
const MIDDLE = "=======";
const THEIRS = ">>>>>>> DRIVE";

/**
 * Opens the merge of both versions, or both with conflict markers (reference 1.16), in `$EDITOR`, then `$VISUAL`, then `vi`; arguments in the
 * variable work (`code --wait`). `draft` is what an earlier visit left unfinished and is opened in their place. Returns what
 * was saved, or undefined, after saying why, when the editor failed.
 */
export async function editConflict(
  ctx: CommandContext,
  question: ConflictQuestion,
  draft?: Uint8Array,
): Promise<Edited | undefined> {
  const folder = mkdtempSync(join(tmpdir(), "claude_mirror_merge_"));
  try {
    const file = join(folder, `merge${extname(question.path) || ".md"}`);
    writeFileSync(file, draft ?? question.merge?.text ?? markedText(question), { mode: 0o600 });
    const editor = ctx.env["EDITOR"] || ctx.env["VISUAL"] || "vi";
    const code = await runEditor(editor, file);
    if (code !== 0) {
      ctx.note(`The editor "${editor}" ended with code ${code}; nothing was taken over.`);
      return undefined;
    }
    if (!existsSync(file)) {
      ctx.note(`The editor "${editor}" removed the file; nothing was taken over.`);
      return undefined;
    }
    const bytes = readFileSync(file);
    const isFinished = !hasMarkers(bytes.toString());
    if (!isFinished) ctx.note(`Conflict markers are left in ${question.path}; edit again or choose another answer.`);
    return { bytes, isFinished };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** True while a line still is one of the markers. */
export function hasMarkers(text: string): boolean {
  return text.split(/\r?\n/).some((line) => line === OURS || line === THEIRS);
}

/** Both versions between the markers, each right-stripped; the word DRIVE stands for every backend (reference 1.16). */
export function markedText(question: ConflictQuestion): string {
  const text = (bytes: Uint8Array | undefined) =>
    new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes ?? new Uint8Array()).trimEnd();
  return `${OURS}\n${text(question.local)}\n${MIDDLE}\n${text(question.remote)}\n${THEIRS}\n`;
}

function runEditor(editor: string, file: string): Promise<number> {
  const child =
    process.platform === "win32"
      ? spawn(`${editor} "${file}"`, { stdio: "inherit", shell: true })
      : spawn("/bin/sh", ["-c", `${editor} "$1"`, "editor", file], { stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}
