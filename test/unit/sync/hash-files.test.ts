import { afterEach, beforeEach, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LocalFileError } from "../../../src/backends/errors.ts";
import { relPath } from "../../../src/lib/path.ts";
import { hashFile, openInside, type ReadFs } from "../../../src/sync/hash-files.ts";

let home: string;
let root: string;
beforeEach(() => {
  home = fs.mkdtempSync(join(tmpdir(), "hash-files-"));
  root = join(home, "project");
  fs.mkdirSync(join(root, "d"), { recursive: true });
});
afterEach(() => fs.rmSync(home, { recursive: true, force: true }));

const put = (path: string, content: string | Uint8Array) => fs.writeFileSync(join(root, path), content);
const digests = (content: Uint8Array) => ({
  md5: createHash("md5").update(content).digest("hex"),
  sha256: createHash("sha256").update(content).digest("hex"),
});
/** As where there is no /proc. */
const noProc: Partial<ReadFs> = {
  readlinkSync: (() => {
    throw Object.assign(new Error("ENOENT"), { code: "ENOENT", syscall: "readlink" });
  }) as ReadFs["readlinkSync"],
};
const openFiles = () => fs.readdirSync("/proc/self/fd").length;

test("hashFile: gives both digests and the stat of files of any size", async () => {
  for (const size of [0, 1, 4096, (1 << 18) - 1, 1 << 18, (1 << 18) + 1, 1 << 20, 3_000_001]) {
    const content = Buffer.alloc(size, `content of ${size}`);
    put("d/a.bin", content);
    const { size: bytes, mtimeNs, ctimeNs, ino } = fs.lstatSync(join(root, "d/a.bin"), { bigint: true });
    expect(await hashFile(root, relPath("d/a.bin"))).toEqual({
      hash: digests(content),
      stat: { size: Number(bytes), mtimeNs, ctimeNs, ino },
    });
  }
});

test.each([10, 3_000_000])(
  "hashFile: a file of %p bytes that changes once while it is read is read again",
  async (size) => {
    put("a.bin", Buffer.alloc(size, "a"));
    let reads = 0;
    const change = () => {
      if (reads++ === 0) fs.appendFileSync(join(root, "a.bin"), "more");
    };
    const { hash, stat } = await hashFile(root, relPath("a.bin"), { fs: beforeEachRead(change) });
    expect(hash).toEqual(digests(fs.readFileSync(join(root, "a.bin"))));
    expect(stat.size).toBe(size + 4);
  },
);

test.each([10, 3_000_000])(
  "hashFile: a file of %p bytes that keeps changing is an error, never a mixture",
  async (size) => {
    put("a.bin", Buffer.alloc(size, "a"));
    let stamp = 1000;
    const change = () => fs.utimesSync(join(root, "a.bin"), stamp, stamp++);
    const before = openFiles();
    const hashing = hashFile(root, relPath("a.bin"), { fs: beforeEachRead(change) });
    expect(hashing).rejects.toThrow('"a.bin": it keeps changing while it is read');
    expect(hashing).rejects.toBeInstanceOf(LocalFileError);
    await hashing.catch(() => undefined);
    expect(openFiles()).toBe(before);
  },
);

function beforeEachRead(act: () => void): ReadFs {
  const readSync = ((...call: Parameters<typeof fs.readSync>) => {
    act();
    return fs.readSync(...call);
  }) as ReadFs["readSync"];
  const read = ((...call: unknown[]) => {
    act();
    (fs.read as (...call: unknown[]) => void)(...call);
  }) as unknown as ReadFs["read"];
  return { ...fs, readSync, read };
}

test("hashFile: what is missing, a folder or a pipe is an error of its own kind", async () => {
  spawnSync("mkfifo", [join(root, "pipe")]);
  expect(hashFile(root, relPath("none"))).rejects.toThrow('could not open "none": it is not there');
  expect(hashFile(root, relPath("d"))).rejects.toBeInstanceOf(LocalFileError);
  expect(hashFile(root, relPath("pipe"))).rejects.toThrow("not a regular file");
  await hashFile(root, relPath("pipe")).catch(() => undefined);
});

test("hashFile: an aborted signal ends the reading of a large file", async () => {
  put("a.bin", Buffer.alloc(3_000_000));
  const hashing = hashFile(root, relPath("a.bin"), { signal: AbortSignal.abort(new Error("stop")) });
  await expect(hashing).rejects.toThrow("stop");
});

test.each([
  ["by /proc", {}],
  ["by real path", noProc],
] as const)("openInside: refuses what a link takes out of the project, found %s", (_how, replaced) => {
  const calls: ReadFs = { ...fs, ...replaced };
  fs.mkdirSync(join(home, "elsewhere"));
  fs.writeFileSync(join(home, "elsewhere/secret"), "x");
  fs.mkdirSync(join(home, "project2"));
  fs.writeFileSync(join(home, "project2/secret"), "x");
  fs.symlinkSync("../elsewhere", join(root, "out"));
  fs.symlinkSync("../project2/secret", join(root, "near"));
  const before = openFiles();
  expect(() => openInside(root, relPath("out/secret"), calls)).toThrow("leaves the project");
  expect(() => openInside(root, relPath("near"), calls)).toThrow("leaves the project");
  expect(openFiles()).toBe(before);
});

test.each([
  ["by /proc", {}],
  ["by real path", noProc],
] as const)("openInside: opens what a link keeps inside, also below a linked root, found %s", (_how, replaced) => {
  const calls: ReadFs = { ...fs, ...replaced };
  put("d/real", "x");
  fs.symlinkSync("d", join(root, "link"));
  fs.symlinkSync("project", join(home, "alias"));
  for (const [from, path] of [
    [root, "link/real"],
    [join(home, "alias"), "d/real"],
    [join(home, "alias"), "link/real"],
  ] as const) {
    const fd = openInside(from, relPath(path), calls);
    expect(fs.readFileSync(fd, "utf8")).toBe("x");
    fs.closeSync(fd);
  }
});

test.each([
  ["by /proc", {}],
  ["by real path", noProc],
] as const)("openInside: a link swapped in for a folder just before the open is found out %s", (_how, replaced) => {
  put("d/a", "mine");
  fs.mkdirSync(join(home, "evil"));
  fs.writeFileSync(join(home, "evil/a"), "theirs");
  const swap = () => {
    fs.renameSync(join(root, "d"), join(root, "kept"));
    fs.symlinkSync("../evil", join(root, "d"));
  };
  const restore = () => {
    fs.rmSync(join(root, "d"));
    fs.renameSync(join(root, "kept"), join(root, "d"));
  };
  const openSync = ((...call: Parameters<typeof fs.openSync>) => {
    swap();
    const fd = fs.openSync(...call);
    restore();
    return fd;
  }) as ReadFs["openSync"];
  expect(() => openInside(root, relPath("d/a"), { ...fs, ...replaced, openSync })).toThrow("leaves the project");
});
