import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { relPath } from "../../../src/lib/path.ts";
import { type HashCacheRow, readHashCache, writeHashCache } from "../../../src/sync/hash-cache.ts";

let folder: string;
beforeAll(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "hash-cache-"));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

function read(file: string): { readonly result: string; readonly rows: HashCacheRow[] } {
  const rows: HashCacheRow[] = [];
  return { result: readHashCache(file, (row) => rows.push(row)), rows };
}

function readText(text: string | Uint8Array): ReturnType<typeof read> {
  const file = join(folder, "cache.json");
  fs.writeFileSync(file, text);
  return read(file);
}

const MD5 = "a24e52e25aaf05ca4864c1d06c92802c";
const SHA = "fcad4ab9e3e9ddd323adf478721202a0863d2bc4e1848b9a72ff767d7cd2afa8";

describe("hash cache", () => {
  test.each(["0.5.31", "0.5.70"])(
    "readHashCache, writeHashCache: the cache of claude-mirror %p comes back byte for byte",
    (version) => {
      const golden = join(
        import.meta.dir,
        `../../fixtures/claude-mirror-${version}/project/.claude_mirror_hash_cache.json`,
      );
      const { result, rows } = read(golden);
      expect(result).toBe("ok");
      expect(rows.length).toBeGreaterThan(1);
      const copy = join(folder, `${version}.json`);
      writeHashCache(copy, rows);
      expect(fs.readFileSync(copy).equals(fs.readFileSync(golden))).toBe(true);
    },
  );

  test("readHashCache: integers above 2^53 keep every digit", () => {
    const { rows } = readText(`{"a.md": [6, 1795196452874077583, "${MD5}"]}`);
    expect(rows).toEqual([{ path: relPath("a.md"), size: 6, mtimeNs: 1795196452874077583n, md5: MD5 }]);
  });

  test("readHashCache: a row with only a SHA-256 is unknown, an unsafe path is dropped", () => {
    const { result, rows } = readText(
      `{"a": [1, 2, "", "${SHA}"], "../b": [1, 2, "${MD5}"], "": [1, 2, "${MD5}"], "c": [1, -2, "${MD5}", "${SHA}"], "d": [1, 2, "${MD5}", ""]}`,
    );
    expect(result).toBe("ok");
    expect(rows).toEqual([
      { path: relPath("c"), size: 1, mtimeNs: -2n, md5: MD5, sha256: SHA },
      { path: relPath("d"), size: 1, mtimeNs: 2n, md5: MD5 },
    ]);
  });

  test("readHashCache: any white space and any escape will do", () => {
    const spaced = `\n{ "na\\u00efve \\"\\u2013\\" \\ud83d\\ude00\\/x" :\n [1,2 ,"${MD5}" ] }\n`;
    expect(readText(spaced).rows[0]?.path as string).toBe('naïve "–" \u{1f600}/x');
    expect(readText(`{"ü": [1, 2, "${MD5}"]}`).rows[0]?.path as string).toBe("ü");
    expect([readText("{}").result, readText(" { } \n").result]).toEqual(["ok", "ok"]);
  });

  test("readHashCache: tells a missing file from a corrupt one", () => {
    expect(read(join(folder, "nowhere.json"))).toEqual({ result: "missing", rows: [] });
    const row = `"a": [1, 2, "${MD5}"]`;
    const bad = [
      "",
      "{",
      "[]",
      "null",
      `{${row}`,
      `{${row},}`,
      `{${row}} x`,
      `{"a": [1, 2]}`,
      `{"a": [1.5, 2, "${MD5}"]}`,
      `{"\\x": [1, 2, "${MD5}"]}`,
    ];
    for (const text of bad) expect([text, readText(text).result]).toEqual([text, "corrupt"]);
    expect(readText(`{"${"a".repeat(300_000)}": [1, 2, "${MD5}"]}`).result).toBe("corrupt");
  });

  test("readHashCache: rows and characters that straddle the chunks it reads survive", () => {
    const rows = Array.from({ length: 5000 }, (_, n) => ({
      path: relPath(`ordner/größe-${n}-${"é".repeat(n % 17)}.md`),
      size: n,
      mtimeNs: 1795196452874077582n + BigInt(n),
      md5: MD5,
      ...(n % 2 ? { sha256: SHA } : {}),
    }));
    const file = join(folder, "many.json");
    writeHashCache(file, rows);
    expect(read(file)).toEqual({ result: "ok", rows });
    const raw = JSON.parse(fs.readFileSync(file, "utf8")) as Record<string, readonly unknown[]>;
    const unescaped = JSON.stringify(Object.fromEntries(Object.keys(raw).map((path) => [path, [1, 2, MD5]])));
    expect(readText(unescaped).rows.map((row) => row.path)).toEqual(rows.map((row) => row.path));
  });

  test("writeHashCache: keeps the mode, and the old file when the rows fail", () => {
    const file = join(folder, "kept.json");
    writeHashCache(file, []);
    expect(fs.readFileSync(file, "utf8")).toBe("{}");
    fs.chmodSync(file, 0o600);
    const failing = function* (): Generator<HashCacheRow> {
      yield { path: relPath("a"), size: 1, mtimeNs: 2n, md5: MD5 };
      throw new Error("no more rows");
    };
    const names = fs.readdirSync(folder);
    expect(() => writeHashCache(file, failing())).toThrow("no more rows");
    expect([fs.readFileSync(file, "utf8"), fs.readdirSync(folder)]).toEqual(["{}", names]);
    writeHashCache(file, [{ path: relPath("a"), size: 1, mtimeNs: 2n, md5: MD5 }]);
    expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  });
});
