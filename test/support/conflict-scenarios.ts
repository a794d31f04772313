import { afterAll, beforeAll, expect, test } from "bun:test";
import type { OwnMachine } from "./own-machine.ts";
import type { RemoteKind } from "./remote-place.ts";
import { type Team, team } from "./team.ts";

const BINARY_A = Uint8Array.from([0, 1, 2, 13, 10, 255]);
const BINARY_B = Uint8Array.from([0, 1, 2, 13, 10, 254, 7]);

const latin = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");
/** `data.bin` of both after {@link conflicting}, a byte per character. */
export const BINARIES = { anna: latin(BINARY_A), bert: latin(BINARY_B) };

/** Anna's version is on the remote, Bert has one of his own of each. */
export async function conflicting({ machines, ok }: Team): Promise<readonly [OwnMachine, OwnMachine]> {
  const [anna, bert] = machines as readonly [OwnMachine, OwnMachine];
  anna.write("docs/note.md", "base\r\nline 2\r\n");
  anna.write("data.bin", "base");
  anna.write("clear.md", "clear\n");
  await ok(anna, ["push"]);
  await ok(bert, ["pull"]);
  anna.write("docs/note.md", "anna\r\nline 2\r\n");
  anna.write("data.bin", BINARY_A);
  await ok(anna, ["push"]);
  bert.write("docs/note.md", "bert\r\nline 2\r\n");
  bert.write("data.bin", BINARY_B);
  bert.write("clear.md", "edited by bert\n");
  return [anna, bert];
}

/** Every way to settle conflicts, on one kind of remote. */
export function conflictScenarios(kind: RemoteKind): void {
  let remote: Awaited<ReturnType<RemoteKind["start"]>>;
  beforeAll(async () => {
    remote = await kind.start();
  });
  afterAll(() => remote.stop());

  const expected = {
    "keep-local": { "docs/note.md": "bert\r\nline 2\r\n", "data.bin": BINARIES.bert },
    "keep-remote": { "docs/note.md": "anna\r\nline 2\r\n", "data.bin": BINARIES.anna },
  } as const;
  for (const strategy of ["keep-local", "keep-remote"] as const) {
    test(`sync --strategy ${strategy}: settles every conflict that way, byte for byte, on both machines`, async () => {
      const both = await team(remote.place(), ["anna", "bert"]);
      const [anna, bert] = await conflicting(both);
      const { json } = await both.ok(bert, ["sync", "--no-prompt", "--strategy", strategy]);
      expect(json.conflicts).toEqual([]);
      expect(await both.settle()).toEqual({ ...expected[strategy], "clear.md": "edited by bert\n" });
      expect(anna.files()).toEqual(bert.files());
    });
  }

  test("sync --strategy keep-both: both versions live on under the same names everywhere", async () => {
    const both = await team(remote.place(), ["anna", "bert"]);
    const [, bert] = await conflicting(both);
    const { json } = await both.ok(bert, ["sync", "--strategy", "keep-both"]);
    expect(json.copies).toHaveLength(2);
    const files = await both.settle();
    expect(Object.keys(files)).toHaveLength(5);
    expect(Object.values(files).sort()).toEqual(
      ["edited by bert\n", ...Object.values(expected["keep-local"]), ...Object.values(expected["keep-remote"])].sort(),
    );
  });

  test("sync --strategy skip: does all but the conflicts, exit 4, again and again", async () => {
    const both = await team(remote.place(), ["anna", "bert"]);
    const [, bert] = await conflicting(both);
    for (const words of [["sync", "--strategy", "skip"], ["sync"], ["sync", "--no-prompt"], ["push"], ["pull"]]) {
      const { code, json } = await both.run(bert, words);
      expect({ words, code, left: json.conflicts.map(({ path }) => path) }).toEqual({
        words,
        code: 4,
        left: ["data.bin", "docs/note.md"],
      });
    }
    expect(both.remoteFiles()).toEqual({ ...expected["keep-remote"], "clear.md": "edited by bert\n" });
    expect(bert.files()).toEqual({ ...expected["keep-local"], "clear.md": "edited by bert\n" });
    expect((await both.ok(bert, ["status"])).json.summary).toMatchObject({ conflict: 2, in_sync: 1 });
    expect((await both.run(bert, ["status", "--exit-code"])).code).toBe(4);
  });

  test("push --force-local: replaces what is there, and that can be had back", async () => {
    const both = await team(remote.place(), ["anna", "bert"]);
    const [anna, bert] = await conflicting(both);
    await both.ok(bert, ["push", "--force-local"]);
    expect(await both.settle()).toEqual({ ...expected["keep-local"], "clear.md": "edited by bert\n" });
    const { json } = await both.ok(anna, ["history", "docs/note.md"]);
    const kept = json.versions.find(({ version }) => version === "v2");
    await both.ok(anna, ["restore", kept?.timestamp ?? "", "docs/note.md", "--output", "../old"]);
    expect(anna.read("../old/docs/note.md")).toBe("anna\r\nline 2\r\n");
  });

  test("pull --output: fetches the other version of a conflict and changes neither project nor manifest", async () => {
    const both = await team(remote.place(), ["anna", "bert"]);
    const [, bert] = await conflicting(both);
    const manifest = bert.read(".claude_mirror_manifest.json");
    const { json } = await both.ok(bert, ["pull", "--output", "../preview"]);
    expect(json.downloaded).toEqual(["data.bin", "docs/note.md"]);
    expect(bert.read("../preview/docs/note.md")).toBe("anna\r\nline 2\r\n");
    expect(bert.read("../preview/data.bin")).toBe(BINARIES.anna);
    expect(bert.read(".claude_mirror_manifest.json")).toBe(manifest);
    expect(bert.read("docs/note.md")).toBe("bert\r\nline 2\r\n");
  });

  test("sync: a conflict about a delete offers both ends, and either is carried through", async () => {
    for (const [strategy, there] of [
      ["keep-local", "edited\n"],
      ["keep-remote", undefined],
    ] as const) {
      const both = await team(remote.place(), ["anna", "bert"]);
      const [anna, bert] = both.machines as readonly [OwnMachine, OwnMachine];
      anna.write("a.md", "base\n");
      anna.write("stays.md", "stays\n");
      await both.ok(anna, ["push"]);
      await both.ok(bert, ["pull"]);
      anna.remove("a.md");
      await both.ok(anna, ["push"]);
      bert.write("a.md", "edited\n");
      await both.ok(bert, ["sync", "--strategy", strategy]);
      expect((await both.settle())["a.md"]).toBe(there as string);
    }
  });
}
