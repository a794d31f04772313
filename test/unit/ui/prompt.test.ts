import { expect, test } from "bun:test";
import { type PromptFormat, promptText } from "../../../src/ui/render/prompt.ts";

const CLEAN = { local_ahead: 0, remote_ahead: 0, conflicts: 0, no_manifest: false, error: null };
const ALL = { ...CLEAN, local_ahead: 3, remote_ahead: 2, conflicts: 1 };

function text(
  state: typeof CLEAN | (Omit<typeof CLEAN, "error"> & { error: string }),
  format: PromptFormat,
  quiet = false,
): string {
  return promptText(state, { format, prefix: "[", suffix: "]", quietWhenClean: quiet });
}

test("promptText: each format has its words", () => {
  const formats = ["symbols", "ascii", "text"] as const;
  expect(formats.map((format) => text(ALL, format))).toEqual([
    "[↑3 ↓2 ✗1]",
    "[+3 -2 x1]",
    "[3 local ahead, 2 remote ahead, 1 conflict]",
  ]);
  expect(formats.map((format) => text(CLEAN, format))).toEqual(["[✓]", "[=]", "[in sync]"]);
  expect(formats.map((format) => text({ ...CLEAN, no_manifest: true, local_ahead: 1 }, format))).toEqual([
    "[↑1 ∅]",
    "[+1 new]",
    "[1 local ahead, never synced]",
  ]);
  expect(formats.map((format) => text({ ...CLEAN, error: "no access" }, format))).toEqual(["[?]", "[?]", "[unknown]"]);
});

test("promptText: where all is in sync --quiet-when-clean leaves prefix and suffix out, too; json is never left out", () => {
  expect(text(CLEAN, "symbols", true)).toBe("");
  expect(text(ALL, "symbols", true)).toBe("[↑3 ↓2 ✗1]");
  expect(JSON.parse(text(CLEAN, "json", true))).toEqual(CLEAN);
});
