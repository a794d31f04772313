import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compiledBinary } from "../support/binary.ts";
import { rawServer } from "../support/raw-server.ts";
import {
  done,
  expectClean,
  expectRefusal,
  giveToNobody,
  inSync,
  onWebdav,
  PASSWORD,
  runAsNobody,
  spawned,
} from "../support/refusal.ts";
import { filesBelow, userFiles } from "../support/tree.ts";

// The build of the program is part of the first test.
setDefaultTimeout(30_000);

const MANIFEST = ".claude_mirror_manifest.json";

describe("folders and files", () => {
  test("a project folder that is missing or not readable is named with its config", async () => {
    const { machine, remote } = await inSync();
    renameSync(machine.project, `${machine.project} away`);
    const at = { ...machine, project: `${machine.project} away` };
    const words = (command: string) => [command, "--config", machine.config];
    const options = { cwd: machine.home };
    for (const command of ["push", "pull", "status"])
      await expectRefusal(at, remote, words(command), {
        code: 2,
        says: [machine.project, machine.config, "mount"],
        options,
      });
    expect(existsSync(machine.project)).toBe(false);
  });

  test("a vanished remote is refused, told by status, and never taken for one without snapshots", async () => {
    const { machine, remote } = await inSync();
    renameSync(remote, `${remote} away`);
    for (const command of ["push", "pull", "sync"])
      await expectRefusal(machine, `${remote} away`, [command], { code: 5, says: ["missing", "--allow remote-gone"] });
    for (const command of ["snapshots", "history CLAUDE.md", "log", "diff CLAUDE.md", "restore 2020-01-01T00-00-00Z"])
      await expectRefusal(machine, `${remote} away`, command.split(" "), { code: 1, says: [/gone|missing/, /mount/i] });
    expect((await done(machine, "status")).stderr).toContain("The remote folder is missing");
    expect(existsSync(remote)).toBe(false);
    writeFileSync(remote, "a file");
    await expectRefusal(machine, undefined, ["push"], {
      code: 1,
      says: [remote, "a file is there, not a folder", "local_folder"],
    });
    rmSync(remote);
    renameSync(`${remote} away`, remote);
    expect((await done(machine, "sync")).stdout).toContain("Everything is in sync.");
  });

  test("FILES: outside the project, empty, or matching nothing", async () => {
    const { machine, remote } = await inSync();
    for (const command of ["push", "pull", "sync", "delete"]) {
      if (command === "sync") continue;
      await expectRefusal(machine, remote, [command, "/etc/passwd"], { code: 2, says: ['"/etc/passwd"', "outside"] });
      await expectRefusal(machine, remote, [command, "../x"], { code: 2, says: ['"../x"', machine.project] });
      await expectRefusal(machine, remote, [command, ""], { code: 2, says: ["names no file"] });
      await expectRefusal(machine, remote, [command, "no.md"], { code: 2, says: ['"no.md"'] });
      await expectRefusal(machine, remote, [command, "*.txt"], { code: 2, says: ['"*.txt"'] });
    }
    await expectRefusal(machine, remote, ["restore", "2020-01-01T00-00-00Z"], {
      code: 1,
      says: ["there is none of that name", "The only one is"],
    });
    expect((await done(machine, "history", "no.md")).stdout).toBe("No snapshot holds no.md.\n");
  });

  test("what may not be read or written: each is named, the rest goes on, and it all comes right later", async () => {
    const { machine, remote } = await inSync();
    machine.write("secret.md", "secret\n");
    machine.write("CLAUDE.md", "# changed\n");
    for (const folder of [machine.home, remote]) giveToNobody(folder);
    chmodSync(join(machine.project, "secret.md"), 0);
    chmodSync(join(machine.project, "memory"), 0);
    const unreadable = await runAsNobody(machine, ["push"]);
    expect(unreadable.code).toBe(3);
    expect(unreadable.stdout).toContain('  ✗ could not read "secret.md": permission denied; check the owner and mode');
    expect(unreadable.stdout.match(/^Held.*$/gm)).toEqual([
      "Held memory: the folder cannot be read: permission denied",
    ]);
    expect(userFiles(remote)).toEqual({ "CLAUDE.md": "# changed\n", "memory/notes.md": "note\n" });
    chmodSync(join(machine.project, "secret.md"), 0o644);
    chmodSync(join(machine.project, "memory"), 0o755);
    chmodSync(remote, 0o555);
    const readOnly = await runAsNobody(machine, ["push"]);
    expect(readOnly.code).toBe(6);
    expect(readOnly.stdout).toContain("permission denied\n    Check who owns");
    chmodSync(remote, 0);
    const says = [remote, "permission denied", "Check who owns"];
    await expectRefusal(machine, undefined, ["pull"], { code: 6, says, as: "nobody" });
    chmodSync(remote, 0o755);
    chmodSync(machine.project, 0o555);
    writeFileSync(join(remote, "new.md"), "new\n");
    const pulled = await runAsNobody(machine, ["pull"]);
    expect(pulled.code).toBe(3);
    expect(pulled.stdout).toContain('✗ could not write "new.md": permission denied');
    chmodSync(machine.project, 0o755);
    expect((await runAsNobody(machine, ["sync"])).code).toBe(0);
    const all = { "CLAUDE.md": "# changed\n", "memory/notes.md": "note\n", "new.md": "new\n", "secret.md": "secret\n" };
    expect({ here: machine.files(), there: userFiles(remote) }).toEqual({ here: all, there: all });
    for (const { stdout, stderr } of [unreadable, readOnly, pulled]) expectClean(["push"], stdout + stderr);
  });

  test("no room for a file: it is named, nothing of it stays, the old one is whole, and later it comes", async () => {
    const { machine, remote } = await inSync();
    const big = "x".repeat(3_000_000);
    writeFileSync(join(remote, "CLAUDE.md"), big);
    machine.write("memory/notes.md", big.replaceAll("x", "y"));
    // No file may grow past 512 KB: with the signal ignored a write fails or comes back short, as on a full disk.
    const limited = async (command: string) => {
      const shell = `trap '' XFSZ; ulimit -f 1000; exec "$0" ${command}`;
      return spawned(["sh", "-c", shell, await compiledBinary()], machine);
    };
    for (const [command, path] of [
      ["pull", "CLAUDE.md"],
      ["push", "memory/notes.md"],
    ] as const) {
      const { code, stdout, stderr } = await limited(command);
      expectClean([command], stdout + stderr);
      expect({ command, code, stdout }).toEqual({ command, code: 3, stdout: expect.stringContaining(path) });
      expect(stdout).toMatch(/✗ .*too large|✗ .*larger than/);
      expect(machine.read("CLAUDE.md")).toBe("# hi\n");
      expect(userFiles(remote)["memory/notes.md"]).toBe("note\n");
    }
    for (const command of ["pull", "push"]) await done(machine, command);
    expect(machine.files()).toEqual(userFiles(remote));
    expect([...filesBelow(machine.project), ...filesBelow(remote)].filter((path) => path.includes("tmp"))).toEqual([]);
  });

  test("a file that is being written while it is pushed: a whole version or none is sent, and the last one in the end", async () => {
    const { machine, remote } = await inSync();
    const growing = join(machine.project, "growing.md");
    const writer = Bun.spawn(["sh", "-c", `while :; do printf 'line %s\\n' $$ >> "$0"; done`, growing]);
    try {
      for (let round = 0; round < 3; round++) {
        const { code, stdout, stderr } = await machine.run(["push"]);
        expectClean(["push"], stdout + stderr);
        expect([0, 3]).toContain(code);
        if (code === 3) expect(stdout).toMatch(/growing\.md.*chang/);
        const sent = userFiles(remote)["growing.md"] ?? "";
        expect(readFileSync(growing, "latin1").startsWith(sent)).toBe(true);
      }
    } finally {
      writer.kill("SIGKILL");
      await writer.exited;
    }
    await done(machine, "push");
    expect(userFiles(remote)).toEqual(machine.files());
  });
});

