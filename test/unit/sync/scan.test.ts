import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { LocalView, ScanFs, ScanOptions } from "../../../src/sync/scan.ts";
import { scan } from "../../../src/sync/scan.ts";
import { compileScope, type Scope } from "../../../src/sync/scope.ts";
import { type IndexRow, loadIndex, type StateIndex } from "../../../src/sync/state-index.ts";
import { writeIndex } from "../../../src/sync/write-index.ts";
import { type Random, seededRandom } from "../../support/random.ts";

let home: string;
let root: string;
beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), "scan-"));
  root = join(home, "project");
  fs.mkdirSync(root);
});
afterEach(() => fs.rmSync(home, { recursive: true, force: true }));

function put(path: string, content = "x"): void {
  const file = join(root, path);
  fs.mkdirSync(dirname(file), { recursive: true });
  fs.writeFileSync(file, content);
}

const scopeOf = (...filePatterns: string[]): Scope => compileScope({ filePatterns, excludePatterns: [] });
const EVERYTHING = scopeOf("**/*");

function look(options: Partial<ScanOptions> = {}): LocalView {
  return scan({ root, scope: EVERYTHING, ...options });
}

const pathsOf = (view: LocalView) => Array.from({ length: view.length }, (_, file) => view.pathAt(file) as string);

/** An index that records what the view saw, hashed long after the files were written. */
function indexOf(view: LocalView, hashedSinceMs = Date.now() + 60_000): StateIndex {
  const rows: IndexRow[] = [];
  for (let file = 0; file < view.length; file++) {
    rows.push({ path: view.pathAt(file), local: { stat: view.statAt(file), hash: { md5: "0".repeat(32) } } });
  }
  writeIndex(join(home, "index.bin"), rows, { hashedSinceMs, meta: "" });
  return loadIndex(join(home, "index.bin")) as StateIndex;
}

function changeAtRandom(random: Random): void {
  const path = random.pick(["a.md", "a/b.md", "a/c.md", "a-b.md", "b/.hidden", "b/d/e.md", "z.md"]);
  if (random.below(3) > 0) put(path, "x".repeat(random.below(3)));
  else fs.rmSync(join(root, path), { force: true });
}

/** Where a scan with an index of `recorded` differs from a plain one. */
function differences(view: LocalView, plain: LocalView, recorded: LocalView): string[] {
  const known = new Map(pathsOf(recorded).map((path, file) => [path, recorded.statAt(file)]));
  const paths = pathsOf(plain);
  if (!Bun.deepEquals(pathsOf(view), paths)) return ["other paths"];
  return paths.filter((path, file) => {
    const isClean = Bun.deepEquals(known.get(path), plain.statAt(file));
    return !Bun.deepEquals(view.statAt(file), plain.statAt(file)) || view.clean[file] !== (isClean ? 1 : 0);
  });
}

/** The file system with one call replaced by a failure. */
function failing(call: keyof ScanFs, ending: string, code: string): ScanFs {
  const calls: ScanFs = fs;
  const original = calls[call] as (path: fs.PathLike, ...rest: unknown[]) => unknown;
  const replaced = (path: fs.PathLike, ...rest: unknown[]) => {
    if (String(path).endsWith(ending)) throw Object.assign(new Error(`${code}: injected`), { code, syscall: call });
    return original(path, ...rest);
  };
  return { ...fs, [call]: replaced };
}

