import { expect, test } from "bun:test";
import { join } from "node:path";
import { BackendError } from "../../../src/backends/errors.ts";
import { relPath } from "../../../src/lib/path.ts";
import { faultQueue } from "../../support/fault-queue.ts";
import { type MemoryBackend, memoryBackend } from "../../support/memory-backend.ts";
import { mirrorLab, textOn } from "../../support/mirror-lab.ts";
import { type ProjectLab, projectLab } from "../../support/project-lab.ts";

const gone = (lab: ProjectLab) => {
  for (const path of [...lab.remote.store.files.keys()]) {
    if (path.startsWith("_claude_mirror_snapshots/")) lab.remote.store.files.delete(path);
  }
};

async function pushed(lab: ProjectLab): Promise<string> {
  lab.write("a.md", "one");
  const { snapshot } = await lab.push();
  return snapshot?.timestamp as string;
}

test("restore: a snapshot that only a mirror has is taken from there, with a word about it", async () => {
  const lab = mirrorLab();
  const timestamp = await pushed(lab);
  gone(lab);
  const output = join(lab.home, "out");
  const choice = await lab
    .project()
    .planRestore({ timestamp, patterns: [], output }, { consent: () => Promise.reject(new Error("not asked")) });
  expect(choice.backend).toBe("dropbox");
  expect(choice.warning).toContain("Taken from the mirror dropbox: the primary (primary) does not have it");
  expect((await choice.run()).items).toMatchObject([{ path: "a.md", status: "restored" }]);
  expect(lab.read("../out/a.md")).toBe("one");
});

test("restore: a primary that cannot be asked is not one that lacks it: every mirror needs a yes", async () => {
  const faults = faultQueue(memoryBackend());
  const mirror = memoryBackend();
  const lab = projectLab({ wrap: () => faults.backend, mirrors: [{ name: "dropbox", remote: mirror }] });
  const timestamp = await pushed(lab);
  const down = new BackendError("the server is down", { class: "TRANSIENT" });
  const ask = (answer: boolean) => {
    for (const verb of ["read", "stat", "list"] as const) faults.fail(verb, down, { times: 3 });
    return lab.project().planRestore({ timestamp, patterns: [] }, { consent: async () => answer });
  };
  expect(await ask(false).catch((error: Error) => error.message)).toBe("the server is down");
  const choice = await ask(true);
  expect(choice.warning).toContain("cannot be asked: the server is down");
});

test("restore: a remote folder that is missing has not lost the snapshot", async () => {
  const lab = mirrorLab();
  const timestamp = await pushed(lab);
  lab.remote.store.files.clear();
  lab.remote.store.folders.clear();
  lab.remote.store.present = false;
  const asked: string[] = [];
  const consent = async (mirror: string) => {
    asked.push(mirror);
    return true;
  };
  const choice = await lab.project().planRestore({ timestamp, patterns: [] }, { consent });
  expect([choice.backend, asked]).toEqual(["dropbox", ["dropbox"]]);
});

test("restore --backend: only the one that is named is asked", async () => {
  const lab = mirrorLab();
  const timestamp = await pushed(lab);
  for (const path of [...lab.mirror.store.files.keys()]) lab.mirror.store.files.delete(path);
  const request = { timestamp, patterns: [] };
  await expect(lab.project().planRestore(request, { backend: "dropbox" })).rejects.toThrow(
    "there is none of that name",
  );
  await expect(lab.project().planRestore(request, { backend: "nowhere" })).rejects.toThrow('no backend "nowhere"');
  expect((await lab.project().planRestore(request, { backend: "primary" })).backend).toBe("primary");
});

test("restore: a pattern that matches nothing is no reason to ask mirrors", async () => {
  const lab = mirrorLab();
  const timestamp = await pushed(lab);
  const before = lab.faults.history.length;
  await expect(lab.project().planRestore({ timestamp, patterns: ["nope.md"] })).rejects.toThrow("nothing in snapshot");
  expect(lab.faults.history.length).toBe(before);
});

test("restore: snapshots of mirrors that versions before 0.5.34 put under the primary's root are found", async () => {
  const lab = mirrorLab({ config: { driveFolderId: "1BxiMVs0" } });
  const timestamp = await pushed(lab);
  gone(lab);
  moveBelow(lab.mirror, "1BxiMVs0");
  const choice = await lab.project().planRestore({ timestamp, patterns: [], output: join(lab.home, "out") });
  expect(choice.backend).toContain("1BxiMVs0");
  expect((await choice.run()).items).toMatchObject([{ path: "a.md", status: "restored" }]);
  expect((await lab.project().inspect(timestamp, [])).warning).toContain("1BxiMVs0");
});

function moveBelow({ store }: MemoryBackend, folder: string): void {
  for (const [path, entry] of [...store.files]) {
    store.files.delete(path);
    store.put(relPath(`${folder}/${path}`), entry.bytes);
  }
}

test("gc and forget --backend: work on that backend alone", async () => {
  const lab = mirrorLab();
  const timestamp = await pushed(lab);
  const on = lab.project().on("dropbox");
  const plan = await on.planForget({ kind: "timestamps", timestamps: [timestamp] });
  expect(await on.forget(plan)).toMatchObject([{ timestamp, status: "forgotten" }]);
  expect((await lab.project().on("dropbox").snapshots()).length).toBe(0);
  expect((await lab.project().on(undefined).snapshots()).length).toBe(1);
  expect(textOn(lab.mirror, "a.md")).toBe("one");
});

test("push: auto_prune keeps to its rules on mirrors, too, and a mirror that is down is a notice", async () => {
  const lab = mirrorLab({ config: { autoPrune: true, keepLast: 1 } });
  await pushed(lab);
  lab.write("a.md", "two");
  await lab.push();
  expect((await lab.project().on("dropbox").snapshots()).length).toBe(1);
  lab.write("a.md", "three");
  lab.faults.fail("list", new BackendError("the server is down", { class: "TRANSIENT" }));
  expect((await lab.push()).notices.join()).toContain("no snapshot was deleted on dropbox: the server is down");
});
