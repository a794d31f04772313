import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../src/lib/clock.ts";
import { acquireLock } from "../../../src/lib/lock.ts";
import type { Check } from "../../../src/project/model.ts";
import { requestsDuring } from "../../support/access-log.ts";
import { APACHE_USER, startApache } from "../../support/apache.ts";
import type { CliOptions } from "../../support/cli.ts";
import type { TestServer } from "../../support/server-process.ts";
import { filesBelow, type SetupLab, setupLab } from "../../support/setup-lab.ts";

interface Diagnosis {
  readonly code: number;
  readonly guard: string | null;
  readonly checks: readonly Check[];
  /** The only check of that name. */
  of(name: string): Check;
}

async function doctor(lab: SetupLab, words: readonly string[] = [], options?: CliOptions): Promise<Diagnosis> {
  const { code, stdout, stderr } = await lab.run(["doctor", "--json", ...words], options);
  if (stdout === "") throw new Error(stderr);
  const { checks, guard } = (JSON.parse(stdout) as { result: { checks: Check[]; guard: string | null } }).result;
  const of = (name: string) => {
    const [found, ...more] = checks.filter((check) => check.name === name);
    if (!found || more.length > 0) throw new Error(`${name} in ${JSON.stringify(checks, null, 1)}`);
    return found;
  };
  return { code, guard, checks, of };
}

const notOk = ({ checks }: Diagnosis) => checks.filter(({ state }) => state !== "ok");

async function localLab(): Promise<SetupLab & { readonly mirror: string; readonly state: string }> {
  const lab = setupLab();
  const mirror = join(lab.home, "m");
  await lab.run(["init", "--local-folder", mirror]);
  writeFileSync(join(lab.project, "a.md"), "a");
  await lab.run(["push"]);
  const base = join(lab.home, ".local/state/claude-mirror");
  const [id = ""] = readdirSync(base).filter((name) => name !== "projects.json");
  return { ...lab, mirror, state: join(base, id) };
}

/** Puts another text for the settings, mode 0600. */
function edit(lab: SetupLab, change: (text: string) => string): void {
  writeFileSync(lab.configFile, change(readFileSync(lab.configFile, "utf8")), { mode: 0o600 });
}

