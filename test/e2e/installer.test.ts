import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { join } from "node:path";
import { buildBinary, withReleases } from "../../scripts/build.ts";
import { compiledBinary } from "../support/binary.ts";
import { type CleanRoot, cleanRoot } from "../support/clean-root.ts";
import { writeProgram } from "../support/install-home.ts";
import { ROOT } from "../support/pages.ts";
import { startInPty } from "../support/pty.ts";
import { fileBytes, oldProgram, type ReleaseServer, startReleases } from "../support/release-server.ts";
import { tempFolder } from "../support/temp.ts";

setDefaultTimeout(120_000);

const SCRIPT = join(ROOT, "install.sh");
let program: string;
/** The compiled program; a program of a few lines where only the way to it counts. */
let server: ReleaseServer;
let small: ReleaseServer;
let clean: CleanRoot;

beforeAll(async () => {
  program = await compiledBinary();
  server = startReleases();
  const newer = join(tempFolder("newer"), "claude-mirror");
  await buildBinary({ outfile: newer, version: "1.0.1" });
  server.publish("1.0.0", fileBytes(program));
  server.publish("1.0.1", fileBytes(newer));
  small = startReleases();
  small.publish("0.9.0", oldProgram("0.9.0"));
  small.publish("0.9.1", oldProgram("0.9.1"));
  clean = cleanRoot(program);
  clean.put("/install.sh", readFileSync(SCRIPT, "utf8"), 0o755);
});
afterAll(async () => {
  clean?.remove();
  await Promise.all([server?.stop(), small?.stop()]);
});

/** Everything below a folder, by name. */
const below = (folder: string) => readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();

/** A collaborator's push waits in the inbox, and Claude Code runs the hook that the settings name. */
function hookFires(file: string): string {
  return `. ./.profile; cd p
printf '%s\\n' '{"project":"p","user":"bob","machine":"m","action":"push","files":["${file}"],"timestamp":"2026-03-05T11:30:00+00:00"}' > .claude_mirror_inbox.jsonl
hook=$(sed -n 's/.*"command": "\\(.*\\)".*/\\1/p' ../.claude/settings.json)
printf '{"hook_event_name":"PreToolUse","cwd":"%s"}' "$PWD" | sh -c "$hook"`;
}

interface Ran {
  readonly code: number;
  readonly said: string;
}

