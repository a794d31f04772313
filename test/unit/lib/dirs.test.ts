import { expect, test } from "bun:test";
import { configDir, dataDir, expandHome, homeFrom, stateDir } from "../../../src/lib/dirs.ts";

test("configDir: lies where the Python tool looks unless it is overridden", () => {
  expect(configDir({}, "/home/a")).toBe("/home/a/.config/claude_mirror");
  expect(configDir({ XDG_CONFIG_HOME: "/x" }, "/home/a")).toBe("/home/a/.config/claude_mirror");
  expect(configDir({ CLAUDE_MIRROR_CONFIG_DIR: "/etc/cm/" }, "/home/a")).toBe("/etc/cm");
  expect(configDir({ CLAUDE_MIRROR_CONFIG_DIR: "~/cm" }, "/home/a/")).toBe("/home/a/cm");
  expect(configDir({ CLAUDE_MIRROR_CONFIG_DIR: "" }, "/home/a")).toBe("/home/a/.config/claude_mirror");
});

test("stateDir and dataDir: follow the XDG variables when these are absolute", () => {
  expect(stateDir({}, "/home/a")).toBe("/home/a/.local/state/claude-mirror");
  expect(stateDir({ XDG_STATE_HOME: "/var/s/" }, "/home/a")).toBe("/var/s/claude-mirror");
  expect(stateDir({ XDG_STATE_HOME: "rel" }, "/home/a")).toBe("/home/a/.local/state/claude-mirror");
  expect(dataDir({ XDG_DATA_HOME: "/d" }, "/home/a")).toBe("/d/claude-mirror");
  expect(dataDir({}, "/home/a")).toBe("/home/a/.local/share/claude-mirror");
});

test("expandHome: only a leading ~ of our own", () => {
  expect(expandHome("~", "/h")).toBe("/h");
  expect(expandHome("~/a/~", "/h/")).toBe("/h/a/~");
  expect(expandHome("~bob/a", "/h")).toBe("~bob/a");
  expect(expandHome("/a/~/b", "/h")).toBe("/a/~/b");
});

test("homeFrom: HOME, else USERPROFILE, else nothing", () => {
  expect(homeFrom({ HOME: "/h", USERPROFILE: "C:\\u" })).toBe("/h");
  expect(homeFrom({ HOME: "", USERPROFILE: "C:\\u" })).toBe("C:\\u");
  expect(homeFrom({})).toBeUndefined();
});
