import { describe, expect, test } from "bun:test";
import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../../src/settings/load.ts";
import { parseSetting, profileFile, profileNames, writeProfile } from "../../../src/settings/profiles.ts";
import { ALICE } from "../../support/machine.ts";
import { tempFolder } from "../../support/temp.ts";

function lab(config: string, profiles: Readonly<Record<string, string>> = {}) {
  const configDir = tempFolder("profiles");
  const machine = { ...ALICE, configDir };
  mkdirSync(join(configDir, "profiles"));
  for (const [name, text] of Object.entries(profiles)) writeFileSync(join(configDir, `profiles/${name}.yaml`), text);
  const file = join(configDir, "p.yaml");
  writeFileSync(file, `project_path: /p\n${config}`);
  return { machine, file, load: (profile?: string) => loadConfig(file, machine, profile) };
}

const WORK = "backend: webdav\ndescription: at work\nwebdav_username: me\npoll_interval: 60\nmachine_name: shared\n";

describe("loadConfig with a profile", () => {
  test("loadConfig: a profile's value stands in where the project's says nothing, as in the Python tool", () => {
    const own =
      "webdav_username: ''\npoll_interval: 5\nretry_on_push: false\nparallel_workers: 0\nexclude_patterns: []\n";
    const { load, machine } = lab(`profile: work\n${own}`, {
      work: `${WORK}retry_on_push: true\nparallel_workers: 7\nexclude_patterns: [x]\nproject_path: /other\n`,
    });
    expect(load()).toMatchObject({
      backend: "webdav",
      webdavUsername: "me",
      pollInterval: 5,
      retryOnPush: true,
      parallelWorkers: 7,
      excludePatterns: ["x"],
      projectPath: "/p",
      profileFile: profileFile("work", machine),
      warnings: [],
    });
  });

  test("loadConfig: --profile takes the place of the one that the config names", () => {
    const { load } = lab("profile: work\n", { work: WORK, home: "backend: local\nlocal_folder: /mnt\n" });
    expect(load("home")).toMatchObject({ backend: "local", localFolder: "/mnt" });
    expect(load().backend).toBe("webdav");
  });

  test("loadConfig: what is wrong in a profile is told with its file and line", () => {
    const { load, machine } = lab("profile: work\n", { work: "backend: webdav\npoll_interval: often\n" });
    expect(() => load()).toThrow(`"${profileFile("work", machine)}": line 2: "poll_interval" must be a number`);
  });

  test("loadConfig: a profile that is not there, or cannot be one, is said with those that are", () => {
    const { load } = lab("profile: gone\n", { work: WORK });
    expect(() => load()).toThrow('there is no profile "gone"');
    expect(() => load("../x")).toThrow("cannot be the name of a profile");
    expect(lab("profile: 7\n").load().warnings).toEqual([
      'line 2: "profile" must be the name of a profile; it is not used',
    ]);
  });
});

describe("profiles", () => {
  test("parseSetting: takes the type of the key, and nothing that others could read while it is typed", () => {
    const parse = (typed: string) => parseSetting(typed, ALICE);
    expect(parse("poll_interval=60")).toEqual(["poll_interval", 60]);
    expect(parse("slack_enabled=true")).toEqual(["slack_enabled", true]);
    expect(parse("exclude_patterns=a/**, b")).toEqual(["exclude_patterns", ["a/**", "b"]]);
    expect(parse("webdav_url=https://x/?a=b")).toEqual(["webdav_url", "https://x/?a=b"]);
    expect(() => parse("poll_interval=often")).toThrow("takes a number");
    expect(() => parse("webdav_password=x")).toThrow("others on this machine can read it");
    expect(() => parse("project_path=/x")).toThrow("one project's alone");
    expect(() => parse("pol_interval=1")).toThrow("no version knows it");
    expect(() => parse("backend")).toThrow("write KEY=VALUE");
  });

  test("writeProfile: only its owner can read it, and a name is taken once", () => {
    const { machine } = lab("");
    const file = profileFile("new", machine);
    writeProfile(file, "backend: local\n");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(profileNames(machine)).toEqual(["new"]);
    expect(() => writeProfile(file, "")).toThrow("a profile of that name already");
  });
});
