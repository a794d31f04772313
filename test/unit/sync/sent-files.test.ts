import { expect, test } from "bun:test";
import { relPath } from "../../../src/lib/path.ts";
import type { SentFile } from "../../../src/sync/journal.ts";
import { sentFiles } from "../../../src/sync/sent-files.ts";

function sentFile(number: number, more: Partial<SentFile> = {}): SentFile {
  const hex = number.toString(16);
  return {
    path: relPath(`${number}.md`),
    md5: hex.padStart(32, "0"),
    sha256: hex.padStart(64, "0"),
    size: number,
    ...more,
  };
}

test("sentFiles: gives back what was put in, more than fit at first, and leaves out what it was not told", () => {
  const local = { size: 7, mtimeNs: 5n, ctimeNs: -6n, ino: 2n ** 60n };
  const all = Array.from({ length: 3000 }, (_, i) => {
    if (i % 3 === 0) return sentFile(i);
    return i % 3 === 1 ? sentFile(i, { local, serverTimeMs: i }) : sentFile(i, { serverTimeMs: i * 1e9, tookMs: 3 });
  });
  const sent = sentFiles();
  for (const one of all) sent.add(one);
  expect([...sent.all]).toEqual(all.map((one) => [one.path, one]));
  expect(sent.all.get(relPath("1234.md"))).toEqual(all[1234] as SentFile);
});

test("sentFiles: what was sent again counts as sent last, and what was deleted is gone", () => {
  const sent = sentFiles();
  for (const one of [sentFile(1), sentFile(2), { ...sentFile(1), size: 9 }]) sent.add(one);
  sent.delete(relPath("2.md"));
  expect([...sent.all.values()]).toEqual([{ ...sentFile(1), size: 9 }]);
  expect([sent.all.size, sent.all.has(relPath("2.md"))]).toEqual([1, false]);
});
