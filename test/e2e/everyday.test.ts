import { afterEach, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { compiledBinary } from "../support/binary.ts";
import { type OwnMachine, ownMachine } from "../support/own-machine.ts";
import { tempFolder } from "../support/temp.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

let binary: string;
let remote: string;
let alice: OwnMachine;
let bob: OwnMachine;
const running: Bun.Subprocess[] = [];

beforeAll(async () => {
  binary = await compiledBinary();
  remote = join(tempFolder("everyday"), "remote");
  mkdirSync(remote);
  const place = { settings: { backend: "local", local_folder: remote }, token: undefined };
  [alice, bob] = await Promise.all([ownMachine("alice", place), ownMachine("bob", place)]);
  alice.write("CLAUDE.md", "one\n");
  alice.write("memory/notes.md", "two\n");
  await ok(alice, "push");
  await ok(bob, "pull");
});
afterEach(async () => {
  for (const child of running.splice(0)) {
    child.kill("SIGKILL");
    await child.exited;
  }
});

async function ok(machine: OwnMachine, ...words: string[]) {
  const run = await machine.run(words);
  if (run.code !== 0) throw new Error(`${words.join(" ")} ended with ${run.code}: ${run.stdout}${run.stderr}`);
  return run;
}

/** What a lasting command has said so far. */
function started(machine: OwnMachine, ...words: string[]) {
  const child = Bun.spawn([binary, ...words], {
    cwd: machine.project,
    env: { HOME: machine.home },
    stdout: "pipe",
    stderr: "pipe",
  });
  running.push(child);
  const said = { out: "", err: "" };
  const collect = async (stream: ReadableStream<Uint8Array>, to: "out" | "err") => {
    for await (const chunk of stream) said[to] += new TextDecoder().decode(chunk);
  };
  const ended = Promise.all([collect(child.stdout, "out"), collect(child.stderr, "err")]);
  return {
    said,
    async until(holds: () => boolean) {
      const deadline = Date.now() + 40_000;
      while (!holds()) {
        if (Date.now() > deadline) throw new Error(`it did not happen: ${said.out}${said.err}`);
        await Bun.sleep(5);
      }
    },
    async end(signal: NodeJS.Signals) {
      child.kill(signal);
      const code = await child.exited;
      await ended;
      return code;
    },
  };
}

test("log --follow: shows what is there and what comes, and Ctrl-C ends it with exit code 0", async () => {
  const text = started(bob, "log", "--follow", "--limit", "1");
  const json = started(bob, "log", "-f", "--json", "--interval", "1");
  await Promise.all([text.until(() => text.said.out !== ""), json.until(() => json.said.out !== "")]);
  expect(text.said.out).toMatch(/^\[[-0-9: ]+\] bob@bob pull CLAUDE.md, memory\/notes.md in 'project'\n$/);
  alice.write("new.md", "new\n");
  await ok(alice, "push");
  await Promise.all([
    text.until(() => text.said.out.includes("alice@alice push new.md")),
    json.until(() => json.said.out.includes("new.md")),
  ]);
  expect(await Promise.all([text.end("SIGINT"), json.end("SIGTERM")])).toEqual([0, 0]);
  const lines = json.said.out.trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line))).toEqual(
    ["push", "pull", "push"].map((action) =>
      expect.objectContaining({
        version: 1,
        command: "log",
        result: expect.objectContaining({ action, snapshot_timestamp: null }),
      }),
    ),
  );
  expect([text.said.err, json.said.err]).toEqual(["", ""]);
});

test("status --presence: names who else was active, never oneself", async () => {
  const [text, json] = await Promise.all([ok(bob, "status", "--presence"), ok(bob, "status", "--presence", "--json")]);
  expect(text.stdout).toMatch(/Active in the last 24 hours:\n {4}alice@alice {2}push .*(just now|min ago) {2}new.md/);
  expect((json.json as unknown as { presence: unknown[] }).presence).toEqual([
    {
      user: "alice",
      machine: "alice",
      last_action: "push",
      last_timestamp: expect.any(String),
      recent_files: ["new.md", "CLAUDE.md", "memory/notes.md"],
    },
  ]);
  const plain = await ok(bob, "status", "--json");
  expect(plain.json).not.toHaveProperty("presence");
});