/** Runs install.sh with one shell and the programs of this machine in an empty home. */
async function installer(
  home: string,
  words: readonly string[],
  options: { shell?: string[]; path?: string } = {},
): Promise<Ran> {
  const env = {
    HOME: home,
    PATH: options.path ?? "/usr/bin:/bin",
    SHELL: "/bin/bash",
    CLAUDE_MIRROR_BASE_URL: small.url,
  };
  const command = [...(options.shell ?? ["dash"]), SCRIPT, ...words];
  const child = Bun.spawn(command, { env, cwd: home, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const said = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, said: said.join("") };
}

/** A PATH with these programs of the system alone. */
function pathOf(...names: string[]): string {
  const bin = tempFolder("path");
  const always = [
    "sh",
    "awk",
    "sed",
    "uname",
    "mktemp",
    "rm",
    "mv",
    "ln",
    "mkdir",
    "chmod",
    "cat",
    "head",
    "tr",
    "grep",
    "dirname",
    "readlink",
    "rmdir",
    "ldd",
  ];
  for (const name of [...always, ...names]) {
    const found = ["/usr/bin", "/bin"].map((folder) => join(folder, name)).find((file) => existsSync(file));
    if (found) symlinkSync(found, join(bin, name));
  }
  return bin;
}

describe("install.sh", () => {
  test("install.sh: on a machine with busybox alone: install, wizard, first push, hook, upgrade, uninstall, nothing left behind", async () => {
    const piped = `cat /install.sh 2>/dev/null || cat '${SCRIPT}'`;
    const env = { CLAUDE_MIRROR_BASE_URL: server.url };
    const first = await clean.sh(`(${piped}) | sh -s -- --version 1.0.0`, env);
    expect(first).toEqual({ code: 0, said: expect.stringContaining("Installed claude-mirror 1.0.0") });
    expect(readlinkSync(join(clean.home, ".local/bin/claude-mirror-install"))).toBe("claude-mirror");
    expect(readFileSync(join(clean.home, ".profile"), "utf8")).toContain("claude-mirror path");
    const page = join(clean.home, ".local/share/man/man1/claude-mirror.1");
    expect(readFileSync(page, "utf8")).toContain("claude\\-mirror 1.0.0");

    const parts = await clean.sh(". ./.profile; claude-mirror-install --yes; mkdir -p p && echo one > p/CLAUDE.md");
    expect([parts.code, parts.said]).toEqual([0, expect.stringContaining("Claude Code hook")]);
    expect(readFileSync(join(clean.home, ".claude/settings.json"), "utf8")).toContain("claude-mirror inbox --hook");
    expect(existsSync(join(clean.home, ".claude/skills/claude-mirror/SKILL.md"))).toBe(true);

    const wizard = clean.terminal(". ./.profile; cd p && exec claude-mirror init");
    await wizard.converse([
      ["Storage backend", "\x1b[B".repeat(4)],
      ["Project directory", ""],
      ["Folder that plays the remote", "~/mirror"],
      ["Config file", ""],
      ["File patterns", ""],
      ["Exclude", ""],
      ["Snapshot format", ""],
      ["Slack? [y/N]", ""],
      ["Save this configuration? [Y/n]", ""],
      ["Push this now? [Y/n]", ""],
    ]);
    expect([await wizard.exited, wizard.shown()]).toEqual([0, expect.stringContaining("1 file(s) pushed")]);
    expect(readFileSync(join(clean.home, "mirror/CLAUDE.md"), "utf8")).toBe("one\n");

    const fired = await clean.sh(hookFires("a.md"));
    expect(fired).toEqual({ code: 0, said: expect.stringMatching(/additionalContext.*a\.md/) });

    const upgrade = await clean.sh(`(${piped}) | sh`, env);
    expect(upgrade).toEqual({
      code: 0,
      said: expect.stringMatching(/Installed claude-mirror 1\.0\.1.*it was claude-mirror 1\.0\.0/),
    });
    expect(readFileSync(page, "utf8")).toContain("claude\\-mirror 1.0.1");
    const after = await clean.sh(`. ./.profile; cd p; claude-mirror status --short; cd ..\n${hookFires("b.md")}`);
    expect([after.code, after.said]).toEqual([0, expect.stringMatching(/All 1 file\(s\) in sync[\s\S]*b\.md/)]);

    const gone = await clean.sh(`(${piped}) | sh -s -- --uninstall`);
    expect(gone).toEqual({ code: 0, said: expect.stringContaining("Removed claude-mirror") });
    const left = below(clean.home).filter(
      (name) => !/^(p|mirror)(\/|$)|^\.config(\/claude_mirror.*)?$|^\.local(\/state.*)?$/.test(name),
    );
    expect(left).toEqual([]);
  });

  test.each([
    ["dash and curl", ["dash"], "curl"],
    ["dash and wget", ["dash"], "wget"],
    ["busybox sh and curl", ["busybox", "sh"], "curl"],
    ["bash and wget", ["bash", "--posix"], "wget"],
  ])(
    "install.sh: %s: a wrong checksum, a cut-off download and a missing line install nothing",
    async (_what, shell, getter) => {
      const home = tempFolder("installer");
      const options = {
        shell: shell.map((word, at) => (at === 0 ? (Bun.which(word) ?? word) : word)),
        path: pathOf(getter, "sha256sum"),
      };
      for (const damage of ["one bit", "cut off", "no checksum"] as const) {
        small.damage = damage;
        const { code, said } = await installer(home, ["--no-modify-path"], options);
        small.damage = "none";
        expect([damage, code, said]).toEqual([damage, 1, expect.stringContaining("nothing was installed")]);
        expect(below(home).filter((name) => !/^\.local(\/bin)?$/.test(name))).toEqual([]);
      }
      const missing = await installer(home, ["--version", "7.7.7"], options);
      expect([missing.code, missing.said]).toEqual([1, expect.stringContaining("/download/v7.7.7/SHA256SUMS")]);
      const good = await installer(home, ["--no-modify-path", "--dir", join(home, "my bin")], options);
      expect([good.code, good.said]).toEqual([0, expect.stringContaining("To undo all of it")]);
      expect(below(join(home, "my bin"))).toEqual(["claude-mirror", "claude-mirror-install"]);
      expect(statSync(join(home, "my bin/claude-mirror")).mode & 0o777).toBe(0o755);
      expect(existsSync(join(home, ".bashrc"))).toBe(false);
    },
  );

  test("install.sh: a damaged upgrade leaves the old program", async () => {
    const home = tempFolder("installer");
    await installer(home, ["--no-modify-path", "--version", "0.9.0"]);
    const file = join(home, ".local/bin/claude-mirror");
    const before = readFileSync(file);
    small.damage = "one bit";
    expect((await installer(home, ["--no-modify-path"])).code).toBe(1);
    small.damage = "none";
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test.each([
    ["lacks the C++ library", "Error loading shared library libstdc++.so.6: No such file", "apk add libstdc++"],
    ["cannot be run", "Exec format error", "the program does not run here: Exec format error"],
  ])("install.sh: a program that %s is not put in place, and what helps is said", async (_what, said, help) => {
    const home = tempFolder("installer");
    small.publish("0.9.5", oldProgram("0.9.5", `echo '${said}' >&2; exit 127`));
    const ran = await installer(home, ["--no-modify-path", "--version", "0.9.5"]);
    small.publish("0.9.1", oldProgram("0.9.1"));
    expect(ran).toEqual({ code: 1, said: expect.stringContaining(help) });
    expect(below(home)).toEqual([".local", ".local/bin"]);
  });

  test("install.sh: a foreign claude-mirror is not overwritten unless told", async () => {
    const home = tempFolder("installer");
    const bin = join(home, ".local/bin");
    mkdirSync(bin, { recursive: true });
    writeProgram(join(bin, "claude-mirror"), 'echo "Error: No such command" >&2; exit 2');
    const before = readFileSync(join(bin, "claude-mirror"));
    for (const words of [[], ["--uninstall"]]) {
      const { code, said } = await installer(home, ["--no-modify-path", ...words]);
      expect([code, said]).toEqual([1, expect.stringContaining("is another program")]);
      expect(readFileSync(join(bin, "claude-mirror")).equals(before)).toBe(true);
    }
    expect((await installer(home, ["--no-modify-path", "--force", "--version", "0.9.0"])).code).toBe(0);
  });

  test.each([
    ["an unknown option", ["--nonsense"], "there is no option"],
    ["an option without its value", ["--dir"], "needs a value"],
    ["an address that is not https", ["--base-url", "http://example.com/x"], "is not https"],
    ["a version with a path in it", ["--version", "../../x"], "is no version"],
    ["a release without a place", ["--base-url", ""], "needs a value"],
  ])("install.sh: refuses %s", async (_what, words, said) => {
    const home = tempFolder("installer");
    const asked = small.asked.length;
    expect(await installer(home, words)).toEqual({ code: 2, said: expect.stringContaining(said) });
    expect([small.asked.length, below(home)]).toEqual([asked, []]);
  });

  test("install.sh: cut off anywhere on its own way it does nothing", async () => {
    const text = readFileSync(SCRIPT, "utf8");
    const asked = small.asked.length;
    const home = tempFolder("installer");
    const env = { HOME: home, PATH: "/usr/bin:/bin", CLAUDE_MIRROR_BASE_URL: small.url };
    const end = text.lastIndexOf("main ");
    for (const at of [200, 900, 2500, 4000, 5500, 7000, end]) {
      const child = Bun.spawn(["dash", "-s"], {
        env,
        stdin: Buffer.from(text.slice(0, at)),
        stdout: "ignore",
        stderr: "ignore",
      });
      await child.exited;
    }
    expect([small.asked.length, below(home)]).toEqual([asked, []]);
  });

  test("install.sh: shellcheck finds nothing, and a release's own knows its address", () => {
    const { stdout, exitCode } = Bun.spawnSync(["shellcheck", SCRIPT]);
    expect([stdout.toString(), exitCode]).toEqual(["", 0]);
    const stamped = withReleases(readFileSync(SCRIPT, "utf8"), "https://example.com/releases");
    expect(stamped).toContain("\nRELEASES=https://example.com/releases\n");
    expect(() => withReleases("", "https://x/$(id)")).toThrow("a shell would read");
  });
});

describe("claude-mirror-install", () => {
  function machine() {
    const home = tempFolder("installer");
    const bin = join(home, "bin");
    mkdirSync(bin);
    symlinkSync(program, join(bin, "claude-mirror"));
    symlinkSync("claude-mirror", join(bin, "claude-mirror-install"));
    const system = tempFolder("system");
    writeProgram(join(system, "systemctl"), "exit 0");
    chmodSync(join(system, "systemctl"), 0o755);
    writeProgram(join(system, "bash"), 'echo "a fresh shell"');
    const env = { HOME: home, PATH: `${bin}:${system}:/usr/bin:/bin`, SHELL: join(system, "bash"), TERM: "xterm" };
    return { home, env };
  }

  test("claude-mirror-install: is install, with its flags, and asks for each part", async () => {
    const { home, env } = machine();
    const pty = startInPty(["claude-mirror-install"], { env, cwd: home });
    const answers = { skill: "\r", hook: "y\r", service: "n\r", completion: "y\r", "manual page": "n\r" };
    for (const [part, answer] of Object.entries(answers)) {
      await pty.waitFor(`${part}: write`);
      pty.type(answer);
    }
    await pty.waitFor("Start a fresh shell now");
    pty.type("y\r");
    expect(await pty.exited).toBe(0);
    expect(pty.shown()).toContain("a fresh shell");
    expect(existsSync(join(home, ".claude/skills/claude-mirror/SKILL.md"))).toBe(true);
    expect(existsSync(join(home, ".config/systemd"))).toBe(false);
    expect(readFileSync(join(home, ".bashrc"), "utf8")).toContain("claude-mirror completion bash");
    const gone = Bun.spawnSync(["claude-mirror-install", "--uninstall", "--yes"], { env, cwd: home });
    expect([gone.exitCode, below(home)]).toEqual([0, ["bin", "bin/claude-mirror", "bin/claude-mirror-install"]]);
  });

  test("claude-mirror-install: Ctrl-C at a question leaves what was agreed to and exits 130", async () => {
    const { home, env } = machine();
    const pty = startInPty(["claude-mirror-install"], { env, cwd: home });
    await pty.waitFor("[Y/n]");
    pty.type("\x03");
    expect(await pty.exited).toBe(130);
    expect(existsSync(join(home, ".claude"))).toBe(false);
  });

  test("claude-mirror-install: a real bash that has read the start-up file completes", async () => {
    const { home, env } = machine();
    Bun.spawnSync(["claude-mirror-install", "--only", "completion", "--yes"], { env, cwd: home });
    const ask = ". ~/.bashrc; complete -p claude-mirror";
    const { stdout } = Bun.spawnSync(["/bin/bash", "--norc", "-c", ask], { env, cwd: home });
    expect(stdout.toString()).toBe("complete -F _claude_mirror claude-mirror\n");
    const without = Bun.spawnSync(["/bin/bash", "--norc", "-c", ". ~/.bashrc"], {
      env: { ...env, PATH: "/usr/bin:/bin" },
      cwd: home,
    });
    expect(without.stderr.toString()).toBe("");
  });
});