describe("the manifest", () => {
  test("truncated or not an object: said by status and push alike, moved aside, and equal files are adopted", async () => {
    const { machine, remote } = await inSync();
    const whole = machine.read(MANIFEST);
    for (const text of [whole.slice(0, whole.length / 2), "[]", "null", "", "{"]) {
      machine.write(MANIFEST, text);
      for (const command of ["status", "status", "push"]) {
        const { stderr } = await done(machine, command);
        expect({ command, text, stderr }).toEqual({
          command,
          text,
          stderr: expect.stringContaining("manifest cannot be read"),
        });
      }
      expect(Object.keys(JSON.parse(machine.read(MANIFEST)))).toEqual(["CLAUDE.md", "memory/notes.md"]);
    }
    expect(readFileSync(join(machine.project, `${MANIFEST}.corrupt`), "utf8")).toBe(whole.slice(0, whole.length / 2));
    expect(Object.keys(userFiles(remote))).toEqual(["CLAUDE.md", "memory/notes.md"]);
  });

  test("from the future: every run refuses, also after a look, and the file keeps its bytes", async () => {
    const { machine, remote } = await inSync();
    for (const text of ['{"version": 99, "entries": []}', '{"CLAUDE.md": 5}']) {
      machine.write(MANIFEST, text);
      expect((await done(machine, "status")).stderr).toContain("later version");
      for (const command of ["push", "pull", "sync", "delete CLAUDE.md"])
        await expectRefusal(machine, remote, command.split(" "), {
          code: 5,
          says: [MANIFEST, "later version", "update"],
        });
      expect(machine.read(MANIFEST)).toBe(text);
    }
  });
});

