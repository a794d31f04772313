import { describe, expect, test } from "bun:test";
import { lstatSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openRecord } from "../../../src/install/record.ts";
import { openInstall } from "../../../src/install/service.ts";
import { completionLine } from "../../../src/platform/shells.ts";
import { cli } from "../../support/cli.ts";
import { installHome } from "../../support/install-home.ts";

const SETTINGS = ".claude/settings.json";
const SKILL = ".claude/skills/claude-mirror/SKILL.md";
const UNIT = ".config/systemd/user/claude-mirror-watch.service";
const HOOK = "claude-mirror inbox --hook";
const PYTHON_HOOK = "claude-mirror inbox 2>/dev/null || true";
const PYTHON_BLOCK = `# >>> claude-mirror tab-completion (added by claude-mirror-install) >>>
eval "$(claude-mirror completion bash)"
# <<< claude-mirror tab-completion <<<
`;

interface Answer {
  readonly result: {
    readonly components: readonly { readonly component: string; readonly state: string; readonly notes: string[] }[];
  };
}
const MAN = ".local/share/man/man1/claude-mirror.1";
const statesOf = (stdout: string) =>
  Object.fromEntries(
    (JSON.parse(stdout) as Answer).result.components.map(({ component, state }) => [component, state]),
  );

describe("install", () => {
  test("install: an empty home gets all parts, again nothing, and after --uninstall nothing is left", async () => {
    const place = installHome();
    const first = await place.install("--yes", "--json");
    const parts = ["skill", "hook", "service", "completion", "man"];
    expect(statesOf(first.stdout)).toEqual(Object.fromEntries(parts.map((part) => [part, "done"])));
    expect(first.code).toBe(0);
    expect(JSON.parse(place.read(SETTINGS)).hooks.PreToolUse[0].hooks[0].command).toBe(HOOK);
    expect(place.read(SKILL)).toContain("name: claude-mirror\n");
    expect(place.read(".bashrc")).toContain(completionLine("bash"));
    expect(place.read(UNIT)).toContain("claude-mirror watch-all\n");
    expect(place.calls()).toEqual([
      "--user daemon-reload",
      "--user enable claude-mirror-watch",
      "--user restart claude-mirror-watch",
    ]);
    const before = place.everything();
    const again = await place.install("--yes", "--json");
    expect(new Set(Object.values(statesOf(again.stdout)))).toEqual(new Set(["unchanged"]));
    expect(place.everything()).toEqual(before);
    const gone = await place.install("--uninstall", "--yes");
    expect([gone.code, place.everything()]).toEqual([0, {}]);
    expect(place.calls().slice(-2)).toEqual(["--user disable --now claude-mirror-watch", "--user daemon-reload"]);
  });

  test("install: files of others get back every byte", async () => {
    const place = installHome();
    place.write(SETTINGS, '{"model":"opus", // mine\n"hooks":{"PreToolUse":[]}}');
    place.write(".bashrc", Buffer.from("alias é=\xff\n\n\n\nlast line without an end", "latin1"));
    place.write(SKILL.replace("claude-mirror/", "other/"), "other");
    const before = place.everything();
    expect((await place.install("--yes")).code).toBe(0);
    expect(place.everything()).not.toEqual(before);
    expect((await place.install("--uninstall", "--yes")).code).toBe(0);
    expect(place.everything()).toEqual(before);
  });

  test("install: what was changed since keeps the changes, and only our part goes", async () => {
    const place = installHome();
    place.write(".bashrc", "first\n\n\n\n");
    await place.install("--yes");
    place.write(SETTINGS, place.read(SETTINGS).replace("{\n", '{\n  "model": "opus",\n'));
    place.write(".bashrc", `${place.read(".bashrc")}\n\n\nlater\n`);
    const { code } = await place.install("--uninstall", "--yes");
    expect(code).toBe(0);
    expect(JSON.parse(place.read(SETTINGS))).toEqual({ model: "opus" });
    expect(place.read(".bashrc")).toBe("first\n\n\n\n\n\n\nlater\n");
    expect(place.has(".local/share/claude-mirror")).toBe(false);
  });

  test("install: a skill that was edited since is kept beside", async () => {
    const place = installHome();
    await place.install("--yes", "--only", "skill");
    place.write(SKILL, "edited");
    const { stdout } = await place.install("--uninstall", "--yes");
    expect(place.has(SKILL)).toBe(false);
    expect(place.read(`${SKILL}.bak`)).toBe("edited");
    expect(stdout).toContain(`is kept as ${join(place.home, SKILL)}.bak`);
  });

  test("install: two parts in one file go one by one, the last one byte for byte", async () => {
    const place = installHome();
    place.write(".bashrc", "mine");
    await place.install("--yes", "--only", "path", "--only", "completion");
    const both = place.read(".bashrc");
    await place.install("--yes", "--uninstall", "--only", "path");
    expect(place.read(".bashrc")).toBe(both.replace(/# >>> claude-mirror path[\s\S]*path <<<\n/, ""));
    await place.install("--yes", "--uninstall", "--only", "completion");
    expect(place.read(".bashrc")).toBe("mine");
  });

  test("install: the Python tool's hook, service and completion are replaced after saying so", async () => {
    const place = installHome();
    const settings = { hooks: { PreToolUse: [{ matcher: "", hooks: [{ type: "command", command: PYTHON_HOOK }] }] } };
    place.write(SETTINGS, JSON.stringify(settings, null, 2));
    place.write(UNIT, "[Service]\nExecStart=/old\n");
    place.write(".bashrc", `a\n${PYTHON_BLOCK}b\n`);
    const asked = await place.install("--dry-run");
    expect(asked.stdout).toContain(`It replaces the hook \`${PYTHON_HOOK}\`.`);
    expect(asked.stdout).toContain("would replace");
    expect(asked.stdout).toContain("It replaces what another version put there.");
    const { code } = await place.install("--yes");
    expect(code).toBe(0);
    expect(place.read(SETTINGS)).not.toContain("/dev/null");
    expect(place.read(".bashrc").split("\n").slice(0, 2)).toEqual(["a", PYTHON_BLOCK.split("\n")[0] ?? ""]);
    expect(place.read(".bashrc").match(/>>> claude-mirror/g)).toHaveLength(1);
    expect(place.read(`${UNIT}.bak`)).toBe("[Service]\nExecStart=/old\n");
  });

  test("install: settings that cannot be read stay as they are, the rest is done", async () => {
    const place = installHome();
    place.write(SETTINGS, '{"hooks": ');
    const { code, stdout } = await place.install("--yes");
    expect([code, place.read(SETTINGS)]).toEqual([3, '{"hooks": ']);
    expect(stdout).toContain("no JSON that can be edited safely: line 1, column 11");
    expect(place.has(SKILL)).toBe(true);
    expect((await place.install("--yes", "--only", "hook")).code).toBe(1);
  });

  test("install: without a terminal it names the flags and writes nothing", async () => {
    const place = installHome();
    const { code, stderr } = await place.install();
    expect(code).toBe(2);
    for (const flag of ["--yes", "--dry-run", "--only"]) expect(stderr).toContain(flag);
    expect((await place.install("--dry-run")).code).toBe(0);
    expect((await place.install("--dry-run", "--uninstall", "--yes")).code).toBe(0);
    expect(place.everything()).toEqual({});
  });

  test("install: a linked settings file stays linked", async () => {
    const place = installHome();
    place.write("dotfiles/settings.json", "{}\n");
    place.write(".claude/x", "");
    symlinkSync(join(place.home, "dotfiles/settings.json"), join(place.home, SETTINGS));
    await place.install("--yes", "--only", "hook");
    expect(lstatSync(join(place.home, SETTINGS)).isSymbolicLink()).toBe(true);
    expect(place.read("dotfiles/settings.json")).toContain(HOOK);
    await place.install("--uninstall", "--yes");
    expect(place.read("dotfiles/settings.json")).toBe("{}\n");
  });

  test("install: a service manager that fails is told, with exit code 3, and the file is in place", async () => {
    const place = installHome({ systemctlFails: "Failed to connect to bus" });
    const { code, stdout } = await place.install("--yes", "--only", "service");
    expect([code, place.has(UNIT)]).toEqual([3, true]);
    expect(stdout).toContain("systemctl --user daemon-reload failed");
    expect(stdout).toContain("Failed to connect to bus");
  });

  test("install: where there is no systemd it says what to do instead", async () => {
    const place = installHome({ systemctl: false });
    const { code, stdout } = await place.install("--yes", "--only", "service");
    expect(code).toBe(0);
    expect(stdout).toContain("not on this machine");
    expect(stdout).toContain("claude-mirror watch --once --quiet");
  });

  test.each([
    ["/usr/bin/zsh", ".zshrc", "completion zsh"],
    ["/usr/bin/fish", ".config/fish/completions/claude-mirror.fish", "completion fish | source"],
    ["/opt/pwsh", ".config/powershell/Microsoft.PowerShell_profile.ps1", "completion powershell"],
  ])("install: completion for %s goes to %s", async (shell, file, text) => {
    const place = installHome({ shell });
    await place.install("--yes", "--only", "completion");
    expect(place.read(file)).toContain(text);
    await place.install("--uninstall", "--yes");
    expect(place.everything()).toEqual({});
  });

  test("install: a shell that nobody knows has no completion, and --shell chooses", async () => {
    const place = installHome({ shell: "/bin/ksh" });
    expect((await place.install("--yes", "--only", "completion")).stdout).toContain('none for your shell "/bin/ksh"');
    await place.install("--yes", "--only", "completion", "--shell", "zsh");
    expect(place.has(".zshrc")).toBe(true);
  });

  test("install: CLAUDE_CONFIG_DIR moves skill and hook", async () => {
    const place = installHome();
    const env = { ...place.env, CLAUDE_CONFIG_DIR: join(place.home, "cc") };
    await cli(["install", "--yes", "--only", "hook", "--only", "skill"], { env, home: place.home });
    expect([place.has("cc/settings.json"), place.has("cc/skills/claude-mirror/SKILL.md")]).toEqual([true, true]);
    expect(place.has(".claude")).toBe(false);
  });

  test("install --print: shows each part and writes nothing", async () => {
    const place = installHome();
    for (const [part, text] of [
      ["skill", "PRE-SYNC REVIEW RULE"],
      ["hook", '"timeout": 10'],
      ["service", "ExecStart="],
      ["completion", "completion bash"],
      ["path", "PATH="],
      ["man", ".TH CLAUDE"],
    ] as const) {
      const { code, stdout } = await place.install("--print", part);
      expect([code, stdout]).toEqual([0, expect.stringContaining(text)]);
    }
    expect(place.everything()).toEqual({});
  });

  test("install: the manual page of another version is replaced, one of somebody else kept beside, and Windows has none", async () => {
    const place = installHome();
    await place.install("--only", "man", "--yes");
    expect(place.read(MAN)).toContain('"claude\\-mirror 1.2.3"');
    const world = { platform: "linux", env: place.env, home: place.home, executable: process.execPath };
    const only = (more: object) =>
      openInstall(
        { ...world, manPage: ".TH NEW", ...more },
        { only: ["man"], uninstall: false, shell: undefined },
      )[0]?.().step;
    expect(only({})).toMatchObject({ action: "change" });
    expect(only({ platform: "win32" })).toMatchObject({ file: null, action: "none" });
    place.write(MAN, "somebody else's");
    expect(only({})).toMatchObject({ action: "replace", notes: [expect.stringContaining(".bak")] });
  });

  test("install: settings that change between the question and the writing are not written over", async () => {
    const place = installHome();
    place.write(SETTINGS, "{}");
    const world = { platform: "linux", env: place.env, home: place.home, executable: process.execPath, manPage: "" };
    const [open] = openInstall(world, { only: ["hook"], uninstall: false, shell: undefined });
    const step = open?.();
    place.write(SETTINGS, '{"model": "opus"}');
    const outcome = await step?.run();
    expect(outcome).toMatchObject({ state: "failed", notes: [expect.stringContaining("changed in the meantime")] });
    expect(place.read(SETTINGS)).toBe('{"model": "opus"}');
  });

  test("install: killed between the record and the file, the next run and its undoing lose nothing", async () => {
    const place = installHome();
    place.write(SETTINGS, '{"a":1}');
    const file = join(place.home, SETTINGS);
    const record = openRecord(join(place.home, ".local/share/claude-mirror/installed"));
    record.set(
      file,
      { components: ["hook"], after: "f".repeat(64), original: "kept", folders: [] },
      Buffer.from('{"a":1}'),
    );
    await place.install("--yes", "--only", "hook");
    expect(place.read(SETTINGS)).toContain(HOOK);
    await place.install("--uninstall", "--yes");
    expect(place.read(SETTINGS)).toBe('{"a":1}');
  });

  test("install: a damaged record is neither believed nor written over", async () => {
    const place = installHome();
    place.write(".local/share/claude-mirror/installed/installed.json", "{");
    const { code, stderr } = await place.install("--yes");
    expect([code, stderr]).toEqual([1, expect.stringContaining("it is damaged")]);
    expect(place.has(SKILL)).toBe(false);
  });

  test("install: the mode of a settings file stays, a new one is private", async () => {
    const place = installHome();
    await place.install("--yes", "--only", "hook");
    expect(statSync(join(place.home, SETTINGS)).mode & 0o777).toBe(0o600);
    const other = installHome();
    other.write(SETTINGS, "{}");
    writeFileSync(join(other.home, SETTINGS), "{}", { mode: 0o644 });
    await other.install("--yes", "--only", "hook");
    expect(statSync(join(other.home, SETTINGS)).mode & 0o777).toBe(0o644);
  });
});
