import { beforeEach, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { findConfigFast } from "../../../src/settings/index-fast.ts";
import { openSettings, type SettingsService } from "../../../src/settings/service.ts";
import { tempFolder } from "../../support/temp.ts";

let home: string;
let configs: string;
let index: string;
let env: Record<string, string>;
let settings: SettingsService;

beforeEach(() => {
  home = tempFolder("discovery");
  configs = join(home, ".config/claude_mirror");
  index = join(home, ".local/state/claude-mirror/projects.json");
  env = { HOME: home };
  settings = openSettings(env);
  fs.mkdirSync(configs, { recursive: true });
});

function folder(path: string): string {
  const whole = join(home, path);
  fs.mkdirSync(whole, { recursive: true });
  return whole;
}

function config(name: string, projectPath: string, more = ""): string {
  const file = join(configs, name);
  fs.writeFileSync(file, `project_path: ${JSON.stringify(projectPath)}\n${more}`);
  return file;
}

/** Both ways: from the folder itself, then from the index that this wrote. */
function find(path: string) {
  const slow = settings.find(path);
  expect(findConfigFast(path, env)).toEqual(slow);
  return slow;
}

test("findProject: the nearest project at or above the folder", () => {
  const outer = config("outer.yaml", folder("work"));
  const inner = config("inner.yaml", folder("work/a"));
  expect(find(folder("work/a/deep/er"))).toEqual({ kind: "found", file: inner, path: join(home, "work/a") });
  expect(find(join(home, "work/a"))).toMatchObject({ file: inner });
  expect(find(folder("work/ab"))).toMatchObject({ file: outer });
  expect(find(folder("elsewhere"))).toMatchObject({ kind: "none" });
});

test("findProject: default.yaml counts for its own project only", () => {
  const file = config("default.yaml", folder("p"));
  expect(find(folder("p/sub"))).toMatchObject({ file });
  expect(find(folder("q"))).toEqual({ kind: "none", projects: [{ path: join(home, "p"), file, mirror: false }] });
});

test("findProject: a mirror's config is never taken, however it is named", () => {
  const path = folder("p");
  config("p-dropbox.yaml", path, "backend: dropbox\n");
  config("p-other.yaml", path);
  const file = config(
    "p.yaml",
    path,
    `mirror_config_paths: ['~/.config/claude_mirror/p-dropbox.yaml', p-other.yaml]\n`,
  );
  expect(find(path)).toMatchObject({ kind: "found", file });
  const link = join(home, "link.yaml");
  fs.symlinkSync(join(configs, "p-dropbox.yaml"), link);
  config("p.yaml", path, `mirror_config_paths: [${link}, p-other.yaml, p.yaml]\n`);
  expect(find(path)).toMatchObject({ kind: "found", file });
});

test("findProject: two configs on one folder are ambiguous, also when they name each other", () => {
  const path = folder("p");
  const a = config("a.yaml", path);
  const b = config("b.yaml", path);
  expect(find(folder("p/sub"))).toEqual({ kind: "ambiguous", files: [a, b], path });
  config("a.yaml", path, "mirror_config_paths: [b.yaml]\n");
  config("b.yaml", path, "mirror_config_paths: [a.yaml]\n");
  expect(find(path)).toEqual({ kind: "ambiguous", files: [a, b], path });
});

test("findProject: symbolic links on both sides lead to the same place", () => {
  const real = folder("real/p");
  const link = join(home, "link");
  fs.symlinkSync(join(home, "real"), link);
  const file = config("p.yaml", join(link, "p"));
  expect(find(real)).toEqual({ kind: "found", file, path: real });
  expect(find(join(link, "p"))).toMatchObject({ file });
  // The link is turned without a change to any YAML: the index must not say what was.
  const other = folder("other/p");
  fs.rmSync(link);
  fs.symlinkSync(join(home, "other"), link);
  expect(find(other)).toEqual({ kind: "found", file, path: other });
  expect(find(real)).toMatchObject({ kind: "none" });
});

test("findProject: a project folder that appears later is found", () => {
  const file = config("p.yaml", join(home, "mounted/p"));
  expect(find(home)).toMatchObject({ kind: "none" });
  expect(find(folder("mounted/p/x"))).toMatchObject({ file });
});

test("findProject: a path that does not exist yet belongs to the project above it", () => {
  const file = config("p.yaml", folder("p"));
  expect(settings.find(join(home, "p/new/file.md"))).toMatchObject({ file });
});

test("findProject: bad YAMLs do not hide the others, and are named", () => {
  const file = config("p.yaml", folder("p"));
  fs.writeFileSync(join(configs, "broken.yaml"), "a: 'b\n");
  fs.writeFileSync(join(configs, "empty.yaml"), "");
  fs.writeFileSync(join(configs, "binary.yaml"), new Uint8Array([0xff, 0xfe]));
  fs.mkdirSync(join(configs, "folder.yaml"));
  fs.symlinkSync(join(home, "gone"), join(configs, "dangling.yaml"));
  fs.writeFileSync(join(configs, "notes.txt"), "- not ours");
  expect(find(join(home, "p"))).toMatchObject({ file });
  const names = settings.known().problems.map((problem) => problem.file.slice(configs.length + 1));
  expect(names).toEqual(["binary.yaml", "broken.yaml", "dangling.yaml", "empty.yaml", "folder.yaml"]);
  for (const problem of settings.known().problems) expect(problem.message).toContain(problem.file);
});

test("findProject: a config that is broken for the moment keeps its project, which its mirror never takes over", () => {
  const path = folder("p");
  config("p-usb.yaml", path);
  const good = "mirror_config_paths: [p-usb.yaml]\n";
  const file = config("p.yaml", path, good);
  expect(find(path)).toMatchObject({ kind: "found", file });
  for (const broken of ["", "- a\n", "project_path: [\n", new Uint8Array([0xff, 0xfe])]) {
    fs.writeFileSync(file, broken);
    expect(find(path)).toMatchObject({ kind: "found", file });
    expect(settings.known().problems.map((problem) => problem.file)).toEqual([file]);
  }
  config("p.yaml", folder("q"), good);
  expect(find(path)).toMatchObject({ kind: "none" });
  config("p.yaml", path);
  expect(find(path)).toMatchObject({ kind: "ambiguous" });
  fs.rmSync(file);
  expect(find(path)).toMatchObject({ kind: "found", file: join(configs, "p-usb.yaml") });
});

test("findProject: a config whose other values are wrong is found all the same", () => {
  const file = config("p.yaml", folder("p"), "poll_interval: soon\nbackend: sftp\n");
  expect(find(join(home, "p"))).toMatchObject({ file });
});

test("findProject: no config folder means no project", () => {
  fs.rmSync(configs, { recursive: true });
  expect(find(home)).toEqual({ kind: "none", projects: [] });
  fs.mkdirSync(configs);
  const file = config("p.yaml", folder("p"));
  expect(find(join(home, "p"))).toMatchObject({ file });
});

test("findConfigFast: answers nothing without a fresh index", () => {
  const path = folder("p");
  const file = config("p.yaml", path);
  expect(findConfigFast(path, env)).toBeUndefined();
  settings.find(path);
  expect(findConfigFast(path, env)).toMatchObject({ file });
  expect(findConfigFast(path, {})).toBeUndefined();
  expect(findConfigFast(path, { ...env, CLAUDE_MIRROR_CONFIG_DIR: home })).toBeUndefined();
  expect(findConfigFast(join(path, "none"), env)).toBeUndefined();
});

test("findConfigFast: sees every change to the folder and to a YAML in it", () => {
  const path = folder("p");
  const changes: readonly (() => void)[] = [
    () => void config("new.yaml", folder("q")),
    () => fs.rmSync(join(configs, "new.yaml")),
    () => fs.renameSync(join(configs, "p.yaml"), join(configs, "r.yaml")),
    () => fs.appendFileSync(join(configs, "r.yaml"), "# x\n"),
    () => fs.utimesSync(join(configs, "r.yaml"), 1000, 1000),
    () => {
      // Same size, same times, another file.
      const { atimeMs, mtimeMs } = fs.statSync(join(configs, "r.yaml"));
      const dir = fs.statSync(configs);
      fs.writeFileSync(join(home, "copy"), fs.readFileSync(join(configs, "r.yaml")));
      fs.utimesSync(join(home, "copy"), atimeMs / 1000, mtimeMs / 1000);
      fs.renameSync(join(home, "copy"), join(configs, "r.yaml"));
      fs.utimesSync(configs, dir.atimeMs / 1000, dir.mtimeMs / 1000);
    },
  ];
  config("p.yaml", path);
  for (const change of changes) {
    settings.find(path);
    expect(findConfigFast(path, env)).toBeDefined();
    change();
    expect(findConfigFast(path, env)).toBeUndefined();
  }
});

test("findConfigFast: a damaged index is as good as none", () => {
  const path = folder("p");
  const file = config("p.yaml", path);
  settings.find(path);
  const good = fs.readFileSync(index, "utf8");
  for (const bad of [
    "",
    "{",
    "null",
    "[]",
    good.slice(0, -10),
    good.replace('"version":1', '"version":2'),
    good.replace('"projects"', '"x"'),
    good.replace('"files"', '"x"'),
  ]) {
    fs.writeFileSync(index, bad);
    expect(findConfigFast(path, env)).toBeUndefined();
    expect(settings.find(path)).toMatchObject({ file });
    expect(fs.readFileSync(index, "utf8")).toBe(good);
  }
});

test("knownProjects: a fresh index is not written again, and one that cannot be written costs time only", () => {
  const path = folder("p");
  const file = config("p.yaml", path);
  settings.find(path);
  const before = fs.statSync(index, { bigint: true });
  settings.find(path);
  const after = fs.statSync(index, { bigint: true });
  expect([after.ino, after.ctimeNs]).toEqual([before.ino, before.ctimeNs]);
  expect(before.mode & 0o777n).toBe(0o600n);
  const blocked = openSettings({ ...env, XDG_STATE_HOME: join(home, "blocked") });
  fs.writeFileSync(join(home, "blocked"), "");
  expect(blocked.find(path)).toMatchObject({ file });
});

test("index-fast: reads nothing but node:fs and the names of folders", async () => {
  const source = await Bun.file(join(import.meta.dir, "../../../src/settings/index-fast.ts")).text();
  const imported = [...source.matchAll(/from "([^"]+)"/g)].map((match) => match[1]);
  expect(imported).toEqual(["node:fs", "../lib/dirs.ts"]);
  const folders = await Bun.file(join(import.meta.dir, "../../../src/lib/dirs.ts")).text();
  expect(folders).not.toContain("import");
});
