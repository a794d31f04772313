import { expect, test } from "bun:test";
import * as fs from "node:fs";
import { userInfo } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../../src/settings/load.ts";
import { machineFrom } from "../../../src/settings/machine.ts";
import { ALICE } from "../../support/machine.ts";
import { tempFolder } from "../../support/temp.ts";

const dir = tempFolder("load");

test("loadConfig: a file that cannot be read says why and what to do", () => {
  const file = join(dir, "p.yaml");
  expect(() => loadConfig(file, ALICE)).toThrow(
    `cannot use the settings in "${file}": there is no such file; run \`claude-mirror init\``,
  );
  expect(() => loadConfig(dir, ALICE)).toThrow("it is a folder");
  fs.writeFileSync(file, new Uint8Array([0x61, 0xff]));
  expect(() => loadConfig(file, ALICE)).toThrow("it is not UTF-8 text");
  fs.writeFileSync(file, "project_path: /naïve\n");
  expect(loadConfig(file, ALICE)).toMatchObject({ file, projectPath: "/naïve" });
});

test("machineFrom: without USER, as under cron, the user is the account's name, not unknown", () => {
  expect(machineFrom({ HOME: "/h" }).userName).toBe(userInfo().username);
});

test("machineFrom: user and host as the Python tool's defaults take them", () => {
  expect(machineFrom({ HOME: "/h", USER: "bob" })).toMatchObject({
    home: "/h",
    configDir: "/h/.config/claude_mirror",
    userName: "bob",
  });
  expect(machineFrom({}).home).not.toBe("");
});