test("prompt: is right after every edit, prints nothing outside of projects, and never fails", async () => {
  const prompt = async (...words: string[]) => {
    const { code, stdout, stderr } = await bob.run(["prompt", ...words]);
    expect([code, stderr]).toEqual([0, ""]);
    return stdout;
  };
  await ok(bob, "pull");
  expect(await prompt()).toBe("✓\n");
  expect(await prompt("--quiet-when-clean")).toBe("");
  bob.write("memory/notes.md", "2 wo\n");
  bob.write("memory/mine.md", "mine\n");
  expect(await prompt("--format=ascii", "--prefix", "(", "--suffix", ")")).toBe("(+2)\n");
  const notice = {
    timestamp: "",
    title: "",
    message: "",
    user: "a",
    machine: "a",
    files: ["x.md", "y.md"],
    project: "project",
    action: "push",
  };
  appendFileSync(join(bob.project, ".claude_mirror_inbox.jsonl"), `${JSON.stringify(notice)}\nno json\n`);
  expect(JSON.parse(await prompt("--format", "json"))).toEqual({
    project: bob.project,
    in_sync: 2,
    local_ahead: 2,
    remote_ahead: 2,
    conflicts: 0,
    no_manifest: false,
    error: null,
  });
  bob.configure({ exclude_patterns: ["memory/**"] });
  expect(await prompt()).toBe("↓2\n");
  bob.configure({ file_patterns: 7 });
  expect(await prompt()).toBe("?\n");
  bob.configure({ file_patterns: ["**/*"], exclude_patterns: [] });
  expect(await bob.run(["prompt"], { cwd: bob.home })).toMatchObject({ code: 0, stdout: "", stderr: "" });
  expect(await bob.run(["prompt", "--format", "nice"])).toMatchObject({ code: 2, stdout: "" });
});

test("prompt: a conflict that a run has left counts as one, not as a change here", async () => {
  alice.write("CLAUDE.md", "alice's\n");
  await ok(alice, "push");
  bob.write("CLAUDE.md", "bob's\n");
  await ok(bob, "inbox");
  expect((await bob.run(["push"])).code).toBe(4);
  expect((await bob.run(["prompt"])).stdout).toBe("✗1\n");
});

interface Health {
  readonly overall: string;
  readonly checks: readonly { readonly name: string; readonly status: string; readonly detail: string }[];
}

function healthOf(run: { readonly json: unknown }) {
  const { overall, checks } = run.json as Health;
  return {
    overall,
    bad: checks.filter(({ status }) => status !== "ok").map(({ name, status }) => `${name} ${status}`),
  };
}

test("health: 0 when all is well, 3 with warnings, 1 when something fails; the answer is JSON on stdout each time", async () => {
  const well = await alice.run(["health", "--json"]);
  expect([well.code, well.stderr, healthOf(well)]).toEqual([0, "", { overall: "ok", bad: [] }]);
  const names = (well.json as unknown as Health).checks.map(({ name }) => name);
  expect(names).toEqual([
    "config",
    "last_sync",
    "conflicts",
    "inbox",
    "last_run",
    "watcher",
    "token:local",
    "backend:local",
  ]);
  const conflict = await bob.run(["health"]);
  expect(conflict.code).toBe(3);
  expect(conflict.stdout).toContain("warn  conflicts: 1 left\n      Run claude-mirror conflict list.\n");
  const stale = await bob.run(["health", "--json", "--no-backends", "--warn-after", "0", "--fail-after", "0"]);
  expect([stale.code, healthOf(stale)]).toEqual([1, { overall: "fail", bad: ["last_sync fail", "conflicts warn"] }]);
  renameSync(remote, `${remote}-away`);
  const away = await alice.run(["health", "--json"]);
  renameSync(`${remote}-away`, remote);
  expect([away.code, healthOf(away)]).toEqual([1, { overall: "fail", bad: ["backend:local fail"] }]);
  alice.configure({ parallel_workers: "many" });
  const broken = await alice.run(["health", "--json"]);
  alice.configure({ parallel_workers: 5 });
  expect([broken.code, healthOf(broken)]).toEqual([1, { overall: "fail", bad: ["config fail"] }]);
  expect((await alice.run(["health"], { cwd: alice.home })).code).toBe(2);
});

test("health: a server that takes calls and never answers is given up after --timeout, and named", async () => {
  const server = createServer(() => undefined);
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as { port: number }).port));
  });
  const url = `http://127.0.0.1:${port}/dav/`;
  const settings = { backend: "webdav", webdav_url: url, webdav_username: "me", webdav_insecure_http: true };
  const carol = await ownMachine("carol", { settings, token: { username: "me", password: "x" } });
  try {
    const run = await carol.run(["health", "--json", "--timeout", "1"]);
    expect([run.code, healthOf(run).bad]).toEqual([1, ["last_sync warn", "backend:webdav fail"]]);
    expect(run.stdout).toContain("no answer within 1 s");
  } finally {
    server.close();
  }
});

