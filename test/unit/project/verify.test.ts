import { describe, expect, test } from "bun:test";
import { rmSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BackendError } from "../../../src/backends/errors.ts";
import { blobPath } from "../../../src/backends/layout.ts";
import { aroundVerbs } from "../../../src/backends/wrap/verbs.ts";
import { relPath } from "../../../src/lib/path.ts";
import type { VerifyResult } from "../../../src/project/model.ts";
import { manifestPath } from "../../../src/snapshots/list.ts";
import { faultQueue } from "../../support/fault-queue.ts";
import { type MemoryBackend, memoryBackend } from "../../support/memory-backend.ts";
import { type LabMirror, type ProjectLab, projectLab } from "../../support/project-lab.ts";
import { sha256 } from "../../support/snapshot-lab.ts";

const ALL = { files: true, snapshots: true };
const verify = (lab: ProjectLab) => lab.project().verify(ALL);
const repair = (lab: ProjectLab) => lab.project().verify({ ...ALL, repair: "do" });

function told({ findings }: VerifyResult): string[] {
  return findings.map(({ kind, phase, path }) => `${kind} ${phase} ${path}`);
}

function repairs({ repairs: done = [] }: VerifyResult): string[] {
  return done.map(({ finding, status, from = "" }) => `${status} ${finding.path} ${from}`.trim());
}

async function pushed(options: Parameters<typeof projectLab>[0] = {}): Promise<ProjectLab> {
  const lab = projectLab(options);
  lab.write("a.md", "first a");
  lab.write("b.md", "first b");
  await lab.push();
  lab.write("a.md", "second a, longer");
  await lab.push();
  return lab;
}

/** Other bytes under the same version, as a disk that rots leaves them. */
function rot(lab: ProjectLab, path: string, content: string): void {
  const entry = lab.remote.store.get(relPath(path));
  lab.remote.store.files.set(path, {
    ...(entry as never as object),
    bytes: new TextEncoder().encode(content),
  } as never);
}

function theManifest(lab: ProjectLab): string {
  return Object.keys(lab.remote.store.tree()).find(
    (path) => path.endsWith(".json") && path.includes("snapshots"),
  ) as string;
}

const [FIRST_A, FIRST_B, SECOND_A] = ["first a", "first b", "second a, longer"].map((text) => blobPath(sha256(text)));

describe("verify: live files", () => {
  test("verify: other bytes under the agreed version are damage, under another version somebody's change", async () => {
    const lab = await pushed();
    expect(told(await verify(lab))).toEqual([]);
    rot(lab, "b.md", "fi?st b");
    expect(told(await verify(lab))).toEqual(["corrupted files b.md"]);
    lab.put("b.md", "edited by bert");
    lab.remote.store.delete(relPath("a.md"));
    expect(told(await verify(lab))).toEqual(["drift files a.md", "drift files b.md"]);
  });

  test("verify: a file that was written again with the same bytes is verified", async () => {
    const lab = await pushed();
    lab.put("b.md", "first b");
    const { phases, findings } = await verify(lab);
    expect(findings).toEqual([]);
    expect(phases.find(({ name }) => name === "files")).toMatchObject({ checked: 2, verified: 2 });
  });

  test("verify: one part only where that is asked, and one backend by its name", async () => {
    const lab = await pushed();
    const names = async (request: Parameters<ReturnType<ProjectLab["project"]>["verify"]>[0]) =>
      (await lab.project().verify(request)).phases.map(({ name }) => name);
    expect(await names({ files: true, snapshots: false })).toEqual(["files"]);
    expect(await names({ files: false, snapshots: true, backend: "local" })).toEqual(["manifests", "blobs", "full"]);
    expect(await names({ files: true, snapshots: false, backend: "project" })).toEqual(["files"]);
    await expect(names({ ...ALL, backend: "dropbox" })).rejects.toThrow('no backend "dropbox"');
  });

  test("verify: writes nothing to the remote, and neither does a dry run of a repair", async () => {
    const lab = await pushed();
    lab.remote.store.delete(relPath(SECOND_A as string));
    rot(lab, "b.md", "fi?st b");
    const before = lab.remote.store.log.length;
    await verify(lab);
    const plan = await lab.project().verify({ ...ALL, repair: "plan" });
    expect(repairs(plan)).toEqual([`planned ${SECOND_A} "a.md" in the project`, 'planned b.md "b.md" in the project']);
    expect(plan.left).toHaveLength(2);
    expect(lab.remote.store.log.length).toBe(before);
    expect(lab.trashed()).toEqual([]);
  });
});

