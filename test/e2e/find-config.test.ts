import { beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compiledBinary } from "../support/binary.ts";
import { tempFolder } from "../support/temp.ts";

const home = tempFolder("find-config");
const configs = join(home, ".config/claude_mirror");
const index = join(home, ".local/state/claude-mirror/projects.json");
let binary: string;

beforeAll(async () => {
  binary = await compiledBinary();
});

beforeEach(() => {
  rmSync(join(home, ".config"), { recursive: true, force: true });
  rmSync(join(home, ".local"), { recursive: true, force: true });
  mkdirSync(configs, { recursive: true });
  for (const name of ["outer/inner/deep", "other", "nowhere"]) mkdirSync(join(home, name), { recursive: true });
  config("outer", "outer");
  config("inner", "outer/inner");
});

function config(name: string, folder: string): void {
  writeFileSync(join(configs, `${name}.yaml`), `project_path: ${join(home, folder)}\nbackend: local\n`);
}

function find(cwd: string, ...words: string[]) {
  const run = spawnSync(binary, ["find-config", ...words], {
    cwd: join(home, cwd),
    env: { HOME: home },
    encoding: "utf8",
  });
  return { code: run.status, stdout: run.stdout, stderr: run.stderr };
}

const said = (name: string) => ({ code: 0, stdout: `${join(configs, name)}.yaml\n`, stderr: "" });

describe("find-config", () => {
  test("find-config: the nearest project counts, cold and warm alike", () => {
    expect(find("outer/inner/deep")).toEqual(said("inner"));
    expect(existsSync(index)).toBe(true);
    expect(find("outer/inner/deep")).toEqual(said("inner"));
    expect(find("nowhere", "../outer")).toEqual(said("outer"));
    expect(find("nowhere", join(home, "outer/inner"))).toEqual(said("inner"));
  });

  test("find-config: a config that appears or goes is seen at once", () => {
    expect(find("other").code).toBe(1);
    config("other", "other");
    expect(find("other")).toEqual(said("other"));
    rmSync(join(configs, "inner.yaml"));
    expect(find("outer/inner")).toEqual(said("outer"));
  });

  test("find-config: a miss names the known projects on stderr and exits 1", () => {
    const miss = find("nowhere");
    expect(miss.code).toBe(1);
    expect(miss.stdout).toBe("");
    expect(miss.stderr).toContain(`no project holds "${join(home, "nowhere")}"`);
    expect(miss.stderr).toContain(join(home, "outer/inner"));
    expect(find("nowhere")).toEqual(miss);
  });

  test("find-config: without any project it says how to set one up", () => {
    rmSync(configs, { recursive: true });
    expect(find("nowhere").stderr).toContain("run claude-mirror init");
  });

  test("find-config: two configs of one folder exit 2 and are both named", () => {
    config("twin", "outer/inner");
    for (const _ of ["cold", "warm"]) {
      const both = find("outer/inner");
      expect(both.code).toBe(2);
      expect(both.stderr).toContain("inner.yaml");
      expect(both.stderr).toContain("twin.yaml");
    }
  });

  test("find-config: a YAML that cannot be read is named and hides no other", () => {
    writeFileSync(join(configs, "broken.yaml"), "a: [\n");
    const found = find("outer");
    expect(found.code).toBe(0);
    expect(found.stdout).toBe(said("outer").stdout);
    expect(found.stderr).toContain("broken.yaml");
  });

  test("find-config: --json answers in the envelope", () => {
    const { code, stdout } = find("outer", "--json");
    expect({ code, answer: JSON.parse(stdout) }).toEqual({
      code: 0,
      answer: {
        version: 1,
        command: "find-config",
        result: { config: join(configs, "outer.yaml"), project_path: join(home, "outer") },
      },
    });
  });
});
