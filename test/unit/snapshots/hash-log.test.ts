import { expect, test } from "bun:test";
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openHashLog } from "../../../src/snapshots/hash-log.ts";
import { tempFolder } from "../../support/temp.ts";

const A = "aa".repeat(32);
const B = "0b".repeat(32);
const C = "c3".repeat(32);

test("openHashLog: remembers digests in 32 bytes each, every one once", () => {
  const file = join(tempFolder("hash-log"), "deep/log");
  const log = openHashLog(file);
  log.add([A, B, A]);
  log.add([B]);
  log.add([C]);
  expect(statSync(file).size).toBe(32 * 4);
  const again = openHashLog(file);
  expect([again.has(A), again.has(B), again.has(C), again.has("d".repeat(64)), again.size()]).toEqual([
    true,
    true,
    true,
    false,
    3,
  ]);
});

test("openHashLog: reads and writes nothing before it is asked", () => {
  const file = join(tempFolder("hash-log"), "log");
  openHashLog(file).has(A);
  expect(existsSync(file)).toBe(false);
});

test("openHashLog: a torn tail is cut off and what follows stays readable", () => {
  const file = join(tempFolder("hash-log"), "log");
  openHashLog(file).add([A, B]);
  truncateSync(file, 32 * 3 - 5);
  const log = openHashLog(file);
  expect([log.has(A), log.has(B)]).toEqual([true, false]);
  log.add([C]);
  expect([openHashLog(file).has(A), openHashLog(file).has(C), openHashLog(file).size()]).toEqual([true, true, 2]);
});

test("openHashLog: a file that is something else counts as empty and is begun anew", () => {
  const file = join(tempFolder("hash-log"), "log");
  writeFileSync(file, "x".repeat(96));
  const log = openHashLog(file);
  expect(log.size()).toBe(0);
  log.add([A]);
  expect(openHashLog(file).has(A)).toBe(true);
  writeFileSync(file, "");
  expect(openHashLog(file).size()).toBe(0);
});

test("openHashLog: retain keeps what is wanted, also on disk", () => {
  const file = join(tempFolder("hash-log"), "log");
  const log = openHashLog(file);
  log.add([A, B, C]);
  log.retain((hash) => hash !== B);
  log.add([B.replaceAll("0b", "1b")]);
  expect([log.has(A), log.has(B), log.has(C)]).toEqual([true, false, true]);
  expect(openHashLog(file).size()).toBe(3);
  const before = readFileSync(file);
  log.retain(() => true);
  expect(readFileSync(file)).toEqual(before);
});

test("openHashLog: where it cannot be written it lives in memory", () => {
  const folder = tempFolder("hash-log");
  writeFileSync(join(folder, "blocked"), "");
  const log = openHashLog(join(folder, "blocked/log"));
  log.add([A]);
  expect(log.has(A)).toBe(true);
  expect(readFileSync(join(folder, "blocked"), "utf8")).toBe("");
});
