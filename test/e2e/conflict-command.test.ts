import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import type { OwnMachine, Run } from "../support/own-machine.ts";
import { REMOTE_KINDS, type RemoteKind } from "../support/remote-place.ts";
import { type Team, team } from "../support/team.ts";
import { filesBelow } from "../support/tree.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

let remote: Awaited<ReturnType<RemoteKind["start"]>>;
beforeAll(async () => {
  remote = await (REMOTE_KINDS[0] as RemoteKind).start();
});
afterAll(() => remote.stop());

/** Anna's versions are on the remote; Bert's edit of `apart.md` is elsewhere in it, that of `same.md` is not. */
async function conflicting(): Promise<{ both: Team; anna: OwnMachine; bert: OwnMachine }> {
  const both = await team(remote.place(), ["anna", "bert"]);
  const [anna, bert] = both.machines as readonly [OwnMachine, OwnMachine];
  for (const path of ["apart.md", "same.md"]) anna.write(path, "1\r\n2\r\n3\r\n4\r\n");
  await both.ok(anna, ["push"]);
  await both.ok(bert, ["pull"]);
  for (const path of ["apart.md", "same.md"]) anna.write(path, "anna\r\n2\r\n3\r\n4\r\n");
  await both.ok(anna, ["push"]);
  bert.write("apart.md", "1\r\n2\r\n3\r\nbert\r\n");
  bert.write("same.md", "bert\r\n2\r\n3\r\n4\r\n");
  return { both, anna, bert };
}

const left = ({ json }: Run) => json.conflicts.map(({ path }) => path);

test("sync --strategy merge: what can be merged is on both machines, the rest is left with exit 4", async () => {
  const { both, bert } = await conflicting();
  const run = await both.run(bert, ["sync", "--strategy", "merge"]);
  expect({ code: run.code, left: left(run) }).toEqual({ code: 4, left: ["same.md"] });
  expect(both.remoteFiles()["apart.md"]).toBe("anna\r\n2\r\n3\r\nbert\r\n");
  expect(bert.read("apart.md")).toBe("anna\r\n2\r\n3\r\nbert\r\n");
});

test("conflict prompt: [M] takes the merge, and is offered only where it is clean", async () => {
  const { both, bert } = await conflicting();
  const pty = bert.terminal(["sync"]);
  await pty.waitFor("Conflict in: apart.md");
  await pty.waitFor("[M] Take the merge");
  pty.type("m\r");
  await pty.waitFor("Conflict in: same.md");
  await pty.waitFor("[S] Skip");
  const second = pty.shown().split("Conflict in: same.md")[1] as string;
  expect(second).not.toContain("[M]");
  expect(second).toMatch(/-anna[\s\S]*\+bert/);
  pty.type("s\r");
  expect(await pty.exited).toBe(4);
  expect(both.remoteFiles()["apart.md"]).toBe("anna\r\n2\r\n3\r\nbert\r\n");
});

test("conflict list, show, apply: another program can settle what a push has left", async () => {
  const { both, bert } = await conflicting();
  expect((await both.run(bert, ["push"])).code).toBe(4);
  expect(left(await both.ok(bert, ["conflict", "list"]))).toEqual(["apart.md", "same.md"]);
  const notes = filesBelow(join(bert.home, ".local/state/claude-mirror")).filter((path) =>
    path.endsWith(".merge.json"),
  );
  expect(notes).toHaveLength(2);
  const shown = await bert.run(["conflict", "show", "same.md"]);
  expect(shown.stdout).toBe(
    "<<<<<<< LOCAL\r\nbert\r\n||||||| BASE\r\n1\r\n=======\r\nanna\r\n>>>>>>> DRIVE\r\n2\r\n3\r\n4\r\n",
  );
  expect(JSON.parse((await bert.run(["conflict", "show", "same.md", "--format", "json"])).stdout).path).toBe("same.md");
  expect((await bert.run(["conflict", "show", "same.md", "--format", "diff"])).stdout).toContain(
    "\n-anna\r\n+bert\r\n",
  );
  const unfinished = await both.run(bert, ["conflict", "apply", "same.md"], { stdin: shown.stdout });
  expect(unfinished.code).toBe(2);
  expect((await both.run(bert, ["conflict", "apply", "same.md"], { stdin: "" })).code).toBe(2);
  await both.ok(bert, ["conflict", "apply", "same.md", "-"], { stdin: "both\r\n" });
  bert.write("apart.md", "1\r\n2\r\n3\r\nbert");
  await both.run(bert, ["push"]);
  const merged = (await bert.run(["conflict", "show", "apart.md"])).stdout;
  bert.write("../merged.md", merged);
  await both.ok(bert, ["conflict", "apply", "apart.md", "../merged.md"]);
  expect(await both.settle()).toEqual({ "same.md": "both\r\n", "apart.md": "anna\r\n2\r\n3\r\nbert" });
  expect(left(await both.ok(bert, ["conflict"]))).toEqual([]);
});

test("conflict apply: exits 5 and changes nothing when the remote has moved on; drop forgets the note alone", async () => {
  const { both, anna, bert } = await conflicting();
  await both.run(bert, ["pull"]);
  anna.write("same.md", "anna, once more\r\n");
  await both.ok(anna, ["push"]);
  const run = await both.run(bert, ["conflict", "apply", "same.md"], { stdin: "both\r\n" });
  expect(run.code).toBe(5);
  expect(JSON.parse(run.stderr)).toMatchObject({ error: { type: "refused" } });
  expect([bert.read("same.md"), both.remoteFiles()["same.md"]]).toEqual([
    "bert\r\n2\r\n3\r\n4\r\n",
    "anna, once more\r\n",
  ]);
  await both.ok(bert, ["conflict", "drop", "same.md"]);
  expect(left(await both.ok(bert, ["conflict", "list"]))).toEqual(["apart.md"]);
  expect((await both.run(bert, ["conflict", "drop", "same.md"])).code).toBe(1);
  expect((await both.run(bert, ["conflict", "show"])).code).toBe(2);
  expect(left(await both.run(bert, ["sync"]))).toEqual(["apart.md", "same.md"]);
});