describe("doctor on a local mirror", () => {
  test("doctor: a sound project passes every check, and nothing is written anywhere", async () => {
    const lab = await localLab();
    const trees = () => filesBelow(lab.home).filter(({ path }) => !path.endsWith("projects.json"));
    const before = trees();
    const found = await doctor(lab);
    expect(notOk(found)).toEqual([]);
    expect(found.code).toBe(0);
    expect(found.guard).toBe("lock");
    expect(found.of("manifest").detail).toContain("1 file");
    expect(trees()).toEqual(before);
  });

  test("doctor: prints a line for each check and the verdict", async () => {
    const lab = await localLab();
    const run = await lab.run(["doctor"]);
    expect(run.stdout).toContain("✓ sign-in: none is needed\n");
    expect(run.stdout).toEndWith("Everything is fine.\n");
  });

  test("doctor: unknown keys, odd values, a secret and an open file are warnings, and the secret stays unsaid", async () => {
    const lab = await localLab();
    edit(
      lab,
      (text) => `${text.replace("webdav_password: ''", "webdav_password: hunter2")}colour: red\nmax_upload_kbps: -1\n`,
    );
    chmodSync(lab.configFile, 0o644);
    const found = await doctor(lab);
    expect(found.code).toBe(0);
    expect(found.of("unknown key").detail).toMatch(/^line \d+: "colour"/);
    expect(found.of("secrets in the settings").advice).toContain("claude-mirror auth");
    expect(found.of("permissions of the settings").advice).toContain("chmod 600");
    expect(notOk(found).map(({ name, state }) => [name, state])).toContainEqual(["settings", "warning"]);
    expect(JSON.stringify(found.checks)).not.toContain("hunter2");
  });

  test.each([
    ["a syntax error", "backend: local\nproject_path: [\n", /line \d/],
    ["a wrong type", "backend: local\nlocal_folder: /m\nfile_patterns: 5\n", /line 3: "file_patterns" must be a list/],
    ["no text", "", /empty/],
  ])("doctor: a settings file with %s is told with its place, and exits 1", async (_what, text, said) => {
    const lab = await localLab();
    const path = text.includes("project_path") ? "" : `project_path: ${lab.project}\n`;
    writeFileSync(lab.configFile, text === "" ? "" : text + path, { mode: 0o600 });
    const found = await doctor(lab);
    expect(found.code).toBe(1);
    expect(found.of("settings").detail).toMatch(said);
    expect(found.of("settings").detail).toContain(lab.configFile);
  });

  test("doctor: what does not hang on the broken part of the settings is checked all the same", async () => {
    const lab = await localLab();
    edit(lab, (text) => text.replace("poll_interval: 30", "poll_interval: often"));
    const found = await doctor(lab);
    expect(found.of("settings").state).toBe("failed");
    expect(found.of("project folder").state).toBe("ok");
    expect(found.of("manifest").detail).toContain("1 file");
  });

  test("doctor: no project here exits 1 and says how to set one up", async () => {
    const lab = await localLab();
    const found = await doctor(lab, [], { cwd: lab.home });
    expect(found.code).toBe(1);
    expect(found.of("settings file").advice).toContain("claude-mirror init");
  });

  test("doctor: two configs on one folder are explained; with --config the rest is checked", async () => {
    const lab = await localLab();
    const second = join(lab.configDir, "second.yaml");
    await lab.run(["init", "--config", second, "--local-folder", join(lab.home, "n")]);
    const both = await doctor(lab);
    expect(both.code).toBe(1);
    expect(both.of("settings file").detail).toContain(second);
    expect(both.of("settings file").advice).toContain("mirror_config_paths");
    const one = await doctor(lab, ["--config", lab.configFile]);
    expect(one.code).toBe(0);
    expect(one.of("one project, one config").detail).toContain(second);
  });

  test("doctor: another settings file that cannot be read is a warning", async () => {
    const lab = await localLab();
    writeFileSync(join(lab.configDir, "other.yaml"), "a: [");
    const found = await doctor(lab);
    expect(found.code).toBe(0);
    expect(found.of("another settings file").detail).toContain("other.yaml");
  });

  test("doctor: settings that can no longer be read are those of the project, not another file", async () => {
    const lab = await localLab();
    await doctor(lab);
    writeFileSync(lab.configFile, "a: [");
    const found = await doctor(lab);
    expect(found.code).toBe(1);
    expect(found.of("settings").detail).toContain(lab.configFile);
    expect(found.checks.map(({ name }) => name)).not.toContain("another settings file");
  });

  test("doctor: pattern traps are warnings, a malformed pattern fails", async () => {
    const lab = await localLab();
    await lab.run(["init", "--patterns", "docs/**"]);
    expect((await doctor(lab)).of("file patterns").detail).toContain("write docs/**/*");
    edit(lab, (text) => text.replace("- docs/**", "- docs/a**"));
    const found = await doctor(lab);
    expect(found.code).toBe(1);
    expect(found.of("file patterns").state).toBe("failed");
  });

  test("doctor: a missing project folder and a missing mirror are told apart", async () => {
    const lab = await localLab();
    rmSync(lab.mirror, { recursive: true });
    const noMirror = await doctor(lab);
    expect(noMirror.code).toBe(1);
    expect(noMirror.of("remote folder").detail).toContain(lab.mirror);
    expect(noMirror.of("project folder").state).toBe("ok");
    rmSync(lab.project, { recursive: true });
    const noProject = await doctor(lab, ["--config", lab.configFile], { cwd: lab.home });
    expect(noProject.of("project folder").detail).toContain("is missing");
  });

  test.each([
    ["a damaged one warns", '{"a.md": ', "warning", "damaged"],
    ["one from a newer version fails", '{"a.md": [1]}', "failed", "newer version"],
    ["a list warns", "[]", "warning", "damaged"],
    ["none is fine", undefined, "ok", "none yet"],
  ])("doctor: the manifest: %s", async (_what, text, state, said) => {
    const lab = await localLab();
    const manifest = join(lab.project, ".claude_mirror_manifest.json");
    if (text === undefined) rmSync(manifest);
    else writeFileSync(manifest, text);
    const found = await doctor(lab);
    expect(found.of("manifest")).toMatchObject({ state, detail: expect.stringContaining(said) });
    expect(found.code).toBe(state === "failed" ? 1 : 0);
  });

  test("doctor: names who holds the lock, and a run that was interrupted", async () => {
    const lab = await localLab();
    const lock = acquireLock(join(lab.state, "lock"), { command: "push", clock: systemClock });
    writeFileSync(join(lab.state, "journal.jsonl"), "torn");
    const found = await doctor(lab);
    lock.release();
    expect(found.code).toBe(0);
    expect(found.of("lock").detail).toContain(`push, process ${process.pid} on ${hostname()}`);
    expect(found.of("last run").state).toBe("warning");
    expect((await doctor(lab)).of("lock").detail).toBe("free");
  });

  test("doctor: counts the ignore file's rules and what is in the trash", async () => {
    const lab = await localLab();
    writeFileSync(join(lab.project, ".claude_mirror_ignore"), "# mine\n*.tmp\n\n/build/\n");
    await lab.run(["delete", "a.md", "--local"]);
    const found = await doctor(lab);
    expect(found.of("ignore file").detail).toContain("2 rule(s)");
    expect(found.of("trash").detail).toContain("1 item(s)");
  });

  test("doctor: a cloud that this version lacks is a finding", async () => {
    const lab = await localLab();
    edit(lab, (text) => text.replace("backend: local", "backend: onedrive"));
    const found = await doctor(lab);
    expect(found.code).toBe(1);
    expect(found.of("remote").detail).toContain("onedrive");
    expect(found.of("project folder").state).toBe("ok");
  });
});

