import { describe, expect, test } from "bun:test";
import { parseConfig } from "../../../src/settings/codec.ts";
import { formatNewConfig } from "../../../src/settings/writer.ts";
import { accepted, offered, QUESTIONS, type WizardPlaces } from "../../../src/setup/wizard.ts";
import { type Draft, draftOfConfig, draftOfRequest, listOf, requestOfDraft } from "../../../src/setup/wizard-draft.ts";
import { summaryLines } from "../../../src/ui/render/wizard.ts";
import { makeStyle } from "../../../src/ui/terminal.ts";
import { ALICE } from "../../support/machine.ts";

const NOTHING = { patterns: [], exclude: [], dryRun: false } as const;
const PROJECT = "/home/alice/notes";
const PLACES: WizardPlaces = {
  cwd: PROJECT,
  home: ALICE.home,
  configDir: ALICE.configDir,
  backends: ["local", "webdav", "googledrive", "dropbox", "onedrive"],
  insecureHttp: false,
  newProject: false,
  kindOf: (path) => (path === PROJECT ? "folder" : path.endsWith("credentials.json") ? "file" : "nothing"),
  isWritable: () => true,
  placeOf: (what) => `${ALICE.configDir}/${what}`,
};

/** Answers every question that is asked; Enter where `typed` says nothing. */
function conversation(typed: Draft, known: Draft = {}): { asked: string[]; draft: Draft } {
  const asked: string[] = [];
  let draft: Draft = {};
  for (const question of QUESTIONS) {
    if (question.isAsked && !question.isAsked(draft)) continue;
    asked.push(question.key);
    const text = typed[question.key] ?? offered(question, draft, known, PLACES);
    const taken = question.kind === "yes-no" ? { value: text } : accepted(question, text, draft, PLACES);
    if ("problem" in taken) throw new Error(`${question.key}: ${taken.problem}`);
    draft = { ...draft, [question.key]: taken.value };
  }
  return { asked, draft };
}

function problem(key: string, text: string, draft: Draft = { project: PROJECT }): string | undefined {
  const question = QUESTIONS.find((one) => one.key === key);
  if (question === undefined) throw new Error(`no question ${key}`);
  const taken = accepted(question, text, draft, PLACES);
  return "problem" in taken ? taken.problem : undefined;
}

const TAIL = ["patterns", "exclude", "snapshotFormat", "slack"];
const ID = "12345678-aaaa-bbbb-cccc-1234567890ab";

