import { afterAll, expect, test } from "bun:test";
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EXIT } from "../../src/cli/exit.ts";
import { COMMANDS } from "../../src/cli/table.ts";
import { COMPONENTS } from "../../src/install/model.ts";
import { APACHE_USER, startApache } from "../support/apache.ts";
import { selfSigned } from "../support/certificate.ts";
import { writeProgram } from "../support/install-home.ts";
import { commandsOf, ROOT, readPage, shell, somePlace } from "../support/pages.ts";
import { tempFolder } from "../support/temp.ts";
import { userFiles } from "../support/tree.ts";

const QUICKSTART_MS = 60_000;
const stops: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const stop of stops) await stop();
});

/** What runs until somebody ends it is ended as Ctrl-C does, and that is no failure. */
const ended = (line: string) => (/ watch| --follow/.test(line) ? `timeout --preserve-status -s INT 1 ${line}` : line);
const isScript = (line: string) => line.startsWith("./scripts/");

test("README: every command of it does what it says", async () => {
  const lines = commandsOf("README.md").filter((line) => !isScript(line));
  expect(lines.length).toBeGreaterThanOrEqual(14);
  const place = await somePlace();
  const mirror = join(place.home, "mirror");
  let snapshot = "";
  for (const line of lines) {
    place.run(ended(line), { "/path/to/mirror": mirror, "2026-03-05T10-30-00Z": snapshot });
    if (line === "claude-mirror push") {
      [snapshot = ""] = /\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ/.exec(place.run("claude-mirror snapshots --json")) ?? [];
      writeFileSync(join(place.project, "CLAUDE.md"), "# My project, edited\n");
    }
  }
  expect(userFiles(mirror)).toEqual({
    "CLAUDE.md": "# My project, edited\n",
    "memory/notes.md": "- a note\n",
    "old.md": "old\n",
  });
  expect(readFileSync(join(place.project, "recovered/CLAUDE.md"), "utf8")).toBe("# My project\n");
});

test("docs/notifications.md: every command of it does what it says, and its settings are read", async () => {
  const place = await somePlace();
  place.run(`claude-mirror init --local-folder ${join(place.home, "mirror")}`);
  for (const line of commandsOf("docs/notifications.md")) place.run(ended(line));
  const yaml = join(place.home, ".config/claude_mirror/my-project.yaml");
  const [, example = ""] = /^```yaml\n([\s\S]*?)^```$/m.exec(readPage("docs/notifications.md")) ?? [];
  const rest = readFileSync(yaml, "utf8").replace(/^slack_enabled.*\n/m, "");
  writeFileSync(yaml, rest + example);
  expect(place.run("claude-mirror status")).not.toContain("not known");
});

test("docs/install.md: every command of it does what it says, and its tables are whole", async () => {
  const place = await somePlace({ SHELL: "/bin/bash" });
  writeFileSync(join(place.home, ".bashrc"), "mine\n");
  writeProgram(join(place.home, "bin/systemctl"), "exit 0");
  for (const line of commandsOf("docs/install.md")) {
    place.run(line);
    if (line.includes("--only"))
      expect(existsSync(join(place.home, ".claude/skills/claude-mirror/SKILL.md"))).toBe(true);
  }
  expect(readdirSync(place.home).sort()).toEqual([".bashrc", "bin", "my-project"]);
  expect(readFileSync(join(place.home, ".bashrc"), "utf8")).toBe("mine\n");
  const page = readPage("docs/install.md");
  const parts = [...page.matchAll(/^\| `([a-z]+)` \|/gm)].map(([, name = ""]) => name);
  expect(parts.sort()).toEqual([...COMPONENTS].sort());
  const named = (text: string) => new Set([...text.matchAll(/--[a-z-]+|CLAUDE_MIRROR_[A-Z_]+/g)].map(([word]) => word));
  const [, help = ""] = /cat <<'END'\n([\s\S]*?)\nEND/.exec(readPage("install.sh")) ?? [];
  for (const word of named(help))
    if (word !== "--help") expect([word, page.includes(`\`${word}`)]).toEqual([word, true]);
});