describe("runs", () => {
  test("two at once: the second names the process of the first, and Ctrl-C at its question leaves all as it was", async () => {
    const { machine, remote } = await inSync();
    writeFileSync(join(remote, "CLAUDE.md"), "theirs, longer\n");
    machine.write("CLAUDE.md", "ours\n");
    const first = machine.terminal(["sync"]);
    await first.waitFor("[L]");
    const state = join(machine.home, ".local/state/claude-mirror");
    const lock = filesBelow(state).find((path) => path.endsWith("/lock")) ?? "";
    const { pid } = JSON.parse(readFileSync(join(state, lock), "utf8"));
    for (const command of ["push", "pull", "sync"])
      await expectRefusal(machine, remote, [command], { code: 7, says: [`sync, process ${pid} `, "wait", / UTC\)/] });
    await done(machine, "status");
    first.type("\x03");
    expect(await first.exited).toBe(130);
    expectClean(["sync"], first.shown());
    // The counters are gone before the question: nothing moves the cursor up over it.
    // biome-ignore lint/suspicious/noControlCharactersInRegex: cursor movements are what this is about
    expect(first.shown().slice(first.shown().indexOf("Conflict in"))).not.toMatch(/\x1b\[\d+A/);
    expect({ here: machine.read("CLAUDE.md"), there: userFiles(remote)["CLAUDE.md"] }).toEqual({
      here: "ours\n",
      there: "theirs, longer\n",
    });
    await done(machine, "sync", "--strategy", "keep-local");
  });

  test.each(["SIGINT", "SIGTERM"] as const)(
    "%s while the server keeps us waiting: 130 at once, one sentence",
    async (signal) => {
      const asked = Promise.withResolvers<void>();
      const server = await rawServer(() => void asked.resolve());
      const machine = await onWebdav(`${server.origin}/dav/`, PASSWORD);
      const child = Bun.spawn([await compiledBinary(), "push"], {
        cwd: machine.project,
        env: { HOME: machine.home },
        stdout: "pipe",
        stderr: "pipe",
      });
      await asked.promise;
      child.kill(signal);
      const [code, said] = [await child.exited, await new Response(child.stderr).text()];
      await server.stop();
      expectClean(["push"], said);
      expect({ code, said: said.trim().split("\n").at(-1) }).toEqual({ code: 130, said: "interrupted" });
      expect(machine.files()).toEqual({ "CLAUDE.md": "# hi\n" });
    },
  );
});

describe("streams", () => {
  test("a reader that goes away ends nothing, a full output is one sentence and exit code 1", async () => {
    const { machine, remote } = await inSync();
    for (let n = 0; n < 200; n++) machine.write(`file ${n}.md`, `${n}\n`);
    const binary = await compiledBinary();
    const shell = (line: string) => spawned(["bash", "-c", `set -o pipefail; ${line}`, binary], machine);
    for (const line of [
      '"$0" status | head -n 1',
      '"$0" status --json | head -n 1',
      '"$0" help | true',
      '"$0" push | head -n 1',
    ])
      expect({ line, ...(await shell(`${line} >/dev/null`)) }).toMatchObject({ line, code: 0 });
    expect(Object.keys(userFiles(remote))).toHaveLength(202);
    for (const line of ['"$0" status', '"$0" status --json']) {
      const full = await shell(`${line} >/dev/full`);
      expectClean([line], full.stderr);
      expect(full.code).toBe(1);
      expect(full.stderr).toContain("could not write the output: the disk is full; free some space");
    }
    for (const line of ['"$0" status <&-', '"$0" status 2>&-']) expect((await shell(line)).code).toBe(0);
    const piped = await shell('"$0" status --short');
    expect(piped.stdout + piped.stderr).not.toContain("\x1b");
    const bare = machine.terminal(["status"], { env: { NO_COLOR: "1" } });
    await bare.exited;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are what this is about
    expect(bare.shown()).not.toMatch(/\x1b\[[0-9;]*m/);
  });
});
