import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { AVAILABLE_KINDS } from "../../../src/backends/registry.ts";
import { setupLab } from "../../support/setup-lab.ts";

test("__complete: offers the snapshots of the current project, newest first, without asking the remote", async () => {
  const lab = setupLab();
  await lab.run(["init", "--local-folder", join(lab.home, "m")]);
  const pushed: string[] = [];
  for (const [at, seconds] of [0, 5].entries()) {
    writeFileSync(join(lab.project, "a.md"), `version ${at}`);
    const clock = { now: () => Date.UTC(2026, 10, 20, 17, 8, 28 + seconds), sleep: async () => {} };
    const { snapshot } = (await lab.json(["push"], { clock })) as { snapshot: { timestamp: string } };
    pushed.unshift(snapshot.timestamp);
  }
  Bun.spawnSync(["rm", "-r", join(lab.home, "m")]);
  const run = await lab.run(["__complete", "--", "inspect", ""]);
  expect(pushed).toHaveLength(2);
  expect(run.stdout).toBe(`${pushed.join("\n")}\n`);
});

test("__complete: outside a project there are no snapshots and no complaint", async () => {
  const lab = setupLab();
  expect(await lab.run(["__complete", "--", "inspect", ""])).toEqual({ code: 0, stdout: "", stderr: "" });
});

test("__complete: offers the backends that this version has", async () => {
  const lab = setupLab();
  expect((await lab.run(["__complete", "--", "init", "--backend", ""])).stdout).toBe(`${AVAILABLE_KINDS.join("\n")}\n`);
});