describe("verify --repair", () => {
  test("verify --repair: puts missing and damaged contents back, keeps what it replaces, and then has nothing to do", async () => {
    const lab = await pushed();
    const whole = lab.remote.store.tree();
    lab.remote.store.delete(relPath(SECOND_A as string));
    lab.put(FIRST_B as string, "first ?");
    rot(lab, "b.md", "fi?st b");
    const result = await repair(lab);
    expect(repairs(result).sort()).toEqual(
      [
        `repaired ${SECOND_A} "a.md" in the project`,
        `repaired ${FIRST_B} "b.md" in the project`,
        'repaired b.md "b.md" in the project',
      ].sort(),
    );
    expect(result.left).toEqual([]);
    expect(lab.remote.store.tree()).toEqual(whole);
    expect(
      lab
        .trashed()
        .map(({ path, text }) => `${path}: ${text}`)
        .sort(),
    ).toEqual([`${FIRST_B}: first ?`, "b.md: fi?st b"].sort());
    const [log, trash] = [lab.remote.store.log.length, lab.trashed().length];
    expect(repairs(await repair(lab))).toEqual([]);
    expect([lab.remote.store.log.length, lab.trashed().length]).toEqual([log, trash]);
  });

  test("verify --repair: finds old contents in the trash, on the remote under another name, and in edited files", async () => {
    const lab = await pushed();
    lab.remote.store.delete(relPath(FIRST_A as string));
    expect(repairs(await repair(lab))).toEqual([`none ${FIRST_A}`]);
    lab.write("copy.md", "first a");
    expect(repairs(await repair(lab))).toEqual([`repaired ${FIRST_A} "copy.md" in the project`]);
    rmSync(join(lab.root, "copy.md"));
    lab.remote.store.delete(relPath(FIRST_A as string));
    const note = { path: relPath("old.md"), reason: "test" };
    await lab.project().trash.putBytes(new Blob(["first a"]).stream(), note);
    expect(repairs(await repair(lab))).toEqual([`repaired ${FIRST_A} "old.md" in the trash`]);
    lab.remote.store.delete(relPath(FIRST_B as string));
    lab.write("b.md", "edited here");
    expect(repairs(await repair(lab))).toEqual([`repaired ${FIRST_B} "b.md" on local`]);
  });

  test("verify --repair: a live file comes back from its stored content when the local one was edited", async () => {
    const lab = await pushed();
    lab.write("b.md", "edited here");
    rot(lab, "b.md", "fi?st b");
    expect(repairs(await repair(lab))).toEqual([`repaired b.md "${FIRST_B}" on local`]);
    expect([lab.remoteText("b.md"), lab.read("b.md")]).toEqual(["first b", "edited here"]);
    await lab.push();
    expect(lab.remoteText("b.md")).toBe("edited here");
  });

  test("verify --repair: a manifest comes back from what this machine remembers", async () => {
    const lab = await pushed();
    const path = theManifest(lab);
    const whole = lab.remoteText(path);
    lab.put(path, "{ torn");
    expect(repairs(await repair(lab))).toEqual([`repaired ${path} what this machine remembers`]);
    expect(lab.remoteText(path)).toBe(whole as string);
    expect(manifestPath(path.slice(-25, -5))).toBe(relPath(path));
    expect(told(await verify(lab))).toEqual([]);
    rmSync(lab.stateFolder, { recursive: true });
    lab.put(path, "{ torn");
    expect(repairs(await repair(lab))).toEqual([`none ${path}`]);
    expect(lab.remoteText(path)).toBe("{ torn");
  });

  test("verify --repair: what cannot be repaired stays as it is, for what is left of it may be of use", async () => {
    const lab = await pushed();
    lab.put(FIRST_A as string, "first");
    const result = await repair(lab);
    expect(repairs(result)).toEqual([`none ${FIRST_A}`]);
    expect(result.left).toHaveLength(1);
    expect([lab.remoteText(FIRST_A as string), lab.trashed()]).toEqual(["first", []]);
  });

  test("verify --repair: never overwrites what somebody else has put there meanwhile", async () => {
    for (const [content, status] of [
      ["first b", "same"],
      ["other bytes", "failed"],
    ] as const) {
      const lab = await pushed();
      lab.remote.store.delete(relPath(FIRST_B as string));
      const faults = faultQueue(lab.remote);
      faults.before("write", () => lab.put(FIRST_B as string, content), { path: FIRST_B as string });
      const other = projectLab({ remote: lab.remote, wrap: () => faults.backend });
      await other.pull();
      const result = await repair(other);
      expect(result.repairs?.map((one) => one.status)).toEqual([status]);
      expect(lab.remoteText(FIRST_B as string)).toBe(content);
    }
  });

  test("verify --repair: a damaged content that is right again when it is to be kept is left alone", async () => {
    const lab = await pushed();
    rot(lab, FIRST_B as string, "first ?");
    const faults = faultQueue(lab.remote);
    // The third read of it: the first two find the damage.
    for (const act of [() => undefined, () => undefined, () => rot(lab, FIRST_B as string, "first b")]) {
      faults.before("read", act, { path: FIRST_B as string });
    }
    const other = projectLab({ remote: lab.remote, wrap: () => faults.backend });
    await other.pull();
    expect((await repair(other)).repairs?.map(({ status }) => status)).toEqual(["same"]);
    expect(other.trashed()).toEqual([]);
    faults.verify();
  });

  test("verify --repair: what was written is read back", async () => {
    const lab = await pushed();
    lab.remote.store.delete(relPath(FIRST_B as string));
    const wrap: NonNullable<Parameters<typeof projectLab>[0]>["wrap"] = (backend) => ({
      ...backend,
      async write(path, source, options) {
        const written = await backend.write(path, source, options);
        if (path === FIRST_B) rot(lab, path, "first ?");
        return written;
      },
    });
    const other = projectLab({ remote: lab.remote, wrap });
    await other.pull();
    const result = await repair(other);
    expect(result.repairs?.[0]?.error).toContain("comes back damaged");
    expect(result.left).toHaveLength(1);
  });

  test("verify --repair: a local file whose stat hides other bytes is no source", async () => {
    const lab = await pushed();
    const file = join(lab.root, "b.md");
    const time = new Date(2026, 1, 1);
    utimesSync(file, time, time);
    await lab.sync();
    lab.remote.store.delete(relPath(FIRST_B as string));
    lab.remote.store.delete(relPath("b.md"));
    writeFileSync(file, "fi?st b");
    utimesSync(file, time, time);
    expect(repairs(await repair(lab))).toEqual([`none ${FIRST_B}`]);
  });
});

