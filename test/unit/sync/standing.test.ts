import { expect, test } from "bun:test";
import {
  copyFileSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { type Clock, systemClock } from "../../../src/lib/clock.ts";
import { syncFiles } from "../../../src/sync/files.ts";
import { type LocalStanding, localStanding } from "../../../src/sync/standing.ts";
import { type ProjectLab, projectLab } from "../../support/project-lab.ts";
import { tempFolder } from "../../support/temp.ts";

const RULES = { filePatterns: ["**/*"], excludePatterns: ["**/*.tmp"] };
/** Far enough ahead that folders count as settled. */
const LATER: Clock = { ...systemClock, now: () => systemClock.now() + 60_000 };

type Standing = Omit<LocalStanding, "ahead"> & { readonly ahead: readonly string[] };

async function standing(lab: ProjectLab, { rules = RULES, clock = LATER } = {}): Promise<Standing> {
  return localStanding({ files: syncFiles(lab.root, lab.stateFolder), rules, clock });
}

async function pushed(files: Readonly<Record<string, string>>): Promise<ProjectLab> {
  const lab = projectLab({ config: { excludePatterns: RULES.excludePatterns } });
  for (const [path, text] of Object.entries(files)) lab.write(path, text);
  await lab.push();
  await nextTick(lab);
  return lab;
}

/** The file system stamps what is written from now on differently from what is there. */
async function nextTick({ root }: ProjectLab): Promise<void> {
  const probe = join(tempFolder("tick"), "probe");
  const before = statSync(root).mtimeMs;
  const start = Math.max(before, systemClock.now());
  do {
    writeFileSync(probe, "");
    await systemClock.sleep(1);
  } while (statSync(probe).mtimeMs <= start);
}

const walked = (lab: ProjectLab) => join(lab.stateFolder, "walked.json");

test("localStanding: a project that was never synced is not known", async () => {
  const lab = projectLab();
  lab.write("a.md", "a");
  expect(await standing(lab)).toEqual({ inSync: 0, ahead: ["a.md"], isKnown: false });
  expect(existsSync(walked(lab))).toBe(false);
});

test("localStanding: the prompt of the Python tool still shows ✓ for an edited file; here the next call sees every change", async () => {
  const lab = await pushed({ "a.md": "one", "b/c.md": "two", "b/d.md": "three" });
  expect(await standing(lab)).toEqual({ inSync: 3, ahead: [], isKnown: true });
  expect(existsSync(walked(lab))).toBe(true);
  lab.write("a.md", "ONE");
  expect((await standing(lab)).ahead).toEqual(["a.md"]);
  lab.write("a.md", "one");
  lab.write("b/new.md", "new");
  lab.write("b/left out.tmp", "no");
  rmSync(join(lab.root, "b/d.md"));
  expect(await standing(lab)).toEqual({ inSync: 2, ahead: ["b/d.md", "b/new.md"], isKnown: true });
});

test("localStanding: a touched file, and one of the same size, are told apart by reading", async () => {
  const lab = await pushed({ "a.md": "one", "b.md": "two" });
  await standing(lab);
  utimesSync(join(lab.root, "a.md"), 1, 1);
  expect(await standing(lab)).toEqual({ inSync: 2, ahead: [], isKnown: true });
  const { atime, mtime } = statSync(join(lab.root, "b.md"));
  lab.write("b.md", "TWO");
  utimesSync(join(lab.root, "b.md"), atime, mtime);
  expect((await standing(lab)).ahead).toEqual(["b.md"]);
});

test("localStanding: looks only at known files while no folder has changed, and never beyond ten minutes", async () => {
  const lab = await pushed({ "a.md": "one", "b/c.md": "two" });
  await standing(lab);
  const kept = readFileSync(walked(lab), "utf8");
  writeFileSync(walked(lab), kept.replace('"added":[]', '"added":["told by the note"]'));
  expect((await standing(lab)).ahead).toEqual(["told by the note"]);
  const muchLater = { ...systemClock, now: () => systemClock.now() + 60_000 + 11 * 60_000 };
  expect((await standing(lab, { clock: muchLater })).ahead).toEqual([]);
});

test("localStanding: a folder that was changed just now is read again every time, and only that one", async () => {
  const lab = await pushed({ "a.md": "one", "b/c.md": "two", "b/d.md": "three" });
  await standing(lab, { clock: systemClock });
  writeFileSync(join(lab.root, "b/new.md"), "new");
  rmSync(join(lab.root, "b/d.md"));
  expect((await standing(lab, { clock: systemClock })).ahead).toEqual(["b/d.md", "b/new.md"]);
  lab.write("b/d.md", "three");
  rmSync(join(lab.root, "b/new.md"));
  expect(await standing(lab, { clock: systemClock })).toEqual({ inSync: 3, ahead: [], isKnown: true });
  const kept = JSON.parse(readFileSync(walked(lab), "utf8"));
  writeFileSync(walked(lab), JSON.stringify({ ...kept, added: ["told by the note"] }));
  lab.write("b/e/f.md", "in a new folder");
  expect((await standing(lab)).ahead).toEqual(["b/e/f.md"]);
});

test("localStanding: a file that was gone and is back, or that was never agreed on, is counted once", async () => {
  const lab = await pushed({ "a.md": "one", "b/c.md": "two" });
  rmSync(join(lab.root, "b/c.md"));
  lab.write("b/x.md", "new");
  expect((await standing(lab)).ahead).toEqual(["b/c.md", "b/x.md"]);
  await nextTick(lab);
  lab.write("b/c.md", "two");
  lab.write("b/y.md", "newer");
  expect(await standing(lab)).toEqual({ inSync: 2, ahead: ["b/x.md", "b/y.md"], isKnown: true });
});

test("localStanding: where there is a link everything is walked every time", async () => {
  const lab = await pushed({ "a.md": "one" });
  symlinkSync("a.md", join(lab.root, "link.md"));
  expect((await standing(lab)).ahead).toEqual(["link.md"]);
  expect(existsSync(walked(lab))).toBe(false);
});

test("localStanding: other rules, a run, and records that another tool wrote are seen", async () => {
  const lab = await pushed({ "a.md": "one", "b.txt": "two" });
  await standing(lab);
  const narrow = { filePatterns: ["**/*.md"], excludePatterns: [] };
  expect(await standing(lab, { rules: narrow })).toEqual({ inSync: 1, ahead: [], isKnown: true });
  lab.write("c.md", "three");
  await lab.push();
  expect(await standing(lab)).toEqual({ inSync: 3, ahead: [], isKnown: true });
  const manifest = join(lab.root, ".claude_mirror_manifest.json");
  const entries = JSON.parse(readFileSync(manifest, "utf8"));
  writeFileSync(manifest, JSON.stringify({ ...entries, "a.md": undefined }, null, 2));
  expect(await standing(lab)).toEqual({ inSync: 2, ahead: ["a.md"], isKnown: true });
});

test("localStanding: a project folder that is gone is a problem, not a deletion", async () => {
  const lab = await pushed({ "a.md": "one" });
  renameSync(lab.root, `${lab.root}-moved`);
  expect(await standing(lab)).toMatchObject({ ahead: [], isKnown: false, problem: expect.stringContaining("missing") });
});

const names = fc.constantFrom("a.md", "b.md", "d/a.md", "d/e/b.md", "d/e/c.md", "f/a.md");
const edits = fc.oneof(
  fc.record({ kind: fc.constant("write" as const), path: names, text: fc.constantFrom("one", "two", "longer") }),
  fc.record({ kind: fc.constant("remove" as const), path: names }),
  fc.record({ kind: fc.constant("remove" as const), path: fc.constantFrom("d", "d/e") }),
);

/** Whether with any edits it says what a walk says that knows nothing of earlier ones. */
async function agreesWithWalks(spoil: (lab: ProjectLab) => void, numRuns: number): Promise<boolean> {
  const property = fc.asyncProperty(
    fc.array(fc.array(edits, { maxLength: 3 }), { minLength: 1, maxLength: 4 }),
    async (rounds) => {
      const lab = await pushed({ "a.md": "one", "b.md": "two", "d/a.md": "one", "d/e/b.md": "two" });
      await standing(lab);
      for (const round of rounds) {
        for (const edit of round) {
          const path = join(lab.root, edit.path);
          if (edit.kind === "remove") rmSync(path, { recursive: true, force: true });
          else lab.write(edit.path, edit.text);
        }
        spoil(lab);
        const found = await standing(lab);
        const bare = tempFolder("bare");
        copyFileSync(join(lab.stateFolder, "index.bin"), join(bare, "index.bin"));
        const anew = await localStanding({ files: syncFiles(lab.root, bare), rules: RULES, clock: LATER });
        expect(found).toEqual(anew);
        await nextTick(lab);
      }
    },
  );
  return !(await fc.check(property, { numRuns, seed: 7 })).failed;
}

test("localStanding: after any edits it says what a walk says that knows nothing of earlier ones", async () => {
  expect(await agreesWithWalks(() => undefined, 12)).toBe(true);
});

test("localStanding: the property finds out one that does not compare folders", async () => {
  const forget = (lab: ProjectLab) => {
    if (!existsSync(walked(lab))) return;
    const kept = JSON.parse(readFileSync(walked(lab), "utf8"));
    writeFileSync(walked(lab), JSON.stringify({ ...kept, folders: [] }));
  };
  expect(await agreesWithWalks(forget, 50)).toBe(false);
});
