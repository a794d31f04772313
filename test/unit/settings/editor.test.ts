import { expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { parseConfig } from "../../../src/settings/codec.ts";
import type { ConfigValue, ConfigValues } from "../../../src/settings/config-keys.ts";
import { editConfig, saveConfig } from "../../../src/settings/editor.ts";
import { SettingsError } from "../../../src/settings/errors.ts";
import { ALICE } from "../../support/machine.ts";
import { tempFolder } from "../../support/temp.ts";

const edit = (text: string, changes: ConfigValues, remove: readonly string[] = []) =>
  editConfig(text, changes, { file: "/x.yaml", remove });

const HAND_WRITTEN = `# My project, do not touch
project_path: /home/alice/p   # here

backend:    webdav
webdav_password: "old # secret"  # move me
file_patterns:   # two kinds
  - "**/*.md"

  # text too
  - '**/*.txt'
my_own_key: {a: 1,   b: [x,y]}
webdav_url:
exclude_patterns: [ a, b ]
`;

test("editConfig: changes a value and no other byte", () => {
  expect(edit(HAND_WRITTEN, { webdav_password: "" })).toBe(HAND_WRITTEN.replace('"old # secret"', "''"));
  expect(edit(HAND_WRITTEN, { backend: "local" })).toBe(HAND_WRITTEN.replace("webdav\n", "local\n"));
  expect(edit(HAND_WRITTEN, { project_path: "/a: b" })).toBe(HAND_WRITTEN.replace("/home/alice/p", "'/a: b'"));
  expect(edit(HAND_WRITTEN, { webdav_url: "https://h/" })).toBe(
    HAND_WRITTEN.replace("webdav_url:", "webdav_url: https://h/"),
  );
});

test("editConfig: replaces lists, keeps the comment on the key's line", () => {
  expect(edit(HAND_WRITTEN, { exclude_patterns: ["c", "yes"] })).toBe(
    HAND_WRITTEN.replace("exclude_patterns: [ a, b ]", "exclude_patterns:\n- c\n- 'yes'"),
  );
  const shorter = edit(HAND_WRITTEN, { file_patterns: ["**/*.org"] });
  expect(shorter).toContain("file_patterns: # two kinds\n- '**/*.org'\nmy_own_key: {a: 1,   b: [x,y]}\n");
  expect(edit(HAND_WRITTEN, { file_patterns: [] })).toContain("file_patterns: [] # two kinds\nmy_own_key");
});

test("editConfig: a new key goes to the end", () => {
  expect(edit(HAND_WRITTEN, { poll_interval: 60, user: "naïve" })).toBe(
    `${HAND_WRITTEN}poll_interval: 60\nuser: "na\\xEFve"\n`,
  );
  expect(edit("a: 1", { b: true })).toBe("a: 1\nb: true\n");
  expect(edit("  a: 1\n  b: 2\n", { c: ["x"] })).toBe("  a: 1\n  b: 2\n  c:\n  - x\n");
  expect(edit("a: 1 # c\n...\n", { b: null })).toBe("a: 1 # c\nb: null\n...\n");
  expect(edit("a: |\n  text\n\n", { b: 2 })).toBe("a: |\n  text\n\nb: 2\n");
});

test("editConfig: nothing to change gives the same text", () => {
  expect(edit(HAND_WRITTEN, {})).toBe(HAND_WRITTEN);
  expect(edit(HAND_WRITTEN, { backend: "webdav", file_patterns: ["**/*.md", "**/*.txt"] }, ["not_there"])).toBe(
    HAND_WRITTEN,
  );
  for (const file of ["claude-mirror-0.5.31/config/myproject.yaml", "claude-mirror-0.5.70/config/notes.yaml"]) {
    const text = fs.readFileSync(join(import.meta.dir, "../../fixtures", file), "utf8");
    expect(edit(text, { webdav_password: "secret", webdav_insecure_http: true })).toBe(text);
  }
});

test("editConfig: removes keys with all of their lines", () => {
  expect(edit(HAND_WRITTEN, {}, ["webdav_password"])).toBe(HAND_WRITTEN.replace(/^webdav_password.*\n/m, ""));
  expect(edit(HAND_WRITTEN, {}, ["webdav_url"])).toBe(HAND_WRITTEN.replace("webdav_url:\n", ""));
  expect(edit(HAND_WRITTEN, {}, ["file_patterns"])).not.toContain("txt");
  expect(edit("a: 1\nb: |\n  x\n  y\nc: 2\nb: 3\n", {}, ["b"])).toBe("a: 1\nc: 2\n");
  expect(edit("a: 1\nb: 2", {}, ["b"])).toBe("a: 1\n");
});

test("editConfig: of equal keys the one that counts is changed", () => {
  expect(edit("a: 1\nb: 0\na: 2\n", { a: 3 })).toBe("a: 1\nb: 0\na: 3\n");
});

test("editConfig: Windows line ends and a byte order mark stay", () => {
  expect(edit("\ufeffa: 1\r\nb: [x]\r\n", { b: ["y", "z"], c: 4, a: 5 })).toBe(
    "\ufeffa: 5\r\nb:\r\n- y\r\n- z\r\nc: 4\r\n",
  );
});

test("editConfig: block text, tags, anchors and nulls can be replaced", () => {
  expect(edit("a: >-\n  one\n  two\nb: 1\n", { a: "x" })).toBe("a: x\nb: 1\n");
  expect(edit("a: !!str 12\nb: &n 1\n", { a: "x", b: 2 })).toBe("a: x\nb: 2\n");
  expect(edit("a: ~\nb: null # c\n", { a: 1, b: "x" })).toBe("a: 1\nb: x # c\n");
  expect(edit("? a\n: 1\nb: 2\n", { a: "x" })).toBe("? a\n: x\nb: 2\n");
});

test("editConfig: refuses where a change could mean something else", () => {
  expect(() => edit("a: &n 1\nb: *n\n", { a: 2 })).toThrow(SettingsError);
  expect(() => edit("{a: 1}\n", { a: 2 })).toThrow("edit it by hand");
  expect(() => edit("- a\n", { a: 2 })).toThrow(SettingsError);
});

test("editConfig: any value into any spelling is read back, and all else stays", () => {
  const values: ConfigValue[] = [
    "",
    "x",
    "yes",
    "a: b # c",
    "é\n\ty",
    " lead",
    "x ".repeat(90),
    7,
    true,
    null,
    [],
    ["a", "- b", ""],
  ];
  const spellings = [
    "",
    " v",
    " 'v'",
    ' "v"  # c',
    " |\n  v\n  w",
    " >+\n  v\n\n",
    "\n- v\n- w",
    "\n  - v\n  # c\n",
    " [v, w] # c",
    " {v: w}",
    " # c",
    "\n  v: w",
    " # c\n  v",
    "\n  'v\n  w'",
    " !!str v",
  ];
  for (const value of values) {
    for (const spelling of spellings) {
      const text = `# top\nuser: before\nkey:${spelling}\n# next\nproject_path: /after # end\n`;
      const edited = edit(text, { key: value });
      const back = parseConfig(edited, "/x.yaml", ALICE);
      expect([back.user, back.projectPath]).toEqual(["before", "/after"]);
      expect(edited).toStartWith("# top\nuser: before\nkey:");
      expect(edited).toEndWith("project_path: /after # end\n");
    }
  }
});

test("saveConfig: only the owner reads it, a link to it stays a link", () => {
  const dir = tempFolder("settings");
  const file = join(dir, "real.yaml");
  const link = join(dir, "link.yaml");
  fs.writeFileSync(file, "old", { mode: 0o644 });
  fs.symlinkSync(file, link);
  saveConfig(link, "new");
  expect(fs.lstatSync(link).isSymbolicLink()).toBe(true);
  expect(fs.readFileSync(file, "utf8")).toBe("new");
  expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  saveConfig(join(dir, "fresh/x.yaml"), "x");
  expect(fs.statSync(join(dir, "fresh/x.yaml")).mode & 0o777).toBe(0o600);
});
