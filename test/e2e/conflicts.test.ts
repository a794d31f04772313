import { beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BINARIES, conflicting, conflictScenarios } from "../support/conflict-scenarios.ts";
import type { Pty } from "../support/pty.ts";
import { REMOTE_KINDS, type RemoteKind } from "../support/remote-place.ts";
import { team } from "../support/team.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

for (const kind of REMOTE_KINDS) describe(`conflicts on ${kind.name}`, () => conflictScenarios(kind));
describe("conflicts at a terminal", terminal);

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
    expect(both.remoteFiles()["data.bin"]).toBe(BINARIES.anna);
    expect(bert.read("data.bin")).toBe(BINARIES.bert);
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
