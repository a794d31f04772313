import { beforeEach, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { ListOptions } from "../../../src/backends/types.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { relPath } from "../../../src/lib/path.ts";
import { withVerbs } from "../../support/executor-lab.ts";
import { type ProjectLab, projectLab } from "../../support/project-lab.ts";

const FOLDERS = ["docs", "docs/old", "notes"].map(
  (folder) => folder as Parameters<NonNullable<ListOptions["descend"]>>[0],
);

let lab: ProjectLab;
/** For each listing of the whole remote which of the folders it went into. */
let walks: string[][];

beforeEach(async () => {
  walks = [];
  // What was written in the moment before a run is read again by the next one.
  const clock = { ...systemClock, now: () => Date.now() + 60_000 };
  lab = projectLab({
    clock,
    wrap: (backend) =>
      withVerbs(backend, {
        list: (under, options) => {
          const { descend } = options ?? {};
          if (under === "" && !options?.shallow) walks.push(FOLDERS.filter((folder) => descend?.(folder) ?? true));
          return backend.list(under, options);
        },
      }),
  });
  for (const name of ["docs/a.md", "docs/old/b.md", "docs/old/c.md", "notes/d.md", "notes/e.md", "notes/f.md"]) {
    lab.write(name, `${name}\n`);
  }
  await lab.push();
  walks.length = 0;
});

test("push: goes only into remote folders where something has changed here, and counts the rest as agreed on", async () => {
  lab.write("docs/a.md", "edited\n");
  lab.write("new/g.md", "new\n");
  const result = await lab.push();
  expect(walks).toEqual([["docs"]]);
  expect([result.uploaded, result.inSync]).toEqual([["docs/a.md", "new/g.md"], 5]);
  expect([lab.remoteText("docs/a.md"), lab.remoteText("new/g.md")]).toEqual(["edited\n", "new\n"]);
});

test("push: what another machine has changed elsewhere is left to status, pull and sync", async () => {
  lab.put("notes/d.md", "theirs\n");
  lab.write("docs/a.md", "mine\n");
  expect((await lab.push()).uploaded).toEqual(["docs/a.md"]);
  expect(lab.remoteText("notes/d.md")).toBe("theirs\n");
  expect((await lab.pull()).downloaded).toEqual(["notes/d.md"]);
});

test("push: what another machine has changed in the same folder is a conflict as ever", async () => {
  lab.put("notes/d.md", "theirs\n");
  lab.write("notes/d.md", "mine\n");
  const result = await lab.push();
  expect(result.conflicts.map(({ path }) => path)).toEqual(["notes/d.md"]);
  expect(lab.remoteText("notes/d.md")).toBe("theirs\n");
});

test("push: before anything is deleted on the remote all of it is looked at", async () => {
  rmSync(join(lab.root, "docs/old/b.md"));
  expect((await lab.push()).deletedRemote).toEqual(["docs/old/b.md"]);
  expect(walks).toEqual([["docs", "docs/old"], FOLDERS as string[]]);
});

test("push: a remote that has lost what was agreed on refuses, as soon as it meets with that", async () => {
  for (const { path } of (await lab.remote.list("")).files) await lab.remote.remove(path, { expect: "any" });
  lab.write("docs/a.md", "edited\n");
  lab.write("new/g.md", "new\n");
  await expect(lab.push()).rejects.toThrow("--allow remote-gone");
  lab.write("docs/a.md", "docs/a.md\n");
  lab.write("new/g.md", "new\n");
  for (const folder of ["docs", "notes"]) await lab.remote.removeFolder?.(relPath(folder));
  await expect(lab.push()).rejects.toThrow("--allow remote-gone");
});

test("status, pull, sync: look everywhere", async () => {
  await lab.project().status();
  await lab.pull();
  await lab.sync();
  expect(walks).toEqual([FOLDERS, FOLDERS, FOLDERS] as string[][]);
});