describe("verify: mirrors", () => {
  async function withMirror(wrap?: LabMirror["wrap"]): Promise<ProjectLab & { readonly mirror: MemoryBackend }> {
    const mirror = memoryBackend();
    const lab = await pushed({ mirrors: [{ name: "second", remote: mirror, ...(wrap && { wrap }) }] });
    return { ...lab, mirror };
  }

  test("verify: every remote is checked, and each heals the other", async () => {
    const lab = await withMirror();
    const { phases, findings } = await verify(lab);
    expect(findings).toEqual([]);
    expect(new Set(phases.map(({ place }) => place))).toEqual(new Set(["primary", "second"]));
    const whole = [lab.remote.store.tree(), lab.mirror.store.tree()];
    lab.remote.store.delete(relPath(FIRST_A as string));
    lab.mirror.store.delete(relPath(FIRST_B as string));
    lab.mirror.store.delete(relPath("b.md"));
    lab.mirror.store.put(relPath(SECOND_A as string), "damaged");
    lab.write("b.md", "edited here");
    lab.write("a.md", "edited, too");
    const result = await repair(lab);
    expect(result.left).toEqual([]);
    expect(repairs(result)).toContain(`repaired ${FIRST_A} "${FIRST_A}" on second`);
    expect([lab.remote.store.tree(), lab.mirror.store.tree()]).toEqual(whole);
    const manifest = theManifest(lab);
    lab.put(manifest, "torn");
    rmSync(lab.stateFolder, { recursive: true });
    expect(repairs(await repair(lab))).toEqual([`repaired ${manifest} second`]);
    expect(lab.remote.store.tree()).toEqual(whole[0] as never);
  });

  test("verify --repair: what only a manifest that was unreadable names is looked for once that is back", async () => {
    const lab = await withMirror();
    const whole = lab.remote.store.tree();
    const manifests = Object.keys(whole).filter((path) => path.endsWith(".json") && path.includes("snapshots"));
    for (const manifest of manifests) lab.put(manifest, "torn");
    lab.remote.store.delete(relPath(FIRST_A as string));
    rmSync(lab.stateFolder, { recursive: true });
    const result = await repair(lab);
    expect(repairs(result)).toEqual([
      ...manifests.sort().map((manifest) => `repaired ${manifest} second`),
      `repaired ${FIRST_A} "${FIRST_A}" on second`,
    ]);
    expect(told(result)).toContain(`missing blobs ${FIRST_A}`);
    expect(result.left).toEqual([]);
    expect(lab.remote.store.tree()).toEqual(whole);
    expect(result.phases.find(({ place, name }) => place === "primary" && name === "blobs")?.missing).toBe(1);
  });

  test("verify: a mirror that is signed out, gone or breaks off is told and keeps the primary from nothing", async () => {
    for (const kind of ["AUTH", "TRANSIENT"] as const) {
      let broken = false;
      const lab = await withMirror((backend) =>
        aroundVerbs(backend, async (_, act) => {
          if (broken) throw new BackendError("cannot use the mirror: it is away", { class: kind });
          return act();
        }),
      );
      broken = true;
      lab.remote.store.delete(relPath(FIRST_B as string));
      const result = await repair(lab);
      expect(told(result)).toEqual([`missing blobs ${FIRST_B}`, "failed files "]);
      expect(repairs(result)).toEqual([`repaired ${FIRST_B} "b.md" in the project`]);
    }
  });
});
