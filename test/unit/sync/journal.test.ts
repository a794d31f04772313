import { expect, test } from "bun:test";
import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Rev } from "../../../src/backends/types.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { relPath } from "../../../src/lib/path.ts";
import { clearJournal, type JournalRecord, openJournal, replayJournal } from "../../../src/sync/journal.ts";
import { tempFolder } from "../../support/temp.ts";

const a = relPath("a.md");
const b = relPath("sub/ü.md");
const hash = { md5: "m".repeat(32), sha256: "s".repeat(64) };
const stat = { size: 3, mtimeNs: 1_763_660_000_123_456_789n, ctimeNs: 1_763_660_000_123_456_790n, ino: 2n ** 60n };

function setRecord(path = a, rev = "r1"): JournalRecord {
  const base = { path, md5: hash.md5, sha256: hash.sha256, size: 3, remoteId: "id", nativeHash: "n", rev: rev as Rev };
  return { kind: "set", base: { ...base, racy: false, syncedAt: "2026-11-20T17:39:57+00:00" }, local: { stat, hash } };
}

const sentRecord: JournalRecord = { kind: "sent", sent: { path: b, ...hash, size: 3, serverTimeMs: 5, local: stat } };

async function written(...records: JournalRecord[]): Promise<string> {
  const file = join(tempFolder("journal"), "state", "journal.jsonl");
  const journal = openJournal(file, { clock: systemClock });
  for (const record of records) journal.append(record);
  await journal.close();
  return file;
}

test("replayJournal: what was appended comes back with whole 64-bit numbers", async () => {
  const file = await written(setRecord(), sentRecord, { kind: "gone", path: relPath("old") });
  const found = replayJournal(file);
  expect(found.base.get(a)?.rev).toBe("r1" as Rev);
  expect(found.base.has(relPath("old"))).toBe(true);
  expect(found.base.get(relPath("old"))).toBeUndefined();
  expect(found.local.get(a)).toEqual({ stat, hash });
  expect(found.sent.get(b)).toEqual({ path: b, ...hash, size: 3, serverTimeMs: 5, local: stat });
  expect(found.damaged).toBe(0);
});

test("replayJournal: the last word on a path counts and settles what was sent", async () => {
  const found = replayJournal(
    await written(setRecord(), setRecord(a, "r2"), sentRecord, setRecord(b), { kind: "gone", path: a }),
  );
  expect(found.base.get(a)).toBeUndefined();
  expect(found.local.has(a)).toBe(false);
  expect(found.sent.size).toBe(0);
  expect(found.base.get(b)?.rev).toBe("r1" as Rev);
});

test("replayJournal: a line torn anywhere is skipped and the ones before it hold", async () => {
  const file = await written(setRecord(), setRecord(b));
  const text = readFileSync(file);
  const first = text.indexOf("\n") + 1;
  for (let length = first + 1; length < text.length - 1; length++) {
    writeFileSync(file, text.subarray(0, length));
    const found = replayJournal(file);
    expect([...found.base.keys()]).toEqual([a]);
    expect(found.damaged).toBe(1);
  }
});

test("openJournal: a run after a torn line begins a new line", async () => {
  const file = await written(setRecord());
  appendFileSync(file, '["12345678",{"kind":"se');
  const journal = openJournal(file, { clock: systemClock });
  journal.append(setRecord(b));
  await journal.close();
  const found = replayJournal(file);
  expect([...found.base.keys()]).toEqual([a, b]);
  expect(found.damaged).toBe(1);
});

test("replayJournal: a line that was altered, or leaves the root, is not believed", async () => {
  const file = await written(setRecord());
  writeFileSync(file, readFileSync(file, "utf8").replace('"r1"', '"r9"'));
  expect(replayJournal(file)).toMatchObject({ damaged: 1 });
  const outside = await written({ kind: "gone", path: "../x" as typeof a });
  expect(replayJournal(outside)).toMatchObject({ damaged: 1 });
});

test("replayJournal: no journal is an empty one", () => {
  expect(replayJournal(join(tempFolder(), "none")).base.size).toBe(0);
});

test("clearJournal: removes the file, also when it is gone already", async () => {
  const file = await written(setRecord());
  expect(statSync(file).mode & 0o777).toBe(0o600);
  clearJournal(file);
  clearJournal(file);
  expect(existsSync(file)).toBe(false);
});