describe("doctor on WebDAV", () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startApache({ auth: "basic" });
  });
  afterAll(() => server.stop());

  async function davLab(name: string): Promise<SetupLab> {
    const lab = setupLab();
    const flags = ["--webdav-url", `${server.origin}/dav/${name}`, "--webdav-username", "me", "--webdav-insecure-http"];
    await lab.run(["init", ...flags, "--webdav-password-stdin"], { stdin: APACHE_USER.password });
    return lab;
  }

  test("doctor: after auth everything passes, without one writing request", async () => {
    const lab = await davLab("sound");
    await lab.run(["auth"]);
    const { result: found, requests } = await requestsDuring(server, () => doctor(lab));
    expect(notOk(found)).toEqual([]);
    expect(found.of("sign-in").detail).toBe("as me");
    expect(found.of("clock").state).toBe("ok");
    expect(found.guard).not.toBeNull();
    expect(found.of("guarantee").detail).toStartWith(`${found.guard}: `);
    expect(new Set(requests.map(({ method }) => method))).toEqual(new Set(["PROPFIND"]));
  });

  test("doctor: where nothing is known of the server it probes, and says so", async () => {
    const lab = await davLab("probed");
    await lab.run(["auth"]);
    rmSync(join(lab.home, ".local/state"), { recursive: true });
    const found = await doctor(lab);
    expect(found.code).toBe(0);
    expect(found.of("probe").detail).toContain("were written there and removed again");
    expect(found.guard).not.toBeNull();
    expect(readdirSync(join(server.root, "probed"))).toEqual([]);
  });

  test("doctor: never signed in, a wrong password: exit 6 when that is all", async () => {
    const lab = await davLab("signing");
    await lab.run(["auth"]);
    const token = join(lab.configDir, "webdav-notes-token.json");
    writeFileSync(token, '{"username": "me", "password": "wr0ng"}', { mode: 0o600 });
    const wrong = await doctor(lab);
    expect(wrong.code).toBe(6);
    expect(wrong.of("sign-in")).toMatchObject({
      state: "failed",
      advice: expect.stringContaining("claude-mirror auth"),
    });
    expect(JSON.stringify(wrong.checks)).not.toContain("wr0ng");
    rmSync(token);
    const never = await doctor(lab);
    expect(never.code).toBe(6);
    expect(never.of("sign-in").detail).toBe("Not authenticated.");
    edit(lab, (text) => text.replace("- '**/*.md'", "- 'a**'"));
    expect((await doctor(lab)).code).toBe(1);
  });

  test("doctor: a token that others can read fails; one of another account warns", async () => {
    const lab = await davLab("token");
    await lab.run(["auth"]);
    chmodSync(join(lab.configDir, "webdav-notes-token.json"), 0o644);
    await lab.run(["init", "--webdav-username", "you"]);
    const found = await doctor(lab);
    expect(found.code).toBe(1);
    expect(found.of("permissions of the token file").state).toBe("failed");
    expect(found.of("account").detail).toContain('signs in as "me"');
  });

  test("doctor: a remote folder that is missing is not the sign-in's fault", async () => {
    const lab = await davLab("missing");
    const found = await doctor(lab);
    expect(found.code).toBe(1);
    expect(found.of("remote folder").advice).toContain("claude-mirror auth");
  });

  test("doctor: without a network the local checks stand, and the connection is what fails", async () => {
    const lab = await davLab("offline");
    await lab.run(["init", "--webdav-url", "http://127.0.0.1:9/dav"]);
    const found = await doctor(lab);
    expect(found.code).toBe(1);
    expect(notOk(found).map(({ name }) => name)).toEqual(["connection"]);
    expect(found.of("connection").detail).toContain("127.0.0.1:9");
  });

  test.each([
    [3600, "ahead of"],
    [-3600, "behind"],
  ])("doctor: a clock that is %d s off is a warning", async (seconds, said) => {
    const lab = await davLab("clock");
    await lab.run(["auth"]);
    const clock = { ...systemClock, now: () => systemClock.now() + seconds * 1000 };
    const found = await doctor(lab, [], { clock });
    expect(found.of("clock").state).toBe("warning");
    expect(found.of("clock").detail).toMatch(new RegExp(`(3599|3600|3601) s ${said}`));
  });

  test("doctor: an interruption ends it with 130", async () => {
    const lab = await davLab("interrupted");
    await lab.run(["auth"]);
    const stop = new AbortController();
    const clock = {
      ...systemClock,
      now() {
        stop.abort(Object.assign(new Error("interrupted"), { name: "Interrupted" }));
        return systemClock.now();
      },
    };
    const run = await lab.run(["doctor"], { clock, signal: stop.signal });
    expect(run.code).toBe(130);
  });
});
