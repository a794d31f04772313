import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { OwnMachine } from "../support/own-machine.ts";
import type { Pty } from "../support/pty.ts";
import { REMOTE_KINDS, type RemoteKind } from "../support/remote-place.ts";
import { type Team, team } from "../support/team.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

const BINARY_A = Uint8Array.from([0, 1, 2, 13, 10, 255]);
const BINARY_B = Uint8Array.from([0, 1, 2, 13, 10, 254, 7]);

for (const kind of REMOTE_KINDS) describe(`conflicts on ${kind.name}`, () => strategies(kind));
describe("conflicts at a terminal", terminal);

/** Anna's version is on the remote, Bert has one of his own of each. */
async function conflicting({ machines, ok }: Team): Promise<readonly [OwnMachine, OwnMachine]> {
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

const latin = (bytes: Uint8Array) => Buffer.from(bytes).toString("latin1");

function strategies(kind: RemoteKind): void {
  let remote: Awaited<ReturnType<RemoteKind["start"]>>;
  beforeAll(async () => {
    remote = await kind.start();
  });
  afterAll(() => remote.stop());

  const expected = {
    "keep-local": { "docs/note.md": "bert\r\nline 2\r\n", "data.bin": latin(BINARY_B) },
    "keep-remote": { "docs/note.md": "anna\r\nline 2\r\n", "data.bin": latin(BINARY_A) },
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
    expect(bert.read("../preview/data.bin")).toBe(latin(BINARY_A));
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

function terminal(): void {
  const kind = REMOTE_KINDS[0] as RemoteKind;
  let place: Awaited<ReturnType<RemoteKind["start"]>>["place"];
  beforeAll(async () => {
    ({ place } = await kind.start());
  });

  /** Bert at his terminal before the conflict about `docs/note.md`; `data.bin` is skipped first. */
  async function asked(env: Readonly<Record<string, string>> = {}) {
    const both = await team(place(), ["anna", "bert"]);
    const [anna, bert] = await conflicting(both);
    const pty = bert.terminal(["sync"], { env });
    await pty.waitFor("Conflict in: data.bin");
    await pty.waitFor("[S] Skip");
    pty.type("s\r");
    await pty.waitFor("Conflict in: docs/note.md");
    await pty.waitFor("[E] Open in editor");
    return { both, anna, bert, pty };
  }

  async function answer(pty: Pty, key: string): Promise<number> {
    pty.type(`${key}\r`);
    return pty.exited;
  }

  test("conflict prompt: [L] keeps local, the skipped one is left, exit 4", async () => {
    const { both, bert, pty } = await asked();
    expect(pty.shown()).toContain("(binary, 7 bytes)");
    expect(pty.shown().split("Conflict in: docs/note.md")[0]).not.toContain("[E]");
    expect(await answer(pty, "l")).toBe(4);
    expect(both.remoteFiles()["docs/note.md"]).toBe("bert\r\nline 2\r\n");
    expect(both.remoteFiles()["data.bin"]).toBe(latin(BINARY_A));
    expect(bert.read("data.bin")).toBe(latin(BINARY_B));
  });

  test("conflict prompt: [D] keeps remote, in upper case too, and the local version is in the trash", async () => {
    const { both, bert, pty } = await asked();
    expect(await answer(pty, "D")).toBe(4);
    expect(bert.read("docs/note.md")).toBe("anna\r\nline 2\r\n");
    const kept = (await both.ok(bert, ["trash"])).json.items.map(({ path }) => path);
    // That file's agreed version was pulled, so no snapshot of this machine holds it, and it was replaced by the push.
    expect(kept.filter((path) => path !== "clear.md")).toEqual(["docs/note.md"]);
    await both.ok(bert, ["trash", "restore", "docs/note.md", "--to", "mine.md"]);
    expect(bert.read("mine.md")).toBe("bert\r\nline 2\r\n");
  });

  test("conflict prompt: [B] keeps both; an answer that is none is asked again", async () => {
    const { both, bert, pty } = await asked();
    pty.type("x\r");
    await pty.waitFor("Please type one of L, D, B, E, S.");
    expect(await answer(pty, "b")).toBe(4);
    const files = Object.keys(bert.files()).filter((path) => path.startsWith("docs/"));
    expect(files).toHaveLength(2);
    expect(Object.keys(both.remoteFiles())).toEqual(expect.arrayContaining(files));
  });

  test("conflict prompt: [E] runs EDITOR with its arguments; what it saves goes to both sides", async () => {
    const tool = editor('[ "$1" = --wait ] || exit 9\nprintf "merged\\r\\n" > "$2"');
    const { both, bert, pty } = await asked({ EDITOR: `"${tool}" --wait` });
    expect(await answer(pty, "e")).toBe(4);
    expect(bert.read("docs/note.md")).toBe("merged\r\n");
    expect(both.remoteFiles()["docs/note.md"]).toBe("merged\r\n");
  });

  test("conflict prompt: [E] with an editor that fails or leaves markers asks again and changes nothing", async () => {
    for (const [body, told] of [
      ["exit 3", "ended with code 3"],
      ['grep -q "<<<<<<< LOCAL" "$1" && grep -q ">>>>>>> DRIVE" "$1"', "Conflict markers are left"],
    ] as const) {
      const { both, bert, pty } = await asked({ EDITOR: editor(body) });
      pty.type("e\r");
      await pty.waitFor(told);
      expect(await answer(pty, "s")).toBe(4);
      expect(bert.read("docs/note.md")).toBe("bert\r\nline 2\r\n");
      expect(both.remoteFiles()["docs/note.md"]).toBe("anna\r\nline 2\r\n");
    }
  });

  test("conflict prompt: Ctrl-C exits 130 and changes nothing on either side", async () => {
    const { both, bert, pty } = await asked();
    const before = { here: bert.files(), there: both.remoteFiles() };
    pty.type("\x03");
    expect(await pty.exited).toBe(130);
    expect({ here: bert.files(), there: both.remoteFiles() }).toEqual(before);
    expect((await both.run(bert, ["sync", "--strategy", "keep-local"])).code).toBe(0);
  });

  let tools = 0;
  function editor(body: string): string {
    const file = join(place().folder, `editor ${++tools}`);
    writeFileSync(file, `#!/bin/sh\n${body}\n`);
    chmodSync(file, 0o755);
    return body.includes("--wait") ? file : `'${file}'`;
  }
}
