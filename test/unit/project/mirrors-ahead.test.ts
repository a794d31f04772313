import { expect, test } from "bun:test";
import { BackendError } from "../../../src/backends/errors.ts";
import { relPath } from "../../../src/lib/path.ts";
import { faultQueue } from "../../support/fault-queue.ts";
import { memoryBackend } from "../../support/memory-backend.ts";
import { down, outcome, remoteRecord, textOn } from "../../support/mirror-lab.ts";
import { projectLab } from "../../support/project-lab.ts";

const COUNT = 300;
const LAST = "z-last.md";

/** A project with many files whose primary waits before it takes the last one. */
function labWithSlowPrimary() {
  const mirror = memoryBackend();
  const onMirror = faultQueue(mirror);
  const primary = memoryBackend();
  const onPrimary = faultQueue(primary);
  const lab = projectLab({
    remote: primary,
    wrap: () => onPrimary.backend,
    mirrors: [{ name: "dropbox", remote: mirror, wrap: () => onMirror.backend }],
  });
  for (let n = 0; n < COUNT; n++) lab.write(`notes/${n}.md`, `note ${n}`);
  lab.write(LAST, "the last");
  return { lab, mirror, onMirror, onPrimary, held: onPrimary.hold("write", { path: LAST }) };
}

function liveFiles(mirror: ReturnType<typeof memoryBackend>): number {
  return Array.from({ length: COUNT }, (_, n) => relPath(`notes/${n}.md`)).filter((path) => mirror.store.get(path))
    .length;
}

async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
}

test("push: mirrors are sent files while the primary is still being sent others, and each file once", async () => {
  const { lab, mirror, onMirror, held } = labWithSlowPrimary();
  const push = lab.push();
  await held.arrived;
  await until(() => liveFiles(mirror) >= 128);
  expect(textOn(mirror, LAST)).toBeUndefined();
  held.release();
  const told = outcome(await push);
  expect(told).toMatchObject({ state: "ok", pending: 0 });
  expect(told.uploaded.length).toBe(COUNT + 1);
  expect(textOn(mirror, LAST)).toBe("the last");
  expect(remoteRecord(lab, "notes/7.md")).toMatchObject({ state: "ok", attempts: 0 });
  const writes = onMirror.history.filter((call) => call.startsWith("write notes/"));
  expect(new Set(writes).size).toBe(writes.length);
  const before = onMirror.history.length;
  await lab.push();
  expect(onMirror.history.length).toBe(before);
});

test("push: a mirror that fails meanwhile costs the primary nothing, and what it lacks waits in its queue", async () => {
  const { lab, mirror, onMirror, held } = labWithSlowPrimary();
  onMirror.fail("write", down(), { path: "notes/0.md", times: 2 });
  const push = lab.push();
  await held.arrived;
  await until(() => onMirror.history.includes("write notes/0.md"));
  held.release();
  const first = await push;
  expect(outcome(first)).toMatchObject({ state: "pending", pending: 1 });
  expect(outcome(await lab.push())).toMatchObject({ state: "ok", uploaded: ["notes/0.md"] });
  expect(textOn(mirror, "notes/0.md")).toBe("note 0");
});

test("push: a file that the primary refuses reaches no mirror", async () => {
  const { lab, mirror, onPrimary, held } = labWithSlowPrimary();
  onPrimary.fail("write", new BackendError("name not allowed", { class: "FILE_REJECTED" }), { path: "notes/9.md" });
  const push = lab.push();
  await held.arrived;
  await until(() => liveFiles(mirror) >= 128);
  held.release();
  expect(outcome(await push)).toMatchObject({ pending: 0 });
  expect(textOn(mirror, "notes/9.md")).toBeUndefined();
});

test("push: a mirror whose folder was emptied gets nothing meanwhile that makes it pass for whole", async () => {
  const { lab, mirror, held } = labWithSlowPrimary();
  held.release();
  await lab.push();
  for (const path of Object.keys(mirror.store.tree())) mirror.store.delete(relPath(path));
  for (let n = 0; n < COUNT; n++) lab.write(`more/${n}.md`, `more ${n}`);
  const told = outcome(await lab.push());
  expect(told.state).toBe("pending");
  expect(told.failed[0]?.error?.message).toContain("holds none of the");
  expect(Object.keys(mirror.store.tree()).filter((path) => path.startsWith("more/"))).toEqual([]);
});