test("tree: shows the sides that have each file, and what is not plain", async () => {
  alice.write("memory/deep/er/x.md", "12345");
  const all = await ok(bob, "tree", "--show-size");
  expect(all.stdout).toBe(
    [
      "project",
      "├── CLAUDE.md  [both, conflict]  6 B",
      "├── memory/",
      "│   ├── mine.md  [both]  5 B",
      "│   └── notes.md  [both]  5 B",
      "└── new.md  [both]  4 B",
      "",
      "4 files in 1 folder, 20 B: 4 on both sides, 0 only here, 0 only on the remote",
      "",
    ].join("\n"),
  );
  const flat = await ok(alice, "tree", "--depth", "1", "--ascii");
  expect(flat.stdout.split("\n").slice(0, 4)).toEqual([
    "project",
    "|-- CLAUDE.md  [both]",
    "|-- memory/  (3 files)",
    "`-- new.md  [both]",
  ]);
  const json = await ok(alice, "tree", "memory", "--json");
  const files = json.json.files as readonly Readonly<Record<string, unknown>>[];
  expect(files.map(({ path, where, status, size }) => [path, where, status, size])).toEqual([
    ["memory/deep/er/x.md", "local", "new_local", 5],
    ["memory/mine.md", "remote", "new_remote", 5],
    ["memory/notes.md", "both", "remote_ahead", 4],
  ]);
  expect((await ok(alice, "tree", "--remote", "memory/deep")).stdout).toContain("0 files in 0 folders");
  expect((await alice.run(["tree", "nothing.md"])).code).toBe(2);
});

test("stats: counts files, versions and stored bytes; offline says the same of what this machine has seen", async () => {
  const text = await ok(alice, "stats", "--top", "1");
  expect(text.stdout).toMatch(/^Files {6}3 files, 16 B\nSnapshots {2}4, /);
  expect(text.stdout).toMatch(/Changed most .*\n.*\n.* CLAUDE.md .* 2 /);
  expect(text.stdout).toMatch(/User .*\n.*\n│ (alice|bob) .*\n│ all /);
  const json = (await ok(alice, "stats", "--by", "action", "--json")).json as unknown as Readonly<
    Record<string, never>
  >;
  expect(json).toMatchObject({
    since: null,
    group_by: "action",
    project: { files: 3, bytes: 16 },
    snapshots: { snapshots: 4, files: 12, contents: 6, stored: { count: 6 } },
    most_changed: [
      { path: "CLAUDE.md", versions: 2 },
      { path: "memory/notes.md", versions: 2 },
    ],
  });
  expect(await ok(alice, "stats", "--since", "2030-01-01")).toMatchObject({
    stdout: expect.stringContaining("No activity in that time."),
  });
  renameSync(remote, `${remote}-away`);
  const offline = (await ok(alice, "stats", "--offline", "--json")).json as unknown as Readonly<Record<string, never>>;
  renameSync(`${remote}-away`, remote);
  expect(offline).toMatchObject({
    project: { files: 3, bytes: 16 },
    snapshots: { contents: 6, stored: null },
    rows: [],
  });
});

