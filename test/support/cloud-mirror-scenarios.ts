import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { FaultyCloud, Trouble } from "./faulty-clouds.ts";
import { type MirroredMachine, mirroredMachine } from "./mirrored-machine.ts";
import { REMOTE_KINDS, type RemoteKind, type RemotePlace } from "./remote-place.ts";
import { filesBelow, userFiles } from "./tree.ts";

interface Told {
  readonly uploaded: readonly string[];
  readonly snapshot: { readonly timestamp: string } | null;
  readonly backends: readonly {
    readonly name: string;
    readonly role: string;
    readonly state: string;
    readonly pending: number;
  }[];
}

interface Mirrored {
  readonly machine: MirroredMachine;
  readonly primary: RemotePlace;
  /** Pushes, with the exit code that is right; what became of the mirror. */
  push(code?: number): Promise<Told & { readonly mirror: Told["backends"][number] | undefined }>;
  ok(...words: readonly string[]): Promise<void>;
  /** The live files on the mirror. */
  files(): Record<string, string>;
  snapshots(): readonly string[];
}

/**
 * A local folder whose mirror is on a cloud, through everything that the cloud can do to it. `mostRequests`: for 50 small
 * files with their snapshot.
 */
export function cloudMirrorScenarios(
  start: () => Promise<FaultyCloud>,
  { mostRequests }: { readonly mostRequests: number },
): void {
  let cloud: FaultyCloud;
  let local: Awaited<ReturnType<RemoteKind["start"]>>;
  beforeAll(async () => {
    [cloud, local] = await Promise.all([start(), (REMOTE_KINDS[0] as RemoteKind).start()]);
  });
  afterEach(() => {
    cloud.calm();
    cloud.setFull(false);
  });
  afterAll(() => cloud.stop());

  async function mirrored(): Promise<Mirrored> {
    const [primary, mirror] = [{ ...local.place(), inProcess: true }, cloud.place()];
    const machine = await mirroredMachine("anna", primary, { cloud: mirror }, { max_throttle_wait_seconds: 5 });
    const run = async (words: readonly string[], code: number) => {
      const ended = await machine.run([...words, "--json"]);
      expect([ended.code, ended.code === code ? "" : ended.stdout + ended.stderr]).toEqual([code, ""]);
      return ended;
    };
    return {
      machine,
      primary,
      async push(code = 0) {
        const told = (await run(["push"], code)).json as unknown as Told;
        return { ...told, mirror: told.backends.find(({ role }) => role === "mirror") };
      },
      ok: async (...words) => void (await run(words, 0)),
      files() {
        mirror.refresh?.();
        return userFiles(mirror.folder);
      },
      snapshots() {
        mirror.refresh?.();
        return filesBelow(join(mirror.folder, "_claude_mirror_snapshots"));
      },
    };
  }

  test("mirror: a push brings files, deletes and snapshots there, in batches", async () => {
    const { machine, push, files, snapshots } = await mirrored();
    for (let at = 0; at < 50; at++) machine.write(`notes/${at}.md`, `note ${at}\n`);
    cloud.calm();
    const first = await push();
    expect([first.uploaded.length, first.mirror]).toMatchObject([50, { state: "ok", pending: 0 }]);
    expect(cloud.requests()).toBeLessThanOrEqual(mostRequests);
    machine.remove("notes/7.md");
    machine.write("notes/8.md", "changed\n");
    await push();
    expect(files()).toEqual(machine.files());
    expect(snapshots()).toHaveLength(2);
  });

  test("mirror: while it is full the primary goes on, it is told, and retry brings the rest when there is room", async () => {
    const { machine, push, ok, files } = await mirrored();
    machine.write("first.md", "first\n");
    await push();
    cloud.setFull(true);
    machine.write("second.md", "second, and a good deal longer than the first\n");
    const full = await push(6);
    expect(full.uploaded).toEqual(["second.md"]);
    expect(full.mirror?.state).toBe("action-required");
    cloud.setFull(false);
    await ok("retry");
    expect(files()).toEqual(machine.files());
  });

  const passing: readonly Trouble[] = [
    "is down",
    "asks to slow down",
    "answers with a page of the network's",
    "loses its answers",
  ];
  test.each(passing)("mirror: while it %s the primary goes on, and the next push brings the rest", async (trouble) => {
    const { machine, push, files } = await mirrored();
    for (const path of ["kept.md", "edited.md", "gone.md"]) machine.write(path, `${path}\n`);
    await push();
    cloud.begin("*", trouble);
    machine.write("edited.md", "edited\n");
    machine.write("new.md", "new\n");
    machine.remove("gone.md");
    const down = await push();
    expect(down.uploaded).toEqual(["edited.md", "new.md"]);
    expect(down.mirror?.pending).toBeGreaterThan(0);
    cloud.calm();
    expect((await push()).mirror).toMatchObject({ state: "ok", pending: 0 });
    expect(files()).toEqual(machine.files());
  });

  const lasting: readonly Trouble[] = ["has ended the sign-in", "forbids it"];
  test.each(lasting)("mirror: when it %s its person is asked for, and retry brings the rest", async (trouble) => {
    const { machine, push, ok, files } = await mirrored();
    machine.write("first.md", "first\n");
    await push();
    cloud.begin("*", trouble);
    machine.write("second.md", "second\n");
    const out = await push(6);
    expect([out.uploaded, out.mirror?.state]).toEqual([["second.md"], "action-required"]);
    cloud.calm();
    await ok("retry");
    expect(files()).toEqual(machine.files());
  });

  test("mirror: restore falls back to it when the primary is lost, after a yes, and it can be made the primary", async () => {
    const { machine, primary, push, ok, files } = await mirrored();
    machine.write("kept.md", "kept\n");
    const { snapshot } = await push();
    renameSync(primary.folder, `${primary.folder}-lost`);
    const words = ["restore", snapshot?.timestamp ?? "", "--output", join(machine.home, "out")];
    expect((await machine.run(words)).code).toBe(2);
    await ok(...words, "--yes");
    expect(readFileSync(join(machine.home, "out/kept.md"), "utf8")).toBe("kept\n");
    await ok("promote", "cloud");
    machine.write("kept.md", "edited\n");
    expect((await push()).backends[0]).toMatchObject({ role: "primary", state: "ok", uploaded: ["kept.md"] });
    expect(files()).toEqual(machine.files());
  });
}
