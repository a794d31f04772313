import { expect, test } from "bun:test";
import type { ConflictQuestion } from "../../../src/project/model.ts";
import { conflictKeys, conflictLines } from "../../../src/ui/render/conflict.ts";
import { openTerminal } from "../../../src/ui/terminal.ts";

const { style } = openTerminal({ isTTY: false, columns: 80, write: () => true } as never, {});
const bytes = (text: string) => new TextEncoder().encode(text);
const lines = (count: number, mark: string) => Array.from({ length: count }, (_, at) => `${mark} ${at}\n`).join("");
const QUESTION: ConflictQuestion = {
  path: "a.md",
  kind: "edit/edit",
  local: bytes(`one\n${lines(20, "same")}`),
  remote: bytes(`1\n${lines(20, "same")}`),
  binary: false,
};

test("conflictLines: two texts are shown as what the local one changes, with three lines around", () => {
  const shown = conflictLines(QUESTION, style, 80);
  expect(shown.slice(3, 11)).toEqual([
    "--- remote/a.md",
    "+++ local/a.md",
    "@@ -1,4 +1,4 @@",
    "-1",
    "+one",
    " same 0",
    " same 1",
    " same 2",
  ]);
  expect(shown.at(-2)).toBe("[L] Keep local  [D] Keep remote  [B] Keep both  [E] Open in editor  [S] Skip");
});

test("conflictLines: a clean merge is offered first, another one is not", () => {
  const clean = { ...QUESTION, merge: { kind: "clean", text: "x\n" } } as const;
  expect(conflictLines(clean, style, 80).slice(-3)).toEqual([
    "[M] Take the merge  [L] Keep local  [D] Keep remote  [B] Keep both",
    "[E] Open in editor  [S] Skip",
    "Type a letter and Enter:",
  ]);
  expect(conflictKeys({ ...clean, merge: { kind: "conflict", text: "x\n" } })).not.toContain("m" as never);
});

test("conflictLines: a long difference is cut in both directions, control characters are not sent to the terminal", () => {
  const local = bytes(lines(500, `${"x".repeat(200)}\x1b[2J`));
  const shown = conflictLines({ ...QUESTION, local }, style, 60);
  expect(shown.length).toBeLessThan(70);
  expect(Math.max(...shown.slice(0, -1).map((line) => line.length))).toBeLessThanOrEqual(60);
  expect(shown.join("")).not.toContain("\x1b");
  expect(shown.join("\n")).toContain("more line(s)");
});

test("conflictLines: binary contents, a deleted side and very long texts are shown side by side", () => {
  for (const question of [
    { ...QUESTION, binary: true },
    { ...QUESTION, remote: undefined },
    { ...QUESTION, remote: bytes(lines(9000, "long")) },
  ]) {
    expect(conflictLines(question, style, 80).join("\n")).toContain("┌─ DRIVE ");
  }
});