test("profile: made, listed, shown without secrets, used by a config, by --profile and by init, and deleted", async () => {
  const home = tempFolder("profiles");
  const project = join(home, "notes");
  mkdirSync(project);
  const run = async (words: readonly string[], code = 0) => {
    const child = Bun.spawn([binary, ...words], {
      cwd: project,
      env: { HOME: home },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    expect([words, await child.exited, err.includes("error") ? err : ""]).toEqual([words, code, ""]);
    return out + err;
  };
  const make = ["profile", "create", "nas", "--backend", "local", "--description", "at home"];
  const settings = [
    "--set",
    `local_folder=${remote}`,
    "--set",
    "slack_webhook_url=https://hooks.slack.com/services/T0",
  ];
  expect(await run([...make, ...settings, "--dry-run"])).toContain("Would write");
  const file = join(home, ".config/claude_mirror/profiles/nas.yaml");
  expect(existsSync(file)).toBe(false);
  await run([...make, ...settings]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  await run([...make, ...settings], 1);
  const config = join(home, ".config/claude_mirror/notes.yaml");
  writeFileSync(
    config,
    `project_path: ${project}\nprofile: nas\nfile_patterns: ["**/*"]\nuser: dave\nmachine_name: dave\n`,
  );
  expect(await run(["profile", "list"])).toMatch(/│ nas .* │ local .* 1 │ at home/);
  const shown = await run(["profile", "show", "nas"]);
  expect(shown).toContain(`local_folder: ${remote}`);
  expect(shown).toContain("slack_webhook_url: ***");
  expect(await run(["status", "--short"])).toContain("new on remote");
  expect(await run(["prompt"])).toBe("∅\n");
  await run(["--profile", "gone", "status"], 1);
  await run(["status", "--profile=gone"], 1);
  await run(["--profile", "nas", "pull"]);
  expect(existsSync(join(project, "CLAUDE.md"))).toBe(true);
  expect(await run(["profile", "delete", "nas"])).toContain(`These projects then have no settings: ${config}`);
  expect(existsSync(file)).toBe(true);
  await run(["profile", "delete", "nas", "--delete"], 2);
  const other = join(home, "other");
  mkdirSync(other);
  await run(["init", "--project", other, "--profile", "nas", "--dry-run"]);
  await run(["init", "--project", other, "--profile", "nas"]);
  expect(await run(["status", "--short", "--config", join(home, ".config/claude_mirror/other.yaml")])).toContain(
    "new on remote",
  );
  await run(["profile", "delete", "nas", "--delete", "--yes"]);
  expect(await run(["profile", "list", "--json"])).toContain('"profiles": []');
  await run(["status"], 1);
});

interface Found {
  readonly name: string;
  readonly state: string;
  readonly detail: string;
  readonly advice?: string;
}

test("doctor: names what is installed, of another version, missing or not running, and the next step for each", async () => {
  const bin = join(alice.home, ".local/bin");
  mkdirSync(bin, { recursive: true });
  symlinkSync(binary, join(bin, "claude-mirror"));
  chmodSync(alice.config, 0o600);
  const systemctl = join(bin, "systemctl");
  writeFileSync(systemctl, "#!/bin/sh\n", { mode: 0o755 });
  const env = { PATH: `${bin}:/usr/bin:/bin`, SHELL: "/bin/bash" };
  const diagnose = async (...words: string[]) => {
    const run = await alice.run(["doctor", "--json", ...words], { env });
    const found = run.json as unknown as { installation: Found[]; checks: Found[]; projects: { config: string }[] };
    const of = (name: string) => found.installation.find((check) => check.name === name);
    return { code: run.code, of, ...found };
  };
  const fresh = await diagnose();
  expect([fresh.code, fresh.checks.filter(({ state }) => state !== "ok")]).toEqual([0, []]);
  expect(fresh.installation.map(({ name, state }) => `${name} ${state}`)).toEqual(
    ["version", "program", "skill", "hook", "service", "completion", "man", "watch-all", "config project"].map(
      (name) => `${name} ok`,
    ),
  );
  expect(fresh.of("program")?.detail).toBe(join(bin, "claude-mirror"));
  expect(fresh.of("hook")).toMatchObject({
    detail: "not installed",
    advice: "To set it up: claude-mirror install --only hook.",
  });
  await alice.run(["install", "--yes", "--only", "skill", "--only", "hook", "--only", "service"], { env });
  const installed = await diagnose();
  expect(installed.of("skill")).toMatchObject({
    state: "ok",
    detail: join(alice.home, ".claude/skills/claude-mirror/SKILL.md"),
  });
  expect(installed.of("watch-all")).toMatchObject({
    state: "warning",
    advice: "Run systemctl --user restart claude-mirror-watch.",
  });
  appendFileSync(join(alice.home, ".claude/skills/claude-mirror/SKILL.md"), "mine\n");
  writeFileSync(join(alice.home, ".claude/settings.json"), "{ broken");
  const twin = join(alice.home, ".config/claude_mirror/twin.yaml");
  copyFileSync(alice.config, twin);
  const watching = started(alice, "watch-all");
  await watching.until(() => watching.said.err.includes("Watching"));
  const spoiled = await diagnose("--all");
  expect(spoiled.projects.map(({ config }) => config)).toEqual([alice.config, twin]);
  expect(spoiled.of("skill")).toMatchObject({ state: "warning", advice: "Run claude-mirror install --only skill." });
  expect(spoiled.of("hook")).toMatchObject({ state: "warning", advice: expect.stringContaining("settings.json") });
  expect(spoiled.of("config twin")).toMatchObject({
    state: "warning",
    advice: expect.stringContaining("mirror_config_paths"),
  });
  expect(spoiled.of("watch-all")).toMatchObject({ state: "ok", detail: expect.stringMatching(/^process \d+, since/) });
  await watching.end("SIGKILL");
  expect((await diagnose("--all")).of("watch-all")).toMatchObject({
    state: "warning",
    detail: expect.stringContaining("was killed"),
  });
});

test("log --follow: ends by itself when nobody reads it any more", async () => {
  const words = `"${binary}" log --follow --interval 1 | head -n 1; echo "ended with \${PIPESTATUS[0]}"`;
  const child = Bun.spawn(["bash", "-c", words], {
    cwd: bob.project,
    env: { HOME: bob.home, PATH: "/usr/bin:/bin" },
    stdout: "pipe",
  });
  running.push(child);
  const reading = child.stdout.getReader();
  let said = "";
  while (!said.includes("\n")) said += new TextDecoder().decode((await reading.read()).value);
  alice.write("again.md", "again\n");
  await ok(alice, "push", "again.md", "--config", alice.config);
  for (let next = await reading.read(); !next.done; next = await reading.read())
    said += new TextDecoder().decode(next.value);
  expect(said).toContain("ended with 0");
});
