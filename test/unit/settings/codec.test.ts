import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseConfig } from "../../../src/settings/codec.ts";
import { SettingsError } from "../../../src/settings/errors.ts";
import { ALICE } from "../../support/machine.ts";

const FIXTURES = join(import.meta.dir, "../../fixtures");
const FILE = "/home/alice/.config/claude_mirror/p.yaml";
const parse = (text: string) => parseConfig(text, FILE, ALICE);
const parseLine = (line: string) => parse(`project_path: /p\n${line}\n`);

function failure(text: string): SettingsError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof SettingsError) return error;
    throw error;
  }
  throw new Error("the settings were accepted");
}

test("parseConfig: what 0.5.31 wrote", () => {
  const config = parse(readFileSync(join(FIXTURES, "claude-mirror-0.5.31/config/myproject.yaml"), "utf8"));
  expect(config).toMatchObject({
    file: FILE,
    projectPath: "/home/alice/work/myproject",
    backend: "webdav",
    filePatterns: ["**/*.md"],
    excludePatterns: ["archive/**"],
    tokenFile: "/home/alice/.config/claude_mirror/webdav-myproject-token.json",
    machineName: "workstation",
    user: "alice",
    webdavUrl: "http://127.0.0.1:8081/myproject/",
    webdavPassword: "secret",
    webdavInsecureHttp: true,
    snapshotFormat: "blobs",
    maxThrottleWaitSeconds: 600,
    maxUploadKbps: null,
  });
  expect(config.warnings).toEqual([
    `"webdav_password" holds a password in "${FILE}"; run \`claude-mirror auth\` to move it to the token file`,
  ]);
});

test("parseConfig: what 0.5.70 wrote holds no unknown key", () => {
  const config = parse(readFileSync(join(FIXTURES, "claude-mirror-0.5.70/config/notes.yaml"), "utf8"));
  expect(config).toMatchObject({
    projectPath: "/home/alice/work/notes",
    machineName: "laptop",
    maxThrottleWaitSeconds: 600,
  });
  expect(config.warnings.length).toBe(1);
  expect(config.warnings[0]).toContain("webdav_password");
});

test("parseConfig: every default of the format", () => {
  expect(parse("project_path: /p")).toEqual({
    file: FILE,
    projectPath: "/p",
    keepLast: 0,
    keepDaily: 0,
    keepWeekly: 0,
    keepMonthly: 0,
    keepYearly: 0,
    autoPrune: false,
    autoPull: false,
    webhooks: [],
    backend: "googledrive",
    filePatterns: ["**/*.md"],
    excludePatterns: [],
    tokenFile: "/home/alice/.config/claude_mirror/token.json",
    machineName: "workstation",
    user: "alice",
    localFolder: "",
    webdavUrl: "",
    webdavUsername: "",
    webdavPassword: "",
    webdavInsecureHttp: false,
    pollInterval: 30,
    slackEnabled: false,
    slackWebhookUrl: "",
    slackChannel: "",
    driveFolderId: "",
    gcpProjectId: "",
    pubsubTopicId: "",
    credentialsFile: "/home/alice/.config/claude_mirror/credentials.json",
    dropboxAppKey: "",
    dropboxFolder: "",
    onedriveClientId: "",
    onedriveFolder: "",
    onedriveAuthority: "common",
    snapshotFormat: "full",
    mirrorConfigPaths: [],
    snapshotOn: "",
    retryOnPush: true,
    maxRetryAttempts: 3,
    notifyFailures: true,
    parallelWorkers: 5,
    maxThrottleWaitSeconds: 600,
    maxUploadKbps: null,
    warnings: [],
  });
});

test("parseConfig: ~ is the home folder in every path, a relative mirror lies next to the file", () => {
  const config = parse(
    "project_path: ~/p\ntoken_file: ~/t.json\ncredentials_file: ~/c.json\nbackend: local\nlocal_folder: ~/m\nmirror_config_paths: [~/a.yaml, b.yaml, /c.yaml]\n",
  );
  expect(config.projectPath).toBe("/home/alice/p");
  expect(config.tokenFile).toBe("/home/alice/t.json");
  expect(config.credentialsFile).toBe("/home/alice/c.json");
  expect(config.localFolder).toBe("/home/alice/m");
  expect(config.mirrorConfigPaths).toEqual([
    "/home/alice/a.yaml",
    "/home/alice/.config/claude_mirror/b.yaml",
    "/c.yaml",
  ]);
});

test("parseConfig: YAML 1.1 words and numbers as PyYAML loads them", () => {
  expect(parseLine("webdav_insecure_http: yes").webdavInsecureHttp).toBe(true);
  expect(parseLine("retry_on_push: Off").retryOnPush).toBe(false);
  expect(parseLine("poll_interval: 1:30").pollInterval).toBe(90);
  expect(parseLine("poll_interval: 010").pollInterval).toBe(8);
  expect(parseLine("user: y").user).toBe("y");
  expect(parseLine('user: "yes"').user).toBe("yes");
  expect(parseLine("user: !!str 12").user).toBe("12");
  expect(parseLine("slack_channel: ~").slackChannel).toBe("");
  expect(parseLine("file_patterns:").filePatterns).toEqual(["**/*.md"]);
  expect(parseLine("exclude_patterns: [a, 'b c']").excludePatterns).toEqual(["a", "b c"]);
  expect(parseLine("x: &x {user: bob}\n<<: *x").user).toBe("bob");
  expect(parse("\ufeffproject_path: /p\r\nuser: bob\r\n").user).toBe("bob");
});

