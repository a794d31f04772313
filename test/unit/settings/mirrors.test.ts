import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../../src/settings/load.ts";
import type { Machine } from "../../../src/settings/machine.ts";
import { loadMirrors } from "../../../src/settings/mirrors.ts";
import { tempFolder } from "../../support/temp.ts";

function place() {
  const home = tempFolder("mirrors");
  const configDir = join(home, ".config/claude_mirror");
  mkdirSync(configDir, { recursive: true });
  mkdirSync(join(home, "project"));
  mkdirSync(join(home, "other"));
  const machine: Machine = { home, configDir, hostName: "here", userName: "me" };
  const write = (name: string, settings: Readonly<Record<string, unknown>>) => {
    const all = { project_path: join(home, "project"), backend: "local", local_folder: join(home, name), ...settings };
    const text = Object.entries(all).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`);
    writeFileSync(join(configDir, `${name}.yaml`), text.join(""));
  };
  return {
    home,
    configDir,
    write,
    mirrors: () => loadMirrors(loadConfig(join(configDir, "main.yaml"), machine), machine),
  };
}

test("loadMirrors: paths with ~ and paths relative to the config's folder are found", () => {
  const { write, mirrors } = place();
  write("one", { backend: "webdav", webdav_url: "https://cloud.example/dav" });
  write("two", { backend: "dropbox", dropbox_folder: "/two" });
  write("main", { mirror_config_paths: ["~/.config/claude_mirror/one.yaml", "two.yaml"] });
  expect(mirrors().mirrors.map(({ name, problem }) => [name, problem])).toEqual([
    ["webdav", undefined],
    ["dropbox", undefined],
  ]);
  expect(mirrors().primary).toBe("local");
});

test("loadMirrors: configs that share a backend type go by their file's stem", () => {
  const { write, mirrors } = place();
  write("one", {});
  write("two", { backend: "dropbox", dropbox_folder: "/two" });
  write("main", { mirror_config_paths: ["one.yaml", "two.yaml"] });
  expect([mirrors().primary, ...mirrors().mirrors.map(({ name }) => name)]).toEqual(["main", "one", "dropbox"]);
});

test("loadMirrors: a missing file, another project, a chain of mirrors and one listed twice are problems of that mirror alone", () => {
  const { home, write, mirrors } = place();
  write("other", { project_path: join(home, "other") });
  write("chain", { mirror_config_paths: ["good.yaml"] });
  write("good", { backend: "webdav", webdav_url: "https://cloud.example/dav" });
  write("main", {
    mirror_config_paths: ["gone.yaml", "other.yaml", "chain.yaml", "main.yaml", "good.yaml", "good.yaml"],
  });
  const found = mirrors().mirrors.map(({ name, config, problem }) => [name, config === undefined, problem ?? ""]);
  expect(found.map(([, broken]) => broken)).toEqual([true, true, true, true, false, true]);
  expect(String(found[1]?.[2])).toContain("its project_path is");
  expect(String(found[2]?.[2])).toContain("mirrors of its own");
  expect(String(found[3]?.[2])).toContain("listed twice");
});
