import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { AVAILABLE_KINDS } from "../../../src/backends/registry.ts";
import { loadConfig } from "../../../src/settings/load.ts";
import { machineFrom } from "../../../src/settings/machine.ts";
import { formatNewConfig } from "../../../src/settings/writer.ts";
import { filesBelow, type SetupLab, setupLab } from "../../support/setup-lab.ts";

const URL_FLAGS = ["--webdav-url", "https://cloud.example/dav/notes", "--webdav-username", "me"];
const settings = (lab: SetupLab, file = lab.configFile) => loadConfig(file, machineFrom(lab.env));

describe("init with another backend", () => {
  test("init: the token of the backend before is not the new one's, whose sign-in would write over it", async () => {
    const lab = setupLab();
    const token = join(lab.configDir, "work-token.json");
    await lab.json(["init", ...URL_FLAGS, "--token-file", token]);
    await lab.json(["init", "--dropbox-app-key", "k3y", "--backend", "dropbox"]);
    expect(settings(lab).tokenFile).toBe(join(lab.configDir, "dropbox-notes-token.json"));
  });
});

describe("init with a local folder", () => {
  test("init: writes the settings that the Python tool would write, readable by the owner alone, and makes the folder", async () => {
    const lab = setupLab();
    const mirror = join(lab.home, "mirror");
    const run = await lab.run(["init", "--local-folder", "../../mirror", "--exclude", "archive/**"]);
    expect(run.stderr).toBe("");
    expect(run.code).toBe(0);
    expect(run.stdout).toContain("Next: claude-mirror push");
    expect(existsSync(mirror)).toBe(true);
    const values = {
      backend: "local",
      local_folder: mirror,
      project_path: lab.project,
      exclude_patterns: ["archive/**"],
    };
    expect(readFileSync(lab.configFile, "utf8")).toBe(formatNewConfig(values, machineFrom(lab.env)));
    expect(statSync(lab.configFile).mode & 0o777).toBe(0o600);
    expect(statSync(lab.configDir).mode & 0o777).toBe(0o700);
    expect(settings(lab)).toMatchObject({ machineName: hostname(), user: "alice", snapshotFormat: "blobs" });
  });

  test("init: answers --json with what was done", async () => {
    const lab = setupLab();
    const result = await lab.json(["init", "--local-folder", join(lab.home, "m")]);
    expect(result).toMatchObject({
      config: lab.configFile,
      project_path: lab.project,
      backend: "local",
      remote: join(lab.home, "m"),
      remote_created: true,
      created: true,
      dry_run: false,
      next: "claude-mirror push",
    });
  });

  test("init: --dry-run writes nothing, nowhere", async () => {
    const lab = setupLab();
    const run = await lab.run(["init", "--local-folder", join(lab.home, "m"), "--dry-run"]);
    expect(run.code).toBe(0);
    expect(run.stdout).toContain("Would set up");
    expect(existsSync(join(lab.home, "m"))).toBe(false);
    expect(existsSync(lab.configDir)).toBe(false);
  });

  test("init: pokes a running watcher with the time as Python writes it", async () => {
    const lab = setupLab();
    const clock = { now: () => 1_763_658_508_677.552, sleep: async () => {} };
    await lab.run(["init", "--local-folder", join(lab.home, "m")], { clock });
    expect(readFileSync(join(lab.configDir, ".reload_signal"), "utf8")).toBe("1763658508.677552\n");
  });

  test.each([
    ["the project itself", "."],
    ["inside the project", "sub"],
    ["around the project", ".."],
  ])("init: refuses a local folder that is %s", async (_what, folder) => {
    const lab = setupLab();
    const run = await lab.run(["init", "--local-folder", folder]);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain("outside the project");
    expect(existsSync(lab.configFile)).toBe(false);
  });

  test("init: sees through links when it compares folders", async () => {
    const lab = setupLab();
    symlinkSync(lab.project, join(lab.home, "link"));
    const run = await lab.run(["init", "--local-folder", join(lab.home, "link/deep/er")]);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain("inside the project");
  });
});

