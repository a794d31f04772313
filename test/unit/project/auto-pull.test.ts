import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { relPath } from "../../../src/lib/path.ts";
import { autoPull } from "../../../src/project/auto-pull.ts";
import { type ProjectLab, projectLab } from "../../support/project-lab.ts";

const signal = new AbortController().signal;
const pull = (lab: ProjectLab) => autoPull(async () => lab.project(), signal);

test("autoPull: fetches what is safe, leaves conflicts, and says both in one line; nothing new is no line", async () => {
  const lab = projectLab();
  lab.write("a.md", "one");
  lab.write("b.md", "one");
  await lab.push();
  expect(await pull(lab)).toBeUndefined();
  lab.put("a.md", "theirs");
  lab.put("b.md", "theirs");
  lab.write("b.md", "mine");
  expect(await pull(lab)).toBe("auto_pull: 1 file(s) fetched; 1 conflict(s) are left: claude-mirror sync");
  expect([lab.read("a.md"), lab.read("b.md")]).toEqual(["theirs", "mine"]);
});

test("autoPull: never goes past a guard, and what fails is the line", async () => {
  const lab = projectLab();
  for (let n = 0; n < 60; n++) lab.write(`${n}.md`, `${n}`);
  await lab.push();
  for (let n = 0; n < 59; n++) lab.remote.store.delete(relPath(`${n}.md`));
  expect(await pull(lab)).toStartWith("auto_pull: nothing was fetched: ");
  expect(lab.read("0.md")).toBe("0");
  rmSync(join(lab.root), { recursive: true });
  expect(await pull(lab)).toContain("it is missing or unreadable");
});

test("autoPull: Ctrl-C is no line", async () => {
  const stop = new AbortController();
  const failing = autoPull(async () => {
    stop.abort(new Error("interrupted"));
    throw new Error("lost");
  }, stop.signal);
  expect(failing).rejects.toThrow("interrupted");
});
