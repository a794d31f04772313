import { expect, test } from "bun:test";
import { projectLab } from "../../support/project-lab.ts";

const MARKED = "top\r\n<<<<<<< LOCAL\r\nmine\r\n=======\r\ntheirs\r\n>>>>>>> DRIVE\r\n";

test("push, sync: a file in which conflict markers are left is held, the others are sent", async () => {
  const lab = projectLab();
  lab.write("a.md", "agreed\n");
  await lab.push();
  lab.write("a.md", MARKED);
  lab.write("new.md", MARKED.replaceAll("\r", ""));
  lab.write("b.md", "clear\n");
  lab.write("about.md", "a line `<<<<<<< LOCAL` and\n>>>>>>> DRIVE\n");
  const result = await lab.push();
  expect(result.uploaded).toEqual(["about.md", "b.md"]);
  expect(result.held.map(({ path }) => path)).toEqual(["a.md", "new.md"]);
  expect(result.held[0]?.reason).toContain("conflict markers");
  expect((await lab.sync({ dryRun: true })).planned).toEqual([]);
  expect(lab.remoteText("a.md")).toBe("agreed\n");
  lab.write("a.md", "finished\n");
  expect((await lab.push()).uploaded).toEqual(["a.md"]);
});

test("push --force-local, sync --strategy keep-local and keep-both: a conflict whose local file holds markers stays one", async () => {
  const lab = projectLab();
  lab.write("a.md", MARKED);
  lab.put("a.md", "theirs\n");
  const common = { files: [], dryRun: false, allow: new Set<never>() };
  const results = [
    await lab.project().push({ ...common, forceLocal: true }),
    await lab.sync({ strategy: "keep-local" }),
    await lab.sync({ strategy: "keep-both" }),
  ];
  for (const { conflicts, held, planned } of results) {
    expect({ conflicts, held: held.map(({ path }) => path), planned }).toEqual({
      conflicts: [{ path: "a.md", kind: "new/new" }],
      held: ["a.md"],
      planned: [],
    });
  }
  expect(lab.remoteText("a.md")).toBe("theirs\n");
});
