import { beforeEach, expect, test } from "bun:test";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { relPath } from "../../../src/lib/path.ts";
import { beginClosing, readMarker, writeMarker } from "../../../src/sync/marker.ts";
import type { Plan } from "../../../src/sync/model.ts";
import { tempFolder } from "../../support/temp.ts";

let file: string;

beforeEach(() => {
  file = join(tempFolder("marker"), "run.json");
  const actions = [
    { kind: "forget", path: relPath("old.md") },
    { kind: "delete-remote", path: relPath('a\n{"b".md') },
  ];
  writeMarker(file, "push", { actions } as unknown as Plan);
});

test("beginClosing: the first attempt's time counts for all later ones, and the plan stays as it was", () => {
  expect(readMarker(file)?.closingMs).toBeUndefined();
  expect([beginClosing(file, 5000), beginClosing(file, 9000)]).toEqual([5000, 5000]);
  const marker = readMarker(file);
  expect([marker?.closingMs, marker?.command, [...(marker?.planned ?? [])]]).toEqual([
    5000,
    "push",
    [[relPath('a\n{"b".md'), "delete-remote"]],
  ]);
});

test("beginClosing: a note of it that was torn counts for nothing, and is made again", () => {
  appendFileSync(file, '\n{"closingMs":12');
  expect(readMarker(file)?.closingMs).toBeUndefined();
  expect(beginClosing(file, 7000)).toBe(7000);
  expect(readMarker(file)?.closingMs).toBe(7000);
});

test("beginClosing: without a marker there is nothing to note", () => {
  const none = `${file}.none`;
  expect(beginClosing(none, 3)).toBe(3);
  expect(readMarker(none)).toBeUndefined();
  expect(() => readFileSync(none)).toThrow();
});

test("writeMarker: a plan that is added to an unfinished one is not being closed yet", () => {
  beginClosing(file, 5000);
  writeMarker(file, "sync", { actions: [{ kind: "upload", path: relPath("new.md") }] } as unknown as Plan);
  expect(readMarker(file)?.closingMs).toBeUndefined();
  expect([...(readMarker(file)?.planned.keys() ?? [])] as string[]).toEqual(['a\n{"b".md', "new.md"]);
});
