import { expect, test } from "bun:test";
import * as fs from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  fsyncFolder,
  isAbandonedTemp,
  removeAbandonedTemps,
  tempPathFor,
  writeAll,
  writeAtomic,
} from "../../../src/lib/fs.ts";
import { processTag } from "../../../src/lib/process-identity.ts";
import { TEMP_PREFIX } from "../../../src/lib/temp-prefix.ts";
import { tempFolder } from "../../support/temp.ts";

const dir = tempFolder("fs");
const modeOf = (file: string) => fs.statSync(file).mode & 0o777;

test("tempPathFor: lies next to the target, never the same twice", () => {
  const [a, b] = [tempPathFor("/x/y"), tempPathFor("/x/y")];
  expect(dirname(a)).toBe("/x");
  expect(basename(a)).toStartWith(TEMP_PREFIX);
  expect(a).not.toBe(b);
});

test("writeAtomic: makes folders, keeps or sets the mode, leaves no temporary file", () => {
  const file = join(dir, "one/two/a");
  writeAtomic(file, "1");
  expect(modeOf(file)).toBe(0o644);
  fs.chmodSync(file, 0o750);
  writeAtomic(file, new Uint8Array([0x32]));
  expect([fs.readFileSync(file, "utf8"), modeOf(file)]).toEqual(["2", 0o750]);
  writeAtomic(file, "3", { mode: 0o666, durable: false });
  expect([fs.readFileSync(file, "utf8"), modeOf(file)]).toEqual(["3", 0o666]);
  expect(fs.readdirSync(dirname(file))).toEqual(["a"]);
});

test("writeAtomic: when it fails the old content stands and nothing is left over", () => {
  const folder = join(dir, "taken");
  fs.mkdirSync(join(folder, "full"), { recursive: true });
  expect(() => writeAtomic(folder, "x")).toThrow();
  expect(fs.readdirSync(dir).filter((name) => name.startsWith(TEMP_PREFIX))).toEqual([]);
  expect(fs.existsSync(join(folder, "full"))).toBe(true);
});

test.skipIf(!fs.existsSync("/dev/full"))("writeAll: a full disk is an error", () => {
  const fd = fs.openSync("/dev/full", "w");
  expect(() => writeAll(fd, Buffer.from("x"))).toThrow(/ENOSPC|no space/);
  fs.closeSync(fd);
});

test("fsyncFolder: throws for a folder that is not there, not for one whose file system cannot sync it", () => {
  fsyncFolder(dir);
  expect(() => fsyncFolder(join(dir, "none"))).toThrow("ENOENT");
});

test("isAbandonedTemp: true only for what a process of this machine left that has ended", () => {
  const { pid } = Bun.spawnSync(["true"]);
  const [place] = processTag().split("-");
  const ended = `${TEMP_PREFIX}${place}-${pid}-0123456789ab`;
  expect(isAbandonedTemp(ended)).toBe(true);
  expect(isAbandonedTemp(basename(tempPathFor("/x/y")))).toBe(false);
  for (const name of [`${TEMP_PREFIX}0123456789ab`, `${TEMP_PREFIX}00000000-${pid}-0123456789ab`, `${place}-${pid}-ab`])
    expect(isAbandonedTemp(name)).toBe(false);
  const dir = tempFolder("abandoned");
  for (const name of [ended, basename(tempPathFor("/x/y")), "notes.md"]) fs.writeFileSync(join(dir, name), "");
  removeAbandonedTemps(dir);
  expect(fs.readdirSync(dir)).not.toContain(ended);
  expect(fs.readdirSync(dir)).toHaveLength(2);
});
