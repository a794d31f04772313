import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { relPath } from "../../../src/lib/path.ts";
import { metaPath } from "../../../src/snapshots/full-folder.ts";
import { memoryBackend } from "../../support/memory-backend.ts";
import { type ProjectLab, projectLab } from "../../support/project-lab.ts";

const FULL = { config: { snapshotFormat: "full" } } as const;

async function restored(lab: ProjectLab, timestamp: string): Promise<Record<string, string>> {
  const output = join(lab.home, "out", timestamp);
  const project = lab.project();
  const { items } = await project.restore(await project.planRestore({ timestamp, patterns: [], output }));
  return Object.fromEntries(items.map(({ path }) => [path, lab.read(join("..", "out", timestamp, path)) ?? ""]));
}

describe("a project with snapshot_format full", () => {
  test("push: every run that changes something makes a full snapshot of the agreed state", async () => {
    const lab = projectLab(FULL);
    lab.write("a.md", "one\n");
    lab.write("sub/b.md", "two\n");
    const { snapshot } = await lab.push();
    expect(snapshot?.format).toBe("full");
    lab.write("a.md", "newer\n");
    lab.write("left.md", "not pushed\n");
    const second = await lab.push(["a.md"]);
    expect(await restored(lab, snapshot?.timestamp ?? "")).toEqual({ "a.md": "one\n", "sub/b.md": "two\n" });
    expect(await restored(lab, second.snapshot?.timestamp ?? "")).toEqual({ "a.md": "newer\n", "sub/b.md": "two\n" });
    expect((await lab.push()).snapshot).not.toBeNull();
    expect((await lab.push()).snapshot).toBeNull();
  });

  test("pull: makes none", async () => {
    const lab = projectLab(FULL);
    lab.put("a.md", "one\n");
    expect((await lab.pull()).snapshot).toBeNull();
  });

  test("push: where the remote cannot copy, the bodies are sent from here, or fetched when they have moved on here", async () => {
    const lab = projectLab({ ...FULL, remote: memoryBackend({ copy: false }) });
    lab.write("a.md", "one\n");
    lab.write("b.md", "two\n");
    await lab.push();
    lab.write("a.md", "edited, not pushed\n");
    lab.write("b.md", "newer\n");
    const { snapshot } = await lab.push(["b.md"]);
    expect(await restored(lab, snapshot?.timestamp ?? "")).toEqual({ "a.md": "one\n", "b.md": "newer\n" });
  });

  test("push: what somebody else has replaced on the remote meanwhile is in the snapshot as it was agreed on", async () => {
    const lab = projectLab(FULL);
    lab.write("a.md", "one\n");
    await lab.push();
    lab.put("a.md", "theirs\n");
    lab.write("b.md", "two\n");
    const { snapshot } = await lab.push(["b.md"]);
    expect(await restored(lab, snapshot?.timestamp ?? "")).toEqual({ "a.md": "one\n", "b.md": "two\n" });
  });

  test("push: an agreed version that is nowhere any more is named, and the snapshot holds the rest", async () => {
    const lab = projectLab(FULL);
    lab.write("a.md", "one\n");
    await lab.push();
    lab.put("a.md", "theirs\n");
    lab.write("a.md", "mine\n");
    lab.write("b.md", "two\n");
    const { snapshot, notices } = await lab.push(["b.md"]);
    expect(notices.join()).toContain('The snapshot lacks "a.md"');
    expect(await restored(lab, snapshot?.timestamp ?? "")).toEqual({ "b.md": "two\n" });
  });

  test("push: a delete of bytes that no snapshot holds makes one first, one of held bytes does not", async () => {
    const lab = projectLab(FULL);
    lab.write("a.md", "one\n");
    lab.write("b.md", "two\n");
    lab.write("c.md", "three\n");
    const first = await lab.push();
    rmSync(join(lab.root, "a.md"));
    await lab.push();
    expect(lab.trashed()).toEqual([]);
    expect((await lab.project().snapshots()).length).toBe(2);
    for (const { timestamp } of await lab.project().snapshots()) lab.remote.store.delete(metaPath(timestamp));
    rmSync(join(lab.stateFolder, "snapshots/manifests"), { recursive: true });
    rmSync(join(lab.root, "b.md"));
    await lab.push();
    const whole = (await lab.project().snapshots()).filter(({ problem }) => problem === undefined);
    expect(whole.length).toBe(2);
    expect(await restored(lab, whole[1]?.timestamp ?? "")).toEqual({ "b.md": "two\n", "c.md": "three\n" });
    expect(first.snapshot?.timestamp).not.toBe(whole[1]?.timestamp);
  });

  test("push: a root file with the marker's name is left out, and that is told", async () => {
    const lab = projectLab(FULL);
    lab.write("_snapshot_meta.json", "mine\n");
    lab.write("a.md", "one\n");
    const { snapshot, notices } = await lab.push();
    expect(notices.join()).toContain('The snapshot lacks "_snapshot_meta.json"');
    expect(await restored(lab, snapshot?.timestamp ?? "")).toEqual({ "a.md": "one\n" });
    expect(lab.remoteText(relPath("_snapshot_meta.json"))).toBe("mine\n");
  });
});
