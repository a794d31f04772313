import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  isAskingDue,
  newsOf,
  readUpdateNotes,
  type UpdateNotes,
  writeUpdateNotes,
} from "../../../src/install/update-check.ts";
import { tempFolder } from "../../support/temp.ts";

const HOUR = 3_600_000;
const NOW = 1_000 * HOUR;
const notes = (more: Partial<UpdateNotes> = {}): UpdateNotes => ({
  url: "https://x",
  askedAt: 0,
  toldAt: 0,
  latest: "2.0.0",
  ...more,
});

describe("update notes", () => {
  test("readUpdateNotes: what was written is read; damaged ones and those about another place say nothing", () => {
    const file = join(tempFolder("notes"), "deep/update-check.json");
    const empty = notes({ latest: "" });
    expect(readUpdateNotes(file, "https://x")).toEqual(empty);
    writeUpdateNotes(file, notes({ askedAt: 5, toldAt: 7 }));
    expect(readUpdateNotes(file, "https://x")).toEqual(notes({ askedAt: 5, toldAt: 7 }));
    expect(readUpdateNotes(file, "https://y")).toEqual({ ...empty, url: "https://y" });
    for (const damaged of ["", "{", "null", "[]", '{"url":"https://x","askedAt":"1","toldAt":1,"latest":"2.0.0"}']) {
      writeFileSync(file, damaged);
      expect([damaged, readUpdateNotes(file, "https://x")]).toEqual([damaged, empty]);
    }
  });

  test("isAskingDue: once a day, also after the clock was set back", () => {
    expect(isAskingDue(notes(), NOW)).toBe(true);
    expect(isAskingDue(notes({ askedAt: NOW - 23 * HOUR }), NOW)).toBe(false);
    expect(isAskingDue(notes({ askedAt: NOW - 24 * HOUR }), NOW)).toBe(true);
    expect(isAskingDue(notes({ askedAt: NOW + HOUR }), NOW)).toBe(true);
  });

  test.each([
    ["a newer version", notes(), "2.0.0"],
    ["the same version", notes({ latest: "1.0.0" }), undefined],
    ["an older version", notes({ latest: "0.9.0" }), undefined],
    ["no answer yet", notes({ latest: "" }), undefined],
    ["what is no version", notes({ latest: "\x1b[31m99.0.0" }), undefined],
    ["told an hour ago", notes({ toldAt: NOW - HOUR }), undefined],
    ["told yesterday", notes({ toldAt: NOW - 24 * HOUR }), "2.0.0"],
  ])("newsOf: %s", (_what, given, expected) => {
    expect(newsOf(given, "1.0.0", NOW)).toBe(expected);
  });
});