describe("init on an existing project", () => {
  test("init: changes only what is given; comments, order, unknown keys and the rest stay", async () => {
    const lab = setupLab();
    mkdirSync(lab.configDir, { recursive: true });
    const before = `# mine\nproject_path: ${lab.project}\nfuture_key: 1 # keep\nbackend: local\nlocal_folder: ${join(lab.home, "m")}\npoll_interval: 30   # often\n`;
    writeFileSync(lab.configFile, before);
    const result = await lab.json(["init", "--poll-interval", "60", "--exclude", "a/**"]);
    expect(result).toMatchObject({ created: false, changed: ["exclude_patterns", "poll_interval"] });
    expect(readFileSync(lab.configFile, "utf8")).toBe(
      `${before.replace("poll_interval: 30", "poll_interval: 60")}exclude_patterns:\n- a/**\n`,
    );
    expect(statSync(lab.configFile).mode & 0o777).toBe(0o600);
  });

  test("init: a run that changes nothing writes nothing", async () => {
    const lab = setupLab();
    await lab.run(["init", "--local-folder", join(lab.home, "m")]);
    // The index of projects is made anew after a change, and then stays.
    await lab.run(["find-config"]);
    const before = filesBelow(lab.home).map(({ path }) => [path, statSync(path).mtimeMs, statSync(path).ino]);
    const run = await lab.run(["init", "--local-folder", join(lab.home, "m")]);
    expect(run.code).toBe(0);
    expect(run.stdout).toContain("Nothing to change");
    expect(filesBelow(lab.home).map(({ path }) => [path, statSync(path).mtimeMs, statSync(path).ino])).toEqual(before);
  });

  test("init: is found from the config of the project, whatever its name", async () => {
    const lab = setupLab();
    const other = join(lab.configDir, "other.yaml");
    await lab.run(["init", "--local-folder", join(lab.home, "m"), "--config", other]);
    const result = await lab.json(["init", "--slack", "--slack-channel", "#x"]);
    expect(result).toMatchObject({ config: other, changed: ["slack_channel", "slack_enabled"], next: null });
    expect(existsSync(lab.configFile)).toBe(false);
  });

  test("init: going over to WebDAV drops the key that the Python tool does not know and takes a token file of its own", async () => {
    const lab = setupLab();
    await lab.run(["init", "--local-folder", join(lab.home, "m")]);
    const result = await lab.json(["init", ...URL_FLAGS]);
    expect(result["next"]).toBe("claude-mirror auth");
    expect(readFileSync(lab.configFile, "utf8")).not.toContain("local_folder");
    expect(settings(lab)).toMatchObject({
      backend: "webdav",
      tokenFile: join(lab.configDir, "webdav-notes-token.json"),
    });
  });

  test("init: a file that belongs to another project is left alone, and --config is named", async () => {
    const lab = setupLab();
    await lab.run(["init", "--local-folder", join(lab.home, "m")]);
    const twin = join(lab.home, "elsewhere", "notes");
    mkdirSync(twin, { recursive: true });
    const before = readFileSync(lab.configFile, "utf8");
    const run = await lab.run(["init", "--local-folder", join(lab.home, "n")], { cwd: twin });
    expect(run.code).toBe(2);
    expect(run.stderr).toContain("--config");
    expect(run.stderr).toContain(lab.project);
    expect(readFileSync(lab.configFile, "utf8")).toBe(before);
  });

  test("init: a second config for one project works and says that commands need --config", async () => {
    const lab = setupLab();
    await lab.run(["init", "--local-folder", join(lab.home, "m")]);
    const second = join(lab.configDir, "second.yaml");
    const run = await lab.run(["init", "--config", second, "--local-folder", join(lab.home, "n")]);
    expect(run.code).toBe(0);
    expect(run.stderr).toContain("commands need --config");
    const third = await lab.run(["init", "--poll-interval", "9"]);
    expect(third.code).toBe(2);
    expect(third.stderr).toContain(second);
  });

  test("init: a YAML with a syntax error is named with its line and stays as it is", async () => {
    const lab = setupLab();
    mkdirSync(lab.configDir, { recursive: true });
    writeFileSync(lab.configFile, "project_path: [\nbackend: local\n");
    const run = await lab.run(["init", "--local-folder", join(lab.home, "m")]);
    expect(run.code).toBe(1);
    expect(run.stderr).toMatch(/notes\.yaml": line \d/);
    expect(readFileSync(lab.configFile, "utf8")).toBe("project_path: [\nbackend: local\n");
  });
});

describe("init with WebDAV", () => {
  test("init: the password goes to the token file only, and nothing that others can read or see holds it", async () => {
    const lab = setupLab();
    const run = await lab.run(["init", ...URL_FLAGS, "--webdav-password-stdin"], { stdin: "s3cret wörd\n" });
    expect(run.code).toBe(0);
    expect(run.stdout).toContain("Next: claude-mirror auth");
    const token = join(lab.configDir, "webdav-notes-token.json");
    expect(JSON.parse(readFileSync(token, "utf8"))).toEqual({ username: "me", password: "s3cret wörd" });
    expect(run.stdout + run.stderr).not.toContain("s3cret");
    const holders = filesBelow(lab.home).filter(({ text }) => text.includes("s3cret"));
    expect(holders.map(({ path, mode }) => [path, mode])).toEqual([[token, 0o600]]);
  });

  test("init: --webdav-password works and warns; the environment works silently", async () => {
    const lab = setupLab();
    const plain = await lab.run(["init", ...URL_FLAGS, "--webdav-password", "hunter22"]);
    expect(plain.code).toBe(0);
    expect(plain.stderr).toContain("list of processes");
    expect(plain.stdout + plain.stderr).not.toContain("hunter22");
    const fresh = setupLab();
    const run = await fresh.run(["init", ...URL_FLAGS], { env: { CLAUDE_MIRROR_WEBDAV_PASSWORD: "hunter23" } });
    expect(run.stderr).toBe("");
    expect(readFileSync(join(fresh.configDir, "webdav-notes-token.json"), "utf8")).toContain("hunter23");
  });

  test("init: a password meant for another project does not replace the token on an unrelated change", async () => {
    const lab = setupLab();
    await lab.run(["init", ...URL_FLAGS, "--webdav-password-stdin"], { stdin: "right" });
    await lab.run(["init", "--poll-interval", "60"], { env: { CLAUDE_MIRROR_WEBDAV_PASSWORD: "other" } });
    expect(readFileSync(join(lab.configDir, "webdav-notes-token.json"), "utf8")).toContain("right");
  });

  test("init: a new password takes an old one out of the settings", async () => {
    const lab = setupLab();
    await lab.run(["init", ...URL_FLAGS]);
    const text = readFileSync(lab.configFile, "utf8");
    writeFileSync(lab.configFile, text.replace("webdav_password: ''", "webdav_password: stale"));
    await lab.run(["init", "--webdav-password-stdin"], { stdin: "fresh" });
    expect(readFileSync(lab.configFile, "utf8")).toBe(text);
  });

  test.each([
    ["ftp://cloud.example/x", "no web address"],
    ["cloud.example/x", "no web address"],
    ["http://cloud.example/x", "--webdav-insecure-http"],
    ["https://me:hunter24@cloud.example/x", "--webdav-username"],
    ["https://cloud.example/x#y", "%23"],
  ])("init: refuses the address %s", async (url, said) => {
    const lab = setupLab();
    const run = await lab.run(["init", "--webdav-url", url]);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain(said);
    expect(run.stderr).not.toContain("hunter24");
    expect(existsSync(lab.configDir)).toBe(false);
  });

  test("init: http is allowed when it is asked for, with a warning", async () => {
    const lab = setupLab();
    const run = await lab.run(["init", "--webdav-url", "http://nas.local/dav", "--webdav-insecure-http"]);
    expect(run.code).toBe(0);
    expect(run.stderr).toContain("in the clear");
    expect(settings(lab).webdavInsecureHttp).toBe(true);
  });

  test("init: a token file inside the project is refused: it would be mirrored", async () => {
    const lab = setupLab();
    const run = await lab.run(["init", ...URL_FLAGS, "--token-file", "token.json"]);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain("inside the project");
  });
});

const LACKING = ["googledrive", "dropbox"].filter((kind) => !(AVAILABLE_KINDS as readonly string[]).includes(kind));

describe("init says no", () => {
  test.each([
    ["no backend and no flag of one", [], "--webdav-url"],
    ...LACKING.map(
      (kind) => [`${kind}, which this version lacks`, ["--backend", kind], "does not have it yet"] as const,
    ),
    ["a backend that there is not", ["--backend", "floppy"], "no such backend"],
    ["flags of two backends", ["--local-folder", "/m", "--webdav-url", "https://x.example/"], "do not go together"],
    ["a flag of the other backend", ["--backend", "webdav", "--local-folder", "/m"], "does not go with"],
    ["a backend without its place", ["--backend", "local"], "--local-folder DIR"],
    ["a malformed pattern", ["--local-folder", "/m", "--patterns", "a**b"], "--patterns"],
    ["an empty pattern", ["--local-folder", "/m", "--patterns="], "empty"],
    ["a project that is missing", ["--project", "nope", "--local-folder", "/m"], "--project"],
    [
      "a password without a name",
      ["--webdav-url", "https://x.example/d", "--webdav-password", "x"],
      "--webdav-username",
    ],
    ["a webhook that is no https address", ["--local-folder", "/m", "--slack-webhook-url", "hush"], "https://"],
  ])("init: exits 2 for %s", async (_what, flags, said) => {
    const lab = setupLab();
    const run = await lab.run(["init", ...flags]);
    expect(run.code).toBe(2);
    expect(run.stderr).toContain(said);
    expect(existsSync(lab.configFile)).toBe(false);
  });

  test("init: below an existing project it points at that one", async () => {
    const lab = setupLab();
    await lab.run(["init", "--local-folder", join(lab.home, "m")]);
    const sub = join(lab.project, "sub");
    mkdirSync(sub);
    const run = await lab.run(["init", "--poll-interval", "60"], { cwd: sub });
    expect(run.code).toBe(2);
    expect(run.stderr).toContain(`--project "${lab.project}"`);
  });

  test("init: a local folder that cannot be made leaves no settings behind", async () => {
    const lab = setupLab();
    writeFileSync(join(lab.home, "file"), "");
    const run = await lab.run(["init", "--local-folder", join(lab.home, "file", "m")]);
    expect(run.code).not.toBe(0);
    expect(existsSync(lab.configFile)).toBe(false);
  });

  test("init: hints at patterns that do not mean what they look like", async () => {
    const lab = setupLab();
    const run = await lab.run(["init", "--local-folder", join(lab.home, "m"), "--exclude", "build/"]);
    expect(run.code).toBe(0);
    expect(run.stderr).toContain('Hint: exclude pattern "build/": it excludes nothing; write build');
  });
});

describe("init and git", () => {
  test("init: prints the lines for .gitignore where nobody can be asked, and edits nothing", async () => {
    const lab = setupLab();
    mkdirSync(join(lab.project, ".git"));
    const run = await lab.run(["init", "--local-folder", join(lab.home, "m")]);
    expect(run.stderr).toContain("  .claude_mirror_*\n  !.claude_mirror_ignore\n");
    expect(existsSync(join(lab.project, ".gitignore"))).toBe(false);
  });

  test.each([
    ["yes", "y\n", "*.log\n.claude_mirror_*\n!.claude_mirror_ignore\n"],
    ["no", "n\n", "*.log"],
  ])("init: asks in a terminal, and takes %s for an answer", async (_what, stdin, after) => {
    const lab = setupLab();
    mkdirSync(join(lab.project, ".git"));
    writeFileSync(join(lab.project, ".gitignore"), "*.log");
    await lab.run(["init", "--local-folder", join(lab.home, "m")], { terminal: true, stdin });
    expect(readFileSync(join(lab.project, ".gitignore"), "utf8")).toBe(after);
  });

  test("init: offers nothing outside git, and nothing that a .gitignore says already", async () => {
    const lab = setupLab();
    const offer = async () =>
      (await lab.json(["init", "--dry-run", "--local-folder", join(lab.home, "m")]))["gitignore"];
    expect(await offer()).toBeNull();
    mkdirSync(join(lab.home, "work", ".git"));
    expect(await offer()).toMatchObject({ file: join(lab.project, ".gitignore"), added: false });
    writeFileSync(join(lab.home, "work", ".gitignore"), "/notes/.claude_mirror_*\n");
    expect(await offer()).toBeNull();
  });
});