describe("the wizard's questions", () => {
  test.each([
    ["local", { localFolder: "/mnt/m" }, ["localFolder", "config", ...TAIL]],
    [
      "webdav",
      { webdavUrl: "https://cloud.example/dav/n", webdavUsername: "alice", webdavPassword: "s3cret" },
      ["webdavUrl", "webdavUsername", "webdavPassword", "tokenFile", "config", "pollInterval", ...TAIL],
    ],
    ["dropbox", { dropboxAppKey: "k3y" }, ["dropboxAppKey", "dropboxFolder", "tokenFile", "config", ...TAIL]],
    [
      "onedrive",
      { onedriveClientId: ID },
      ["onedriveClientId", "onedriveFolder", "tokenFile", "config", "pollInterval", ...TAIL],
    ],
    [
      "googledrive",
      { driveFolderId: "1Bxi", gcpProjectId: "my-gcp-project" },
      ["credentialsFile", "driveFolderId", "gcpProjectId", "pubsubTopicId", "tokenFile", "config", ...TAIL],
    ],
  ])("QUESTIONS: those for %s, the first two ahead", (backend, typed, asked) => {
    expect(conversation({ backend, ...typed }).asked).toEqual(["backend", "project", ...asked]);
  });

  test("QUESTIONS: what Enter takes is what the seed shows", () => {
    const { draft } = conversation({ driveFolderId: "1Bxi", gcpProjectId: "my-gcp-project" });
    expect(draft).toMatchObject({
      backend: "googledrive",
      project: PROJECT,
      credentialsFile: `${ALICE.configDir}/credentials.json`,
      pubsubTopicId: "claude-mirror-notes",
      patterns: "**/*.md",
      exclude: "",
      slack: "no",
    });
    expect(conversation({ backend: "dropbox", dropboxAppKey: "k" }).draft.dropboxFolder).toBe("/claude-mirror/notes");
    const { onedriveFolder, pollInterval } = conversation({ backend: "onedrive", onedriveClientId: ID }).draft;
    expect([onedriveFolder, pollInterval]).toEqual(["claude-mirror/notes", "30"]);
  });

  test("QUESTIONS: a webhook is asked for only where Slack is wanted", () => {
    const slack = { slack: "yes", slackWebhookUrl: "https://hooks.slack.com/x", slackChannel: "#notes" };
    const { draft, asked } = conversation({ backend: "local", localFolder: "/mnt/m", ...slack });
    expect(asked.slice(-2)).toEqual(["slackWebhookUrl", "slackChannel"]);
    expect(requestOfDraft(draft, NOTHING)).toMatchObject({ slack: true, slackChannel: "#notes" });
  });

  test("offered: flags win over the question's own offer", () => {
    const known = draftOfRequest({ ...NOTHING, localFolder: "/mnt/m", patterns: ["a", "b"], slack: true });
    expect(known).toEqual({ backend: "local", localFolder: "/mnt/m", patterns: "a, b", slack: "yes" });
    expect(conversation({ slackWebhookUrl: "https://h.example/x" }, known).draft).toMatchObject(known);
  });

  test("offered: a known password is offered to its own account alone", () => {
    const question = QUESTIONS.find(({ key }) => key === "webdavPassword");
    const known = { webdavUsername: "alice", webdavPassword: "s3cret" };
    const offer = (webdavUsername: string) => question && offered(question, { webdavUsername }, known, PLACES);
    expect([offer("alice"), offer("bob")]).toEqual(["s3cret", ""]);
  });

  test("offered: the token of another backend or account is not offered, it would be written over", () => {
    const known = { backend: "googledrive", credentialsFile: "/c/a-credentials.json", tokenFile: "/c/a-token.json" };
    const { draft } = conversation({ driveFolderId: "1Bxi" }, { ...known, credentialsFile: "/c/a-credentials.json" });
    expect(draft.tokenFile).toBe("/c/a-token.json");
    const moved = conversation({ backend: "dropbox", dropboxAppKey: "k" }, known);
    const other = conversation({ driveFolderId: "1Bxi", credentialsFile: "/c/b-credentials.json" }, known);
    const own = `${ALICE.configDir}/tokenFile`;
    expect([moved.draft.tokenFile, other.draft.tokenFile]).toEqual([own, own]);
  });

  test("accepted: a pasted Drive address becomes the folder's id", () => {
    const question = QUESTIONS.find(({ key }) => key === "driveFolderId");
    const address = "https://drive.google.com/drive/u/0/folders/1Bxi_M-Vs?usp=sharing";
    expect(question && accepted(question, address, {}, PLACES)).toEqual({ value: "1Bxi_M-Vs" });
  });

  test.each([
    ["project", "/gone", "there is no such folder"],
    ["credentialsFile", PROJECT, "it is a folder, not a file"],
    ["localFolder", "inner", "it lies inside the project"],
    ["localFolder", "", "an answer is needed here"],
    ["webdavUrl", "cloud.example", "it is no web address"],
    ["webdavUrl", "http://cloud.example/dav", "it would send the password in the clear"],
    ["webdavUrl", "https://me:pw@cloud.example/dav", "a username or password stands in the address"],
    ["driveFolderId", "two words", "it is not the folder's id"],
    ["onedriveClientId", "1234", "it is not the Application (client) ID"],
    ["dropboxFolder", "/a/../b", "it is not a folder's path"],
    ["pollInterval", "0", "a whole number from 1 to 86400"],
    ["pollInterval", "90000", "a whole number from 1 to 86400"],
    ["slackWebhookUrl", "http://hooks.slack.com/x", "it must begin with https://"],
    ["tokenFile", PROJECT, "it is a folder"],
  ])("accepted: %s %j is refused: %s", (key, text, found) => {
    expect(problem(key, text)).toContain(found);
  });

  test("listOf: a comma inside of brackets is part of a pattern", () => {
    expect(listOf("**/*.md, notes[,;].txt ,, *.tmp")).toEqual(["**/*.md", "notes[,;].txt", "*.tmp"]);
  });
});

describe("the wizard's answers", () => {
  test("requestOfDraft: settings survive the way through the questions, and what is emptied is named", () => {
    const values = {
      backend: "googledrive",
      project_path: PROJECT,
      drive_folder_id: "1Bxi",
      poll_interval: 45,
    } as const;
    const config = parseConfig(formatNewConfig(values, ALICE), `${ALICE.configDir}/notes.yaml`, ALICE);
    const draft = draftOfConfig(config);
    expect(draft).toMatchObject({ backend: "googledrive", driveFolderId: "1Bxi", pollInterval: "45", slack: "no" });
    const request = requestOfDraft({ ...draft, exclude: "", slackChannel: "" }, NOTHING);
    expect(request).toMatchObject({ driveFolderId: "1Bxi", pollInterval: 45, slack: false, exclude: [] });
    expect(request.emptied).toContain("exclude_patterns");
  });

  test("summaryLines: every value, no secret", () => {
    const values = {
      backend: "webdav",
      project_path: PROJECT,
      webdav_url: "https://cloud.example/dav/notes",
      webdav_username: "alice",
      slack_enabled: true,
      slack_webhook_url: "https://hooks.slack.com/services/SECRET",
    } as const;
    const config = parseConfig(formatNewConfig(values, ALICE), `${ALICE.configDir}/notes.yaml`, ALICE);
    expect(summaryLines(config, makeStyle(false), ALICE.home)).toEqual([
      "Summary",
      "  Backend:         webdav",
      "  Project:         ~/notes",
      "  Config:          ~/.config/claude_mirror/notes.yaml",
      "  Token:           ~/.config/claude_mirror/token.json",
      "  URL:             https://cloud.example/dav/notes",
      "  Username:        alice",
      "  Poll interval:   30s",
      "  Patterns:        **/*.md",
      "  Exclude:         (none)",
      "  Snapshots:       blobs",
      "  Slack:           yes, the webhook's own channel",
    ]);
  });
});
