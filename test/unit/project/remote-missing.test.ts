import { expect, test } from "bun:test";
import { NeedsActionError } from "../../../src/lib/errors.ts";
import { projectLab } from "../../support/project-lab.ts";

test("runTransfer: a remote folder that was never made is told once, with the command that makes it, before any file is tried", async () => {
  const lab = projectLab();
  for (const name of ["a.md", "b.md"]) lab.write(name, name);
  lab.remote.store.present = false;
  const error = await lab.push().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(NeedsActionError);
  expect((error as NeedsActionError).hint).toContain("claude-mirror auth");
  expect(lab.remote.store.log).toEqual([]);
  lab.remote.store.present = true;
  expect((await lab.push()).uploaded).toEqual(["a.md", "b.md"]);
});