describe("scan", () => {
  test("scan: finds the regular files in scope in the order of whole paths", () => {
    const paths = [
      "a.md",
      "a/b.md",
      "a/b/c.md",
      "a-b/x.md",
      "a0",
      "_index.md",
      ".env",
      "ü.md",
      "Z.md",
      "a/é.md",
      "\u{1f600}.md",
      "\uff5e.md",
    ];
    for (const path of paths) put(path);
    put(".git/config");
    put(".claude_mirror_manifest.json");
    fs.mkdirSync(join(root, "empty"));
    const view = look();
    expect(pathsOf(view)).toEqual([...paths].sort());
    expect([view.problems, view.missingRoot]).toEqual([[], false]);
  });

  test("scan: reports the exact stat of each file", () => {
    put("a.md", "hello");
    const { size, mtimeNs, ctimeNs, ino } = fs.lstatSync(join(root, "a.md"), { bigint: true });
    expect(look().statAt(0)).toEqual({ size: Number(size), mtimeNs, ctimeNs, ino });
  });

  test("scan: unchanged files are clean, and their stat is that of the index", () => {
    for (const path of ["a.md", "b/c.md", "b/d.md"]) put(path);
    const before = look();
    const view = look({ index: indexOf(before) });
    expect([...view.clean]).toEqual([1, 1, 1]);
    expect([...view.indexRow]).toEqual([0, 1, 2]);
    expect(pathsOf(view)).toEqual(["a.md", "b/c.md", "b/d.md"]);
    expect(view.statAt(1)).toEqual(before.statAt(1));
  });

  test("scan: new, changed and removed files line up with the index", () => {
    for (const path of ["a.md", "b/c.md", "b/d.md", "z.md"]) put(path);
    const index = indexOf(look());
    fs.rmSync(join(root, "a.md"));
    put("b/c.md", "other");
    put("b/cc.md");
    put("zz.md");
    const view = look({ index });
    expect(pathsOf(view)).toEqual(["b/c.md", "b/cc.md", "b/d.md", "z.md", "zz.md"]);
    expect([...view.indexRow]).toEqual([1, -1, 2, 3, -1]);
    expect([...view.clean]).toEqual([0, 0, 1, 1, 0]);
    expect(view.statAt(0).size).toBe(5);
  });

  test("scan: a file replaced by one of the same size and time is not clean", () => {
    put("a.md", "one");
    const index = indexOf(look());
    const { atime, mtime } = fs.statSync(join(root, "a.md"));
    fs.writeFileSync(join(root, "b.tmp"), "two");
    fs.utimesSync(join(root, "b.tmp"), atime, mtime);
    fs.renameSync(join(root, "b.tmp"), join(root, "a.md"));
    expect([...look({ index }).clean]).toEqual([0]);
  });

  test("scan: a file as young as its record is not clean (racy clean)", () => {
    put("a.md", "one");
    const view = look();
    expect([...look({ index: indexOf(view, Date.now() - 1000) }).clean]).toEqual([0]);
    expect([...look({ index: indexOf(view) }).clean]).toEqual([1]);
  });

  test("scan: a missing root is said to be missing", () => {
    fs.rmdirSync(root);
    const view = look();
    expect([view.missingRoot, view.length, view.problems]).toEqual([true, 0, []]);
  });

  test("scan: a root that is a file, or cannot be read, leaves everything unknown", () => {
    put("a.md");
    expect(look({ root: join(root, "a.md") }).problems).toMatchObject([{ path: "", covers: "folder", quiet: false }]);
    const closed = look({ fs: failing("readdirSync", "/project/", "EACCES") });
    expect(closed.problems).toMatchObject([{ path: "", covers: "folder", quiet: false }]);
    expect(closed.missingRoot).toBe(false);
  });

  test("scan: a folder that cannot be read or entered is unknown, the rest is seen", () => {
    for (const path of ["a.md", "closed/x.md", "z.md"]) put(path);
    const unreadable = look({ fs: failing("readdirSync", "/closed/", "EACCES") });
    expect(pathsOf(unreadable)).toEqual(["a.md", "z.md"]);
    expect(unreadable.problems).toEqual([
      {
        path: "closed" as never,
        covers: "folder",
        quiet: false,
        reason: "the folder cannot be read: permission denied",
      },
    ]);
    const barred = look({ fs: failing("lstatSync", "/closed/x.md", "EACCES") });
    expect(pathsOf(barred)).toEqual(["a.md", "z.md"]);
    expect(barred.problems).toMatchObject([{ path: "closed", covers: "folder", quiet: false }]);
  });

  test("scan: a file that cannot be looked at is unknown; one that vanishes matters only if known", () => {
    for (const path of ["a.md", "b.md"]) put(path);
    const broken = look({ fs: failing("lstatSync", "/a.md", "EIO") });
    expect(pathsOf(broken)).toEqual(["b.md"]);
    expect(broken.problems).toMatchObject([{ path: "a.md", covers: "file", quiet: false }]);
    const gone = look({ fs: failing("lstatSync", "/a.md", "ENOENT") });
    expect(gone.problems).toMatchObject([{ path: "a.md", covers: "file", quiet: true }]);
  });

  test("scan: a known file that cannot be looked at is as unknown as a new one", () => {
    for (const path of ["a.md", "b.md", "c.md"]) put(path);
    const index = indexOf(look());
    for (const code of ["EIO", "ENOENT", "EACCES"]) {
      const options = { fs: failing("lstatSync", "/b.md", code) };
      const { problems } = look({ ...options, index });
      expect(problems).toEqual(look(options).problems);
    }
    expect(pathsOf(look({ index, fs: failing("lstatSync", "/b.md", "EIO") }))).toEqual(["a.md", "c.md"]);
  });

  test("scan: an index changes nothing of what is seen, and clean is only what it records exactly", () => {
    const random = seededRandom(7);
    const wrong: Readonly<Record<string, (index: StateIndex) => StateIndex>> = {
      "any stat matches": (index) => ({
        ...index,
        countUnchanged: (row, paths, from) => (index.isAt(row, (paths as readonly string[])[from] as string) ? 1 : 0),
      }),
      "any path is next": (index) => ({ ...index, isAt: () => true }),
    };
    const caught = new Set<string>();
    for (let round = 0; round < 40; round++) {
      const recorded = look();
      const index = indexOf(recorded);
      for (let change = random.below(6); change >= 0; change--) changeAtRandom(random);
      const plain = look();
      expect(differences(look({ index }), plain, recorded)).toEqual([]);
      for (const [name, plant] of Object.entries(wrong)) {
        if (differences(look({ index: plant(index) }), plain, recorded).length > 0) caught.add(name);
      }
    }
    expect([...caught].sort()).toEqual(Object.keys(wrong).sort());
  });

  test("scan: a name that is not UTF-8 is a problem", () => {
    fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/b`), Buffer.from([0xff]), Buffer.from(".md")]), "x");
    fs.mkdirSync(Buffer.concat([Buffer.from(`${root}/d`), Buffer.from([0xff])]));
    put("real\ufffd.md");
    const view = look();
    expect(pathsOf(view)).toEqual(["real\ufffd.md"]);
    expect(view.problems.map(({ path, covers, quiet }) => [path as string, covers, quiet])).toEqual([
      ["b\ufffd.md", "file", false],
      ["d\ufffd", "folder", false],
    ]);
    expect(view.problems[0]?.reason).toContain("UTF-8");
  });

  test("scan: a named pipe is a problem only in scope", () => {
    spawnSync("mkfifo", [join(root, "pipe.md")]);
    put("a.md");
    expect(look().problems).toMatchObject([{ path: "pipe.md", covers: "file", quiet: false }]);
    expect(look({ scope: scopeOf("a.*") }).problems).toEqual([]);
  });

  test("scan: onCount tells the total, an aborted signal stops the walk", () => {
    for (let file = 0; file < 2100; file++) fs.writeFileSync(join(root, `f${file}`), "");
    const counts: number[] = [];
    look({ onCount: (files) => counts.push(files) });
    expect(counts).toEqual([2000, 2100]);
    expect(() => look({ signal: AbortSignal.abort(new Error("stop")) })).toThrow("stop");
  });
});

describe("scan: symbolic links", () => {
  const link = (target: string, path: string) => fs.symlinkSync(target, join(root, path));

  test("scan: a link to a file inside the project counts as that file", () => {
    put("real.md", "hello");
    link("real.md", "link.md");
    const view = look();
    expect(pathsOf(view)).toEqual(["link.md", "real.md"]);
    expect(view.statAt(0)).toEqual(view.statAt(1));
    expect([...look({ index: indexOf(view) }).clean]).toEqual([1, 1]);
    const index = indexOf(view);
    put("real.md", "other");
    expect([...look({ index }).clean]).toEqual([0, 0]);
  });

  test("scan: a link out of the project, to nothing or to itself is a problem only in scope", () => {
    fs.writeFileSync(join(home, "secret.md"), "x");
    link("../secret.md", "out.md");
    link("nowhere", "dangling.md");
    link("loop.md", "loop.md");
    link("/dev/null", "device.md");
    const problems = look({ scope: scopeOf("*.md") }).problems;
    expect(problems.map(({ path, covers, quiet }) => [path as string, covers, quiet])).toEqual([
      ["dangling.md", "file", false],
      ["device.md", "file", false],
      ["loop.md", "file", false],
      ["out.md", "file", false],
    ]);
    const silent = look({ scope: scopeOf("*.txt") });
    expect([silent.length, silent.problems]).toEqual([0, []]);
  });

  test("scan: a linked folder is followed where a pattern names it, else its content is unknown", () => {
    put("real/a.md");
    put("real/sub/b.md");
    link("real", "link");
    expect(pathsOf(look({ scope: scopeOf("link/*.md") }))).toEqual(["link/a.md"]);
    expect(pathsOf(look({ scope: scopeOf("**/*.md", "link/*.md") }))).toEqual([
      "link/a.md",
      "real/a.md",
      "real/sub/b.md",
    ]);
    const skipped = look({ scope: scopeOf("**/*.md") });
    expect(pathsOf(skipped)).toEqual(["real/a.md", "real/sub/b.md"]);
    expect(skipped.problems).toMatchObject([{ path: "link", covers: "folder", quiet: true }]);
  });

  test("scan: a folder link that dangles (an unmounted disk) leaves what was below unknown", () => {
    link("/nonexistent/disk", "notes");
    const view = look({ scope: scopeOf("notes/*.md") });
    expect(view.problems).toMatchObject([{ path: "notes", covers: "folder", quiet: true }]);
  });

  test("scan: a folder link out of the project is not followed", () => {
    fs.mkdirSync(join(home, "elsewhere"));
    fs.writeFileSync(join(home, "elsewhere/a.md"), "x");
    link("../elsewhere", "out");
    const view = look({ scope: scopeOf("out/*.md") });
    expect([view.length, view.problems.length]).toEqual([0, 1]);
    expect(view.problems).toMatchObject([{ path: "out", covers: "folder" }]);
  });

  test("scan: a folder linked into itself is followed no deeper than the pattern goes", () => {
    put("d/a.md");
    link(".", "d/self");
    expect(pathsOf(look({ scope: scopeOf("**/self/**/*.md") }))).toEqual(["d/self/a.md"]);
    expect(pathsOf(look({ scope: scopeOf("d/*/*/a.md") }))).toEqual(["d/self/self/a.md"]);
  });
});
