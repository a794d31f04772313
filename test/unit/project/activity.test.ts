import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { BackendError } from "../../../src/backends/errors.ts";
import { SYNC_LOG_PATH } from "../../../src/backends/layout.ts";
import type { Backend } from "../../../src/backends/types.ts";
import { textAt } from "../../support/bodies.ts";
import { projectLab } from "../../support/project-lab.ts";

test("reportRun: the log is edited in one step once it was seen, and after a failure it is looked for first", async () => {
  let edits = 0;
  let broken = false;
  const wrap = (backend: Backend): Backend => ({
    ...backend,
    edit: async (path, change) => {
      edits++;
      if (broken) throw new BackendError("no lock", { class: "FILE_REJECTED" });
      const opened = await backend.read(path);
      const source = await change(opened);
      if (source) await backend.write(path, source, { expect: opened.file.rev });
    },
  });
  const lab = projectLab({ wrap });
  const found: (readonly [edits: number, notices: number])[] = [];
  for (const isBroken of [false, false, true, true, false]) {
    broken = isBroken;
    writeFileSync(join(lab.root, "a.md"), `round ${found.length}`);
    const { notices } = await lab.push();
    found.push([edits, notices.length]);
  }
  expect(found).toEqual([
    [0, 0],
    [1, 0],
    [2, 1],
    [2, 0],
    [3, 0],
  ]);
  expect(JSON.parse(await textAt(lab.remote, SYNC_LOG_PATH)).events).toHaveLength(4);
});

test("reportRun: what the log could not be told while the network was away is told by the next run, once", async () => {
  let away = false;
  const wrap = (backend: Backend): Backend => ({
    ...backend,
    write: (path, source, options) =>
      away && path === SYNC_LOG_PATH
        ? Promise.reject(new BackendError("no network", { class: "TRANSIENT" }))
        : backend.write(path, source, options),
  });
  const lab = projectLab({ wrap });
  writeFileSync(join(lab.root, "a.md"), "a");
  away = true;
  const first = await lab.push();
  expect(first.notices).toEqual(["cannot add to the sync log: no network; the next run tries again"]);
  expect(first.uploaded).toEqual(["a.md"]);
  expect((await lab.push()).notices).toHaveLength(1);
  away = false;
  writeFileSync(join(lab.root, "b.md"), "b");
  expect((await lab.push()).notices).toEqual([]);
  await lab.push();
  const { events } = JSON.parse(await textAt(lab.remote, SYNC_LOG_PATH));
  expect(events.map(({ files }: { readonly files: readonly string[] }) => files)).toEqual([["a.md"], ["b.md"]]);
  const snapshots = [...lab.remote.store.files.keys()].filter((path) => path.startsWith("_claude_mirror_snapshots/"));
  expect(snapshots).toHaveLength(2);
});
