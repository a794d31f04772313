import { expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { parseConfig } from "../../../src/settings/codec.ts";
import { SettingsError } from "../../../src/settings/errors.ts";
import { defaultTokenFile, readWebdavToken, webdavSecret, writeWebdavToken } from "../../../src/settings/tokens.ts";
import { ALICE } from "../../support/machine.ts";
import { tempFolder } from "../../support/temp.ts";

const dir = tempFolder("tokens");
const GOLDENS = [
  "claude-mirror-0.5.31/config/webdav-myproject-token.json",
  "claude-mirror-0.5.70/config/webdav-notes-token.json",
];

test.each(GOLDENS)("writeWebdavToken: spells %s byte for byte", (name) => {
  const golden = join(import.meta.dir, "../../fixtures", name);
  const token = readWebdavToken(golden);
  expect(token).toEqual({ username: "alice", password: "secret" });
  const file = join(dir, "copy.json");
  writeWebdavToken(file, token ?? { username: "", password: "" });
  expect(fs.readFileSync(file)).toEqual(fs.readFileSync(golden));
  expect(fs.statSync(file).mode & 0o777).toBe(0o600);
});

test("writeWebdavToken: any password comes back", () => {
  const file = join(dir, "odd.json");
  const token = { username: "ä@b.c", password: 'p"\\ ß😀\u2028' };
  writeWebdavToken(file, token);
  expect(readWebdavToken(file)).toEqual(token);
  expect(fs.readFileSync(file, "utf8")).toMatch(/^[ -~]*$/);
});

test("readWebdavToken: no file is no token, a bad one is an error that does not quote it", () => {
  expect(readWebdavToken(join(dir, "none.json"))).toBeUndefined();
  const file = join(dir, "bad.json");
  for (const text of [
    "",
    "hunter2",
    '{"password": "hunter2"',
    '["hunter2"]',
    '{"username": "hunter2"}',
    '{"password": 2}',
  ]) {
    fs.writeFileSync(file, text);
    try {
      readWebdavToken(file);
      throw new Error("accepted");
    } catch (error) {
      expect(error).toBeInstanceOf(SettingsError);
      expect(Bun.inspect(error)).not.toContain("hunter2");
      expect(String(error)).toContain("run `claude-mirror auth`");
    }
  }
  expect(() => readWebdavToken(dir)).toThrow("the token cannot be read (EISDIR)");
});

test("webdavSecret: the token file wins over the YAML", () => {
  const tokenFile = join(dir, "prefer.json");
  const yaml = `project_path: /p\nbackend: webdav\ntoken_file: ${tokenFile}\nwebdav_username: bob\n`;
  const without = parseConfig(yaml, "/x.yaml", ALICE);
  expect(webdavSecret(without)).toBeUndefined();
  const config = parseConfig(`${yaml}webdav_password: old\n`, "/x.yaml", ALICE);
  expect(webdavSecret(config)).toEqual({ username: "bob", password: "old", from: "settings" });
  writeWebdavToken(tokenFile, { username: "", password: "new" });
  expect(webdavSecret(config)).toEqual({ username: "bob", password: "new", from: "token file" });
  writeWebdavToken(tokenFile, { username: "eve", password: "new" });
  expect(webdavSecret(config)?.username).toBe("eve");
});

test("defaultTokenFile: the seed's name, the config's own when that is taken", () => {
  const configDir = tempFolder("names");
  const other = join(configDir, "notes.yaml");
  const request = {
    backend: "webdav",
    projectPath: "/home/alice/work/notes",
    configFile: join(configDir, "notes-2.yaml"),
    configDir,
    home: "/home/alice",
    otherConfigs: [other, join(configDir, "notes-2.yaml"), join(configDir, "broken.yaml")],
  } as const;
  const seed = join(configDir, "webdav-notes-token.json");
  const own = join(configDir, "webdav-notes-2-token.json");
  expect(defaultTokenFile(request)).toBe(seed);
  fs.writeFileSync(other, `project_path: /q\ntoken_file: ${seed}\n`);
  expect(defaultTokenFile(request)).toBe(own);
  fs.rmSync(other);
  fs.writeFileSync(seed, "{}");
  expect(defaultTokenFile(request)).toBe(own);
  expect(defaultTokenFile({ ...request, configFile: other })).toBe(seed);
});
