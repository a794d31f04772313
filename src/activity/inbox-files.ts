import { statSync } from "node:fs";

// Part of the entry chunk: `inbox --hook` runs before every tool call of every conversation.

/** In the project folder: one notice a line, shared with the Python tool (reference 1.5). */
export const INBOX_FILE = ".claude_mirror_inbox.jsonl";

/** Next to it: notices that a reader has taken and not yet delivered. What it holds is delivered first next time. */
export const READING_FILE = ".claude_mirror_inbox.jsonl.reading";

/** Whether a notice waits in the project folder `folder`. */
export function hasNotices(folder: string): boolean {
  return sizeOf(`${folder}/${INBOX_FILE}`) > 0 || sizeOf(`${folder}/${READING_FILE}`) > 0;
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