test("parseConfig: of equal keys the last counts, with a warning", () => {
  const config = parse("user: one\nproject_path: /p\nuser: two\n");
  expect(config.user).toBe("two");
  expect(config.warnings).toEqual(['line 3: the key "user" stands more than once; the last one counts']);
});

test("parseConfig: an unknown key is a warning with its line, a later version's key is none", () => {
  const config = parse("project_path: /p\nkeep_last: 10\nsftp_host: h\nauto_prune: true\nslack_events: []\n");
  expect(config.warnings).toEqual(['line 5: the key "slack_events" is not known; it is kept and not used']);
});

test("parseConfig: numbers out of range are brought in, and said", () => {
  const config = parse(
    "project_path: /p\nparallel_workers: 0\nmax_retry_attempts: 99\nmax_throttle_wait_seconds: -1\npoll_interval: 0\nmax_upload_kbps: 0\n",
  );
  expect(config).toMatchObject({
    parallelWorkers: 1,
    maxRetryAttempts: 8,
    maxThrottleWaitSeconds: 0,
    pollInterval: 1,
    maxUploadKbps: null,
  });
  expect(config.warnings.length).toBe(5);
  expect(config.warnings).toContain('line 2: "parallel_workers" is 0; 1 is used');
  expect(parseLine("max_retry_attempts: many").maxRetryAttempts).toBe(3);
  expect(parseLine("max_upload_kbps: 512").maxUploadKbps).toBe(512);
  expect(parseLine("parallel_workers: 2.5").parallelWorkers).toBe(2);
});

test("parseConfig: words that are no choice fall back, and are said", () => {
  expect(parseLine("snapshot_format: BLOBS").snapshotFormat).toBe("blobs");
  const config = parseLine("snapshot_format: zip\nsnapshot_on: never");
  expect(config).toMatchObject({ snapshotFormat: "full", snapshotOn: "" });
  expect(config.warnings.length).toBe(2);
});

describe("parseConfig: refuses with file and line:", () => {
  test.each([
    ["text where a number is due", "poll_interval: soon", '"poll_interval" must be a number, but text stands there'],
    [
      "a word where true or false is due",
      "slack_enabled: 'true'",
      '"slack_enabled" must be true or false, but text stands there',
    ],
    ["a number where text is due", "user: 42", '"user" must be text, but a number stands there; put it in quotes'],
    [
      "a date where text is due",
      "machine_name: 2026-11-20",
      '"machine_name" must be text, but a date stands there; put it in quotes',
    ],
    [
      "text where a list is due",
      "file_patterns: '*.md'",
      '"file_patterns" must be a list, but text stands there; write each entry',
    ],
    ["a mapping where text is due", "webdav_url: {a: b}", '"webdav_url" must be text, but a mapping stands there'],
    ["an unknown backend", "backend: sftp", 'the backend "sftp" is not known to this version; it knows local, webdav'],
    ["a strange tag", "user: !!python/object:os.system x", "cannot be used here; remove it"],
  ])("%s", (_, line, message) => {
    const error = failure(`project_path: /p\n\n${line}\n`);
    expect(error.line).toBe(3);
    expect(error.file).toBe(FILE);
    expect(error.message).toStartWith(`cannot use the settings in "${FILE}": line 3: `);
    expect(error.message).toContain(message);
  });

  test("the item of a list", () => {
    const error = failure("project_path: /p\nfile_patterns:\n- a\n- 7\n");
    expect(error.message).toContain(
      'line 4: "file_patterns" must be a list of texts, but a number stands there; put it in quotes',
    );
  });

  test.each([
    ["an unclosed quote", "user: 'bob\nx: 1\n"],
    ["a tab as indentation", "user:\n\t- x\n"],
    ["a bad indentation", "user: a\n   x: b\n"],
    ["a bare line", "user: a\nwebdav password\n"],
    ["a second document", "user: a\n---\nuser: b\n"],
    ["an unknown alias", "user: *nobody\n"],
  ])("a syntax error: %s", (_, text) => {
    const error = failure(`project_path: /p\n${text}`);
    expect(error.line).toBeGreaterThanOrEqual(2);
    expect(error.line).toBeLessThanOrEqual(4);
    expect(error.message.split("\n").length).toBe(1);
  });

  test("never quotes a value, which may be a secret", () => {
    for (const line of [
      "webdav_password: [hunter2]",
      "webdav_password: 'hunter2",
      "webdav_password: *hunter2",
      "webdav_password: {hunter2",
      "webdav_password: @hunter2",
    ]) {
      expect(failure(`project_path: /p\n${line}\n`).message).not.toContain("hunter2");
    }
  });

  test.each([
    ["", "the file is empty"],
    ["# only a comment\n", "the file is empty"],
    ["- a\n- b\n", "it holds a list"],
    ["hello\n", "it holds plain text"],
    ["user: bob\n", '"project_path" is missing'],
    ["project_path:\n", '"project_path" is missing'],
    ["project_path: work/p\n", '"project_path" is the relative path "work/p"'],
    ["project_path: /p\nbackend: local\n", '"local_folder" is missing'],
  ])("%p", (text, message) => {
    expect(failure(text).message).toContain(message);
  });

  test("a text that aliases make endless", () => {
    const levels = Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}, *a${i}, *a${i}]`);
    expect(failure(`a0: &a0 [x]\n${levels.join("\n")}\n`).message).toContain("too many aliases");
  });
});
