import { expect, test } from "bun:test";
import { appendFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Rev } from "../../../src/backends/types.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { type RelPath, relPath } from "../../../src/lib/path.ts";
import { type JournalRecord, openJournal, replayJournal } from "../../../src/sync/journal.ts";
import { viewJournal } from "../../../src/sync/journal-view.ts";
import { seededRandom } from "../../support/random.ts";
import { tempFolder } from "../../support/temp.ts";

const random = seededRandom(7);

function setRecord(path: RelPath, round: number, nativeHash = "n"): JournalRecord {
  const hash = { md5: "0".repeat(32), sha256: "f".repeat(64) };
  const rev = `r${round}` as Rev;
  const base = { path, ...hash, size: round, remoteId: path, nativeHash, rev, racy: false, syncedAt: "2026" };
  const stat = { size: round, mtimeNs: BigInt(round), ctimeNs: 2n, ino: 3n };
  return round % 5 === 0 ? { kind: "set", base } : { kind: "set", base, local: { stat, hash } };
}

async function written(records: Iterable<JournalRecord>): Promise<string> {
  const file = join(tempFolder("journal-view"), "journal.jsonl");
  const journal = openJournal(file, { clock: systemClock });
  for (const record of records) journal.append(record);
  await journal.close();
  return file;
}

function* manyRecords(): Iterable<JournalRecord> {
  for (let round = 0; round < 4000; round++) {
    const path = relPath(`sub/ü-${random.below(1500)}.md`);
    if (round % 7 === 3) yield { kind: "gone", path };
    else yield setRecord(path, round, round % 1000 === 9 ? "x".repeat(600_000) : "n");
  }
}

test("viewJournal: tells in any order what replayJournal tells, long lines, overwritten and torn ones too", async () => {
  const file = await written(manyRecords());
  appendFileSync(file, '["00000000",{"kind":"gone"}]\n["123');
  const whole = replayJournal(file);
  const view = viewJournal(file);
  expect(new Map(view.base)).toEqual(new Map(whole.base));
  expect(new Map(view.local.entries())).toEqual(new Map(whole.local));
  expect([...view.base.values()]).toEqual([...whole.base.values()]);
  expect(view.base.size).toBe(whole.base.size);
  for (const path of [...whole.base.keys()].sort().reverse()) {
    expect(view.base.get(path)).toEqual(whole.base.get(path));
    expect(view.local.get(path)).toEqual(whole.local.get(path));
    expect(view.local.has(path)).toBe(whole.local.has(path));
  }
  expect(view.base.get(relPath("none"))).toBeUndefined();
});

test("viewJournal: without a journal nothing is confirmed, and one that vanishes is an error", async () => {
  expect(viewJournal(join(tempFolder("journal-view"), "none")).base.size).toBe(0);
  const file = await written([setRecord(relPath("a.md"), 1)]);
  const view = viewJournal(file);
  rmSync(file);
  expect(() => view.base.get(relPath("a.md"))).toThrow("could not read");
});
