import { expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../../../src/settings/load.ts";
import { accountName, machineFrom } from "../../../src/settings/machine.ts";
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

test("machineFrom: without USER, as under cron, the user is the account, and unknown where the system has none", () => {
  expect(machineFrom({ HOME: "/h", LOGNAME: "eve" }).userName).toBe("eve");
  const file = join(dir, "passwd");
  fs.writeFileSync(file, "root:x:0:0::/root:/bin/sh\n# none\ndaemon:x:1:1::/:/bin/false\n");
  expect([0, 1, 7, undefined].map((uid) => accountName(file, uid))).toEqual(["root", "daemon", undefined, undefined]);
  expect(accountName(join(dir, "missing"), 0)).toBeUndefined();
  expect(machineFrom({ HOME: "/h" }).userName).toBe(accountName("/etc/passwd", process.getuid?.()) ?? "unknown");
});

test("machineFrom: user and host as the Python tool's defaults take them", () => {
  expect(machineFrom({ HOME: "/h", USER: "bob" })).toMatchObject({
    home: "/h",
    configDir: "/h/.config/claude_mirror",
    userName: "bob",
  });
  expect(machineFrom({}).home).not.toBe("");
});
