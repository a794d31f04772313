import { expect, test } from "bun:test";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { askConflict } from "../../../src/cli/conflict-prompt.ts";
import type { CommandContext } from "../../../src/cli/context.ts";
import { editConflict, markedText } from "../../../src/cli/editor.ts";
import type { ConflictQuestion } from "../../../src/project/model.ts";
import { tempFolder } from "../../support/temp.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const QUESTION: ConflictQuestion = {
  path: "a.md",
  kind: "edit/edit",
  local: bytes("mine\n"),
  remote: bytes("theirs\n"),
  binary: false,
};

test("askConflict: a merge that still holds markers is opened again as it was left", async () => {
  const { ctx, script, notes, seen } = editor();
  // The first visit adds a line, the second takes the markers away.
  script(
    `cp "$1" "${seen}"; if grep -q "half done" "$1"; then printf 'done\\n' > "$1"; else echo "half done" >> "$1"; fi`,
  );
  expect(await askConflict(ctx, QUESTION)).toEqual({ kind: "content", bytes: Buffer.from("done\n") });
  expect(readFileSync(seen, "utf8")).toBe(`${markedText(QUESTION)}half done\n`);
  expect(notes.join()).toContain("a.md");
});

test("editConflict: where the agreed version is known, both edits come with it in one text", async () => {
  const { ctx, script, seen } = editor();
  script(`cp "$1" "${seen}"; printf 'done\\n' > "$1"`);
  const text = "top\n<<<<<<< LOCAL\nmine\n||||||| BASE\nold\n=======\ntheirs\n>>>>>>> DRIVE\n";
  await editConflict(ctx, { ...QUESTION, merge: { kind: "conflict", text } });
  expect(readFileSync(seen, "utf8")).toBe(text);
});

test("askConflict: M answers with the merge as it was shown", async () => {
  const { ctx } = editor();
  const merge = { kind: "clean", text: "\ufeffmerged" } as const;
  const asking = { ...ctx, ask: { key: async () => "m" } } as unknown as CommandContext;
  expect(await askConflict(asking, { ...QUESTION, merge })).toEqual({ kind: "content", bytes: bytes("\ufeffmerged") });
});

test("editConflict: an editor that removes the file, or cannot be run, is told and takes nothing over", async () => {
  const { ctx, script, notes } = editor();
  script(`rm "$1"`);
  expect(await editConflict(ctx, QUESTION)).toBeUndefined();
  script("exit 3");
  expect(await editConflict(ctx, QUESTION)).toBeUndefined();
  expect(notes).toHaveLength(2);
});

test("markedText: a byte order mark stays", () => {
  expect(markedText({ ...QUESTION, local: bytes("\ufeffmine\n") })).toContain("\ufeffmine");
});

function editor() {
  const folder = tempFolder("editor");
  const file = join(folder, "editor.sh");
  const notes: string[] = [];
  const style = new Proxy({}, { get: () => (text: string) => text });
  const ctx = {
    env: { EDITOR: file },
    note: (line: string) => void notes.push(line),
    ask: { key: async () => "e" },
    err: { style, columns: 80 },
  } as unknown as CommandContext;
  return {
    ctx,
    notes,
    seen: join(folder, "seen"),
    script(body: string) {
      writeFileSync(file, `#!/bin/sh\n${body}\n`);
      chmodSync(file, 0o755);
    },
  };
}