test("README: names commands, files and exit codes that exist", () => {
  for (const page of ["README.md", "docs/webdav.md", "docs/mirrors.md", "docs/notifications.md", "docs/install.md"]) {
    const text = readPage(page);
    const named = [...text.matchAll(/claude-mirror ([a-z-]+)/g)].map(([, name = ""]) => name);
    const known = named.filter((name) => name in COMMANDS);
    expect(known.length).toBeGreaterThan(1);
    for (const [, name = ""] of text.matchAll(/`claude-mirror ([a-z-]+)/g))
      expect([page, name in COMMANDS]).toEqual([page, true]);
    for (const [, target = ""] of text.matchAll(/\]\(([^):#]+)\)/g))
      expect([target, existsSync(join(ROOT, target))]).toEqual([target, true]);
    for (const [script = ""] of text.matchAll(/\bscripts\/[a-z-]+\.(sh|ts)/g))
      expect([script, existsSync(join(ROOT, script))]).toEqual([script, true]);
  }
  const codes = [...readPage("README.md").matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
  expect(codes).toEqual(Object.values(EXIT).sort((a, b) => a - b));
});

test(
  "README: quickstart.sh works in an empty HOME, in under a minute",
  () => {
    const line = commandsOf("README.md").find((command) => command.includes("quickstart"));
    expect(line).toBe("./scripts/quickstart.sh");
    const home = tempFolder("quickstart");
    const env = { HOME: home, TMPDIR: home, PATH: process.env["PATH"] ?? "" };
    const started = performance.now();
    const said = shell(line ?? "", { cwd: ROOT, env });
    expect(performance.now() - started).toBeLessThan(QUICKSTART_MS);
    const place = (name: string) => new RegExp(`^  ${name} +(.+)$`, "m").exec(said)?.[1] ?? "";
    expect(userFiles(place("mirror"))).toEqual(userFiles(place("project")));
    const [old, now] = [readFileSync(place("old version"), "utf8"), userFiles(place("project"))["memory/decisions.md"]];
    expect(now?.startsWith(old)).toBe(true);
    expect(now === old).toBe(false);
    expect(said).toContain("+- Changed a moment later.");
    // What it tells the reader to go on with works as it stands.
    const next = /To go on playing with the sample:\n( {2}export .*)\n( {2}cd .*)\n/.exec(said);
    const again = shell(`${next?.[1]}\n${next?.[2]}`, { cwd: home, env });
    expect(again).toContain("in sync");
  },
  2 * QUICKSTART_MS,
);

test(
  "README: quickstart.sh sets a project of one's own up, and says so when it is set up already",
  () => {
    expect(readPage("README.md")).toContain("`./scripts/quickstart.sh PROJECT_DIR [MIRROR_DIR]`");
    const home = tempFolder("quickstart");
    const env = { HOME: home, TMPDIR: home, PATH: process.env["PATH"] ?? "" };
    const [project, mirror] = [join(home, "my own"), join(home, "its mirror")];
    mkdirSync(project);
    writeFileSync(join(project, "CLAUDE.md"), "# Mine\n");
    shell(`./scripts/quickstart.sh '${project}' '${mirror}'`, { cwd: ROOT, env });
    expect(userFiles(mirror)).toEqual(userFiles(project));
    expect(userFiles(mirror)["CLAUDE.md"]).toBe("# Mine\n");
    const again = Bun.spawnSync(["./scripts/quickstart.sh", project], { cwd: ROOT, env, stdin: "ignore" });
    expect([again.exitCode, again.stderr.toString()]).toEqual([1, expect.stringContaining("already set up")]);
  },
  4 * QUICKSTART_MS,
);

test("README: test.sh is what continuous integration calls", () => {
  expect(commandsOf("README.md").filter(isScript)).toEqual(["./scripts/quickstart.sh", "./scripts/test.sh"]);
  for (const script of ["scripts/quickstart.sh", "scripts/test.sh", ".ci/run"])
    accessSync(join(ROOT, script), constants.X_OK);
  expect(readPage(".ci/run")).toContain("scripts/test.sh");
});

test("docs/webdav.md: every command of it works against an Apache with a certificate of its own", async () => {
  const tls = selfSigned();
  const server = await startApache({ auth: "basic", tls });
  stops.push(() => server.stop());
  // Typed at the prompt by a person; test/e2e/prompt.test.ts does that.
  const password = { CLAUDE_MIRROR_WEBDAV_PASSWORD: APACHE_USER.password };
  const place = await somePlace({ NODE_EXTRA_CA_CERTS: tls.certificate, ...password });
  const placeholders = {
    "https://cloud.example/remote.php/dav/files/ada": `${server.origin}/dav/files of ada`.replaceAll(" ", "%20"),
    "--webdav-username ada": `--webdav-username ${APACHE_USER.username}`,
    "/etc/ssl/my-authority.pem": tls.certificate,
  };
  const lines = commandsOf("docs/webdav.md");
  for (const placeholder of Object.keys(placeholders)) expect(lines.join("\n")).toContain(placeholder);
  for (const line of lines) place.run(line, placeholders);
  expect(userFiles(join(server.root, "files of ada/my-project"))).toEqual(userFiles(place.project));
});

test("docs/webdav.md: the messages that it explains are the ones that are shown", () => {
  const files = ["webdav/errors", "webdav/folders", "webdav/listing", "webdav/connection", "http-trouble"];
  const source = files.map((name) => readPage(`src/backends/${name}.ts`));
  const rows = [...readPage("docs/webdav.md").matchAll(/^\| `([^`]+)`.*\|.*\|.*\|$/gm)].map(
    ([, message = ""]) => message,
  );
  expect(rows.length).toBeGreaterThanOrEqual(6);
  for (const message of rows) {
    if (message.startsWith("--webdav-url") || message.startsWith("http")) continue;
    const parts = message
      .split(/\bN\b| to "\.\.\."|\.\.\.|^Could not /)
      .map((part) => part.trim())
      .filter((part) => part !== "");
    for (const part of parts) expect([part, source.some((text) => text.includes(part))]).toEqual([part, true]);
  }
});
