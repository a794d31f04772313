import { afterEach, describe, expect, test } from "bun:test";
import { execFileSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { BackendError, NotFoundError, StaleError } from "../../../src/backends/errors.ts";
import { type LocalOptions, local, openLocal } from "../../../src/backends/local/index.ts";
import { lockFile } from "../../../src/backends/local/lock.ts";
import { chooseTime } from "../../../src/backends/local/version.ts";
import { loadBackend } from "../../../src/backends/registry.ts";
import type { BackendKind } from "../../../src/backends/types.ts";
import { type Clock, systemClock } from "../../../src/lib/clock.ts";
import { hashBytes } from "../../../src/lib/hash.ts";
import { type RelPath, relPath } from "../../../src/lib/path.ts";
import { ownIdentity } from "../../../src/lib/process-identity.ts";
import { tapped } from "../../../src/lib/streams.ts";
import { TEMP_PREFIX } from "../../../src/lib/temp-prefix.ts";
import { backendConfig, backendDeps } from "../../support/backend-config.ts";
import { drain, sourceOf, textAt } from "../../support/bodies.ts";
import { seededRandom } from "../../support/random.ts";
import { tempFolder } from "../../support/temp.ts";

const A = relPath("docs/a.md");
const DAY = 24 * 3600;
const asRoot = process.getuid?.() === 0;

async function setup(options: Partial<LocalOptions> = {}) {
  const folder = tempFolder("local");
  return { folder, backend: await openLocal({ folder, clock: systemClock, ...options }) };
}

/** Runs `act` as a user who owns nothing here; only root can. */
async function asNobody<T>(act: () => Promise<T>): Promise<T> {
  process.seteuid?.(65534);
  try {
    return await act();
  } finally {
    process.seteuid?.(0);
  }
}

function names(folder: string): string[] {
  return fs.readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
}

describe("openLocal list", () => {
  test("links, pipes and names that are no UTF-8 are reported and not walked", async () => {
    const { folder, backend } = await setup();
    const outside = tempFolder("outside");
    fs.writeFileSync(join(outside, "secret.md"), "secret");
    fs.symlinkSync(outside, join(folder, "linked-folder"));
    fs.symlinkSync(join(outside, "secret.md"), join(folder, "linked.md"));
    fs.symlinkSync("nowhere", join(folder, "dangling"));
    execFileSync("mkfifo", [join(folder, "pipe")]);
    fs.writeFileSync(Buffer.concat([Buffer.from(`${folder}/bad-`), Buffer.from([0xff]), Buffer.from(".md")]), "x");
    fs.mkdirSync(Buffer.concat([Buffer.from(`${folder}/bad-folder-`), Buffer.from([0xfe])]));
    fs.writeFileSync(join(folder, "good.md"), "good");
    const listing = await backend.list("");
    expect(listing.files.map((file) => file.path)).toEqual([relPath("good.md")]);
    expect(listing.folders).toEqual([]);
    expect(listing.unusable.map(({ name, reason }) => `${name}: ${reason}`).sort()).toEqual([
      "bad-folder-\ufffd: the name is not valid UTF-8",
      "bad-\ufffd.md: the name is not valid UTF-8",
      "dangling: a symbolic link",
      "linked-folder: a symbolic link",
      "linked.md: a symbolic link",
      "pipe: not a regular file",
    ]);
  });

  test.skipIf(!asRoot)("a folder that cannot be read fails the whole listing", async () => {
    const { folder, backend } = await setup();
    fs.chmodSync(folder, 0o755);
    fs.mkdirSync(join(folder, "closed"), { mode: 0o700 });
    fs.writeFileSync(join(folder, "open.md"), "x");
    const error = await asNobody(() => backend.list("").catch((caught: unknown) => caught));
    expect(error).toBeInstanceOf(BackendError);
    expect(error).toMatchObject({ class: "PERMISSION", message: expect.stringContaining('"closed"') });
    expect((await backend.list("")).files.length).toBe(1);
  });

  test("a folder that goes away under the walk makes it start again", async () => {
    const { folder, backend } = await setup();
    for (const name of ["a", "b", "c"]) {
      fs.mkdirSync(join(folder, name));
      fs.writeFileSync(join(folder, name, "x.md"), "x");
    }
    let calls = 0;
    const onCount = (): void => {
      if (++calls === 2) fs.renameSync(join(folder, "b"), join(folder, "d"));
    };
    const listing = await backend.list("", { onCount });
    expect(listing.files.map((file) => file.path).sort()).toEqual(["a/x.md", "c/x.md", "d/x.md"].map(relPath));
  });

  test("a tree that never holds still is an error, not a partial listing", async () => {
    const { folder, backend } = await setup();
    let n = 0;
    fs.mkdirSync(join(folder, "f0"));
    const onCount = (): void => fs.renameSync(join(folder, `f${n}`), join(folder, `f${++n}`));
    await expect(backend.list("", { onCount })).rejects.toMatchObject({ class: "TRANSIENT" });
  });

  test("temporary files are not shown; a day-old one is removed by the next write, a fresh one stays", async () => {
    const start = Date.now();
    const clock: Clock = { ...systemClock, now: () => now };
    let now = start;
    const { folder, backend } = await setup({ clock });
    const left = join(folder, `${TEMP_PREFIX}0123456789ab`);
    fs.writeFileSync(left, "half");
    expect((await backend.list("")).files).toEqual([]);
    await backend.write(A, sourceOf("a"), { expect: "absent" });
    expect(fs.existsSync(left)).toBe(true);
    now = start + 2 * DAY * 1000;
    await backend.list("");
    expect(fs.existsSync(left)).toBe(true);
    await backend.write(A, sourceOf("b"), { expect: "any" });
    expect(fs.existsSync(left)).toBe(false);
  });

  test("10,000 files in under 2 s", async () => {
    const { folder, backend } = await setup();
    for (let i = 0; i < 100; i++) {
      fs.mkdirSync(join(folder, `f${i}`));
      for (let j = 0; j < 100; j++) fs.writeFileSync(join(folder, `f${i}`, `${j}.md`), "x");
    }
    const start = performance.now();
    expect((await backend.list("")).files.length).toBe(10_000);
    expect(performance.now() - start).toBeLessThan(2000);
  });
});

describe("openLocal paths", () => {
  test("nothing is read, written, removed or listed through a link", async () => {
    const { folder, backend } = await setup();
    const outside = tempFolder("outside");
    fs.writeFileSync(join(outside, "a.md"), "outside");
    fs.symlinkSync(outside, join(folder, "docs"));
    for (const call of [
      () => backend.stat(A),
      () => backend.read(A),
      () => backend.write(A, sourceOf("x"), { expect: "any" }),
      () => backend.remove(A, { expect: "any" }),
      () => backend.list(relPath("docs")),
      async () => backend.copy?.(A, relPath("b.md")),
      async () => backend.move?.(A, relPath("b.md")),
    ]) {
      await expect(call()).rejects.toMatchObject({ class: "FILE_REJECTED" });
    }
    expect(names(outside)).toEqual(["a.md"]);
    expect(fs.readFileSync(join(outside, "a.md"), "utf8")).toBe("outside");
  });

  test("a link in the place of a file is neither followed nor replaced", async () => {
    const { folder, backend } = await setup();
    const victim = join(tempFolder("outside"), "victim.md");
    fs.writeFileSync(victim, "precious");
    fs.symlinkSync(victim, join(folder, "link.md"));
    const link = relPath("link.md");
    await expect(backend.read(link)).rejects.toBeInstanceOf(BackendError);
    await expect(backend.write(link, sourceOf("x"), { expect: "any" })).rejects.toBeInstanceOf(BackendError);
    await expect(backend.remove(link, { expect: "any" })).rejects.toBeInstanceOf(BackendError);
    expect(fs.readFileSync(victim, "utf8")).toBe("precious");
    expect(fs.lstatSync(join(folder, "link.md")).isSymbolicLink()).toBe(true);
  });

  test("a remote folder that is gone: every verb asks whether the disk is mounted, and none makes it again", async () => {
    const { folder, backend } = await setup();
    fs.rmSync(folder, { recursive: true });
    const calls = [
      () => backend.write(A, sourceOf("x"), { expect: "any" }),
      () => backend.stat(A),
      () => backend.remove(A, { expect: "any" }),
      async () => backend.copy?.(A, relPath("b.md")),
    ];
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({
        class: "TRANSIENT",
        message: expect.stringContaining(`the remote folder "${folder}" is gone: is the disk mounted?`),
      });
    }
    expect(fs.existsSync(folder)).toBe(false);
    fs.mkdirSync(folder);
    await backend.write(A, sourceOf("back"), { expect: "absent" });
    expect(await textAt(backend, A)).toBe("back");
  });
});

describe("openLocal write", () => {
  test("bytes that do not have the announced digest are refused", async () => {
    const { folder, backend } = await setup();
    for (const kind of ["sha256", "md5"]) {
      const source = { ...sourceOf("content"), [kind]: "0".repeat(kind === "md5" ? 32 : 64) };
      await expect(backend.write(A, source, { expect: "absent" })).rejects.toMatchObject({ class: "FILE_REJECTED" });
    }
    expect(names(folder)).toEqual(["docs"]);
  });

  test("a body without end is given up as soon as it is too long", async () => {
    const { folder, backend } = await setup();
    let given = 0;
    const open = (): ReadableStream<Uint8Array> =>
      new ReadableStream({
        pull(controller) {
          given += 1000;
          if (given > 1_000_000) throw new Error("nobody stopped reading");
          controller.enqueue(new Uint8Array(1000));
        },
      });
    await expect(backend.write(A, { size: 2500, open }, { expect: "absent" })).rejects.toThrow("more than that came");
    expect(given).toBeLessThan(10_000);
    expect(names(folder)).toEqual(["docs"]);
  });

  test("copy: a source that changes while it is copied is StaleError, and the copy is not kept", async () => {
    let meddle = (): void => undefined;
    const clock: Clock = {
      ...systemClock,
      now() {
        meddle();
        return systemClock.now();
      },
    };
    const { folder, backend } = await setup({ clock });
    const { file } = await backend.write(A, sourceOf("planned"), { expect: "absent" });
    meddle = () => fs.writeFileSync(join(folder, A), "changed in place");
    const copied = Promise.resolve(backend.copy?.(A, relPath("b.md"), file ? { expectSource: file.rev } : {}));
    await expect(copied).rejects.toBeInstanceOf(StaleError);
    expect(names(folder)).toEqual(["docs", "docs/a.md"]);
  });

  test("a replaced file keeps its permission bits", async () => {
    const { folder, backend } = await setup();
    const { file } = await backend.write(A, sourceOf("a"), { expect: "absent" });
    fs.chmodSync(join(folder, A), 0o600);
    expect((await backend.stat(A))?.nativeHash).toBe(file?.nativeHash as string);
    await backend.write(A, sourceOf("b"), { expect: "any" });
    expect(fs.statSync(join(folder, A)).mode & 0o777).toBe(0o600);
  });

  test.skipIf(!asRoot)("a folder without write permission is PERMISSION, and the old content stays", async () => {
    const { folder, backend } = await setup();
    await backend.write(A, sourceOf("old"), { expect: "absent" });
    fs.chmodSync(folder, 0o755);
    for (const call of [
      () => backend.write(A, sourceOf("new"), { expect: "any" }),
      () => backend.write(relPath("b.md"), sourceOf("new"), { expect: "absent" }),
      () => backend.remove(A, { expect: "any" }),
    ]) {
      const error = await asNobody(() => call().catch((caught: unknown) => caught));
      expect(error).toMatchObject({ class: "PERMISSION", hint: expect.stringContaining("owns the remote folder") });
    }
    expect(await textAt(backend, A)).toBe("old");
  });

  test.skipIf(!asRoot)("a full disk is QUOTA, the old content stays and nothing is left behind", async () => {
    const folder = tempFolder("full");
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]);
    try {
      const backend = await openLocal({ folder, clock: systemClock });
      await backend.write(A, sourceOf("old"), { expect: "absent" });
      const error = await backend.write(A, sourceOf("x".repeat(600_000)), { expect: "any" }).catch((caught) => caught);
      expect(error).toMatchObject({ class: "QUOTA", message: expect.stringContaining("the disk is full") });
      expect(await textAt(backend, A)).toBe("old");
      expect(names(folder)).toEqual(["docs", "docs/a.md"]);
    } finally {
      execFileSync("umount", [folder]);
    }
  });

  test("a file that somebody changed keeping its size and time is another version", async () => {
    const { folder, backend } = await setup();
    const { file } = await backend.write(A, sourceOf("ours"), { expect: "absent" });
    const absolute = join(folder, A);
    const { atime, mtime } = fs.statSync(absolute);
    fs.writeFileSync(`${absolute}.new`, "them");
    fs.utimesSync(`${absolute}.new`, atime, mtime);
    fs.renameSync(`${absolute}.new`, absolute);
    if (!file) throw new Error("a local write names its version");
    await expect(backend.write(A, sourceOf("more"), { expect: file.rev })).rejects.toBeInstanceOf(StaleError);
    expect(await textAt(backend, A)).toBe("them");
  });
});

describe("openLocal revs", () => {
  test("a file just written by somebody else is racy, one of ours is not", async () => {
    const { folder, backend } = await setup();
    const { file } = await backend.write(A, sourceOf("ours"), { expect: "absent" });
    expect(file?.racy).toBe(false);
    fs.writeFileSync(join(folder, "theirs.md"), "theirs");
    const now = Date.now() / 1000;
    fs.utimesSync(join(folder, "theirs.md"), now, now);
    expect((await backend.stat(relPath("theirs.md")))?.racy).toBe(true);
    fs.utimesSync(join(folder, "theirs.md"), now - 1.5, now - 1.5);
    expect((await backend.stat(relPath("theirs.md")))?.racy).toBe(false);
  });

  test("a time of whole seconds stays racy for two seconds", async () => {
    let now = Date.now();
    const { folder, backend } = await setup({ clock: { ...systemClock, now: () => now } });
    const second = Math.floor(now / 1000);
    fs.writeFileSync(join(folder, "x.md"), "x");
    fs.utimesSync(join(folder, "x.md"), second, second);
    now = second * 1000 + 1900;
    expect((await backend.stat(relPath("x.md")))?.racy).toBe(true);
    now = second * 1000 + 2100;
    expect((await backend.stat(relPath("x.md")))?.racy).toBe(false);
  });

  test("chooseTime: a burst of writes within one tick of a coarse file system gives each another time", () => {
    const coarse = { agoMs: 4000, stepMs: 2000, burstMs: 600_000 };
    const seen = new Set<number>();
    let last: fs.BigIntStats | undefined;
    for (let i = 0; i < 200; i++) {
      const time = chooseTime(1_790_000_000_500 + i * 7, last, coarse);
      const kept = Math.floor(time / 2000) * 2000;
      expect(seen.has(kept)).toBe(false);
      seen.add(kept);
      last = { mtimeNs: BigInt(kept) * 1_000_000n } as fs.BigIntStats;
    }
    const later = chooseTime(1_790_000_900_500, last, coarse);
    expect(later).toBeGreaterThan(Math.max(...seen));
  });
});

describe("openLocal read", () => {
  test("a file that is replaced while it is read is read whole; one changed in place fails", async () => {
    const { folder, backend } = await setup();
    const old = "a".repeat(1_000_000);
    await backend.write(A, sourceOf(old), { expect: "absent" });
    const first = await backend.read(A);
    await backend.write(A, sourceOf("b".repeat(1_000_000)), { expect: "any" });
    expect(new TextDecoder().decode(await drain(first.body))).toBe(old);
    const second = await backend.read(A);
    const handle = fs.openSync(join(folder, A), "r+");
    fs.writeSync(handle, "c");
    fs.closeSync(handle);
    await expect(drain(second.body)).rejects.toMatchObject({ class: "TRANSIENT" });
    await expect(backend.read(relPath("docs/b.md"))).rejects.toBeInstanceOf(NotFoundError);
  });

  test("a pipe does not block", async () => {
    const { folder, backend } = await setup();
    execFileSync("mkfifo", [join(folder, "pipe.md")]);
    await expect(backend.read(relPath("pipe.md"))).rejects.toMatchObject({ class: "FILE_REJECTED" });
  });
});

describe("withPathLock", () => {
  /** Sleeps take no time and move the clock. */
  function quickClock(): Clock & { slept: number } {
    const start = Date.now();
    const clock = {
      slept: 0,
      now: () => start + clock.slept,
      sleep: async (ms: number) => {
        clock.slept += ms;
        await Promise.resolve();
      },
    };
    return clock;
  }

  test("a lock whose owner is gone is taken over", async () => {
    const { folder, backend } = await setup({ clock: quickClock() });
    await backend.write(A, sourceOf("old"), { expect: "absent" });
    const lock = lockFile(join(folder, A), true);
    fs.writeFileSync(lock, "another machine 1\n");
    const old = Date.now() / 1000 - 60;
    fs.utimesSync(lock, old, old);
    await backend.write(A, sourceOf("new"), { expect: "any" });
    expect(await textAt(backend, A)).toBe("new");
    expect(names(folder)).toEqual(["docs", "docs/a.md"]);
  });

  test("the lock of a process that was killed here is taken over at once, that of a living one is not", async () => {
    const clock = quickClock();
    const { folder, backend } = await setup({ clock });
    await backend.write(A, sourceOf("old"), { expect: "absent" });
    const lock = lockFile(join(folder, A), true);
    fs.writeFileSync(lock, JSON.stringify({ ...ownIdentity(), pid: await endedPid() }));
    await backend.write(A, sourceOf("new"), { expect: "any" });
    expect(await textAt(backend, A)).toBe("new");
    expect(clock.slept).toBeLessThan(200);
    fs.writeFileSync(lock, JSON.stringify(ownIdentity()));
    await expect(backend.write(A, sourceOf("newer"), { expect: "any" })).rejects.toMatchObject({ class: "TRANSIENT" });
    expect(await textAt(backend, A)).toBe("new");
  });

  test("removeFolder: the lock of a process that was killed there goes with the folder, that of a living one keeps it", async () => {
    const { folder, backend } = await setup({ clock: quickClock() });
    await backend.write(A, sourceOf("old"), { expect: "absent" });
    await backend.remove(A, { expect: "any" });
    const lock = lockFile(join(folder, A), true);
    const docs = relPath("docs");
    fs.mkdirSync(join(folder, docs), { recursive: true });
    fs.writeFileSync(lock, JSON.stringify(ownIdentity()));
    await expect(backend.removeFolder?.(docs)).rejects.toMatchObject({ class: "FILE_REJECTED" });
    fs.writeFileSync(lock, JSON.stringify({ ...ownIdentity(), pid: await endedPid() }));
    await backend.removeFolder?.(docs);
    expect(names(folder)).toEqual([]);
  });

  test("a live lock is waited for, and in the end the call fails for a passing reason and changes nothing", async () => {
    const clock = quickClock();
    const { folder, backend } = await setup({ clock });
    await backend.write(A, sourceOf("old"), { expect: "absent" });
    const lock = lockFile(join(folder, A), true);
    fs.writeFileSync(lock, "another machine 1\n");
    for (const call of [
      () => backend.write(A, sourceOf("new"), { expect: "any" }),
      () => backend.remove(A, { expect: "any" }),
    ]) {
      await expect(call()).rejects.toMatchObject({ class: "TRANSIENT" });
    }
    expect(clock.slept).toBeGreaterThan(60_000);
    expect(await textAt(backend, A)).toBe("old");
    expect(fs.existsSync(lock)).toBe(true);
  });

  test("two processes that add to one file lose no addition", async () => {
    const { folder, backend } = await setup();
    const counter = relPath("count.md");
    await backend.write(counter, sourceOf("0"), { expect: "absent" });
    const exits = await Promise.all([1, 2, 3].map(() => runAdder(folder, 15)));
    expect(exits).toEqual([0, 0, 0]);
    expect(await textAt(backend, counter)).toBe("45");
    expect(names(folder)).toEqual(["count.md"]);
  }, 60_000);
});

/** The number of a process that has run and ended. */
function endedPid(): Promise<number> {
  const child = spawn("true", { stdio: "ignore" });
  return new Promise((resolve) => child.on("exit", () => resolve(child.pid ?? 0)));
}

/** Adds 1 to `count.md` so many times, each time from the version that it read, in a process of its own. */
function runAdder(folder: string, times: number): Promise<number | null> {
  const src = join(import.meta.dir, "../../../src");
  const code = `
    import { openLocal } from ${JSON.stringify(`${src}/backends/local/index.ts`)};
    import { systemClock } from ${JSON.stringify(`${src}/lib/clock.ts`)};
    const backend = await openLocal({ folder: ${JSON.stringify(folder)}, clock: systemClock });
    for (let done = 0; done < ${times}; ) {
      const { file, body } = await backend.read("count.md");
      const next = new TextEncoder().encode(String(Number(await new Response(body).text()) + 1));
      const source = { size: next.length, open: () => new Blob([next]).stream() };
      try {
        await backend.write("count.md", source, { expect: file.rev });
        done++;
      } catch (error) {
        if (error.name !== "StaleError") throw error;
      }
    }`;
  const child = spawn(process.execPath, ["-e", code], { stdio: ["ignore", "ignore", "inherit"] });
  return new Promise((resolve) => child.on("exit", resolve));
}

describe("local module", () => {
  const project = tempFolder("project");
  const deps = backendDeps({ stateFolder: tempFolder("state") });
  const at = (localFolder: string) => backendConfig({ backend: "local", projectPath: project, localFolder });
  const made: string[] = [];
  afterEach(() => {
    for (const path of made.splice(0)) fs.rmSync(path, { recursive: true, force: true });
  });

  test("prepare: makes the folder once and says what it can do", async () => {
    const folder = join(tempFolder("prepare"), "deep/mirror");
    const first = await local.prepare(at(folder), deps);
    expect(first).toMatchObject({ created: true, can: { guard: "lock", atomicWrite: true } });
    expect((await local.prepare(at(folder), deps)).created).toBe(false);
    expect(names(folder)).toEqual([]);
    await local.check(at(folder), deps);
  });

  test("open and check never make the folder", async () => {
    const folder = join(tempFolder("open"), "gone");
    await expect(local.check(at(folder), deps)).rejects.toMatchObject({
      message: expect.stringContaining("is the disk mounted?"),
    });
    const backend = await local.open(at(folder), deps);
    expect((await backend.list("")).exists).toBe(false);
    expect(fs.existsSync(folder)).toBe(false);
  });

  test("a folder inside the project, around it, equal to it or behind a link to it is refused", async () => {
    fs.mkdirSync(join(project, "inner"));
    const link = join(tempFolder("link"), "alias");
    fs.symlinkSync(project, link);
    made.push(join(project, "inner"));
    for (const folder of [join(project, "inner"), join(project, "not/yet"), project, join(project, ".."), link]) {
      for (const verb of ["prepare", "check", "open"] as const) {
        await expect(local[verb](at(folder), deps)).rejects.toMatchObject({ class: "FILE_REJECTED" });
      }
    }
    expect(fs.existsSync(join(project, "not"))).toBe(false);
  });

  test("a sibling whose name begins like the project's is fine; none and a relative one are refused", async () => {
    made.push(`${project}-mirror`);
    await local.prepare(at(`${project}-mirror`), deps);
    for (const folder of ["", "relative/folder"]) {
      await expect(local.open(at(folder), deps)).rejects.toMatchObject({ class: "FILE_REJECTED" });
    }
  });

  test("remoteRoot: one spelling for one folder, mounted or not", () => {
    expect(local.remoteRoot(at("/mnt/disk//mirror/"))).toBe("/mnt/disk/mirror");
  });

  test("loadBackend: gives the module of a kind, and names the kinds there are for another", async () => {
    expect(await loadBackend("local")).toBe(local);
    await expect(loadBackend("carrier-pigeon" as BackendKind)).rejects.toThrow("local, webdav");
  });
});

test("RelPath: ids are the paths themselves", async () => {
  const { backend } = await setup();
  await backend.write(A, sourceOf("a"), { expect: "absent" });
  expect((await backend.list("docs" as RelPath)).files[0]?.id).toBe("docs/a.md");
});

/** Bytes that this process has handed to the system's write calls (proc(5), `/proc/PID/io`). */
function bytesWritten(): number {
  return Number(/^wchar: (\d+)$/m.exec(fs.readFileSync("/proc/self/io", "utf8"))?.[1]);
}

const LARGE = seededRandom(11).bytes(24 * 1024 * 1024);
const BIG = relPath("sub/big.bin");

/** Writes until about half has gone, then is interrupted. */
async function halfWritten(folder: string, bytes: Uint8Array): Promise<void> {
  const backend = await openLocal({ folder, clock: systemClock });
  const control = new AbortController();
  let sent = 0;
  const whole = sourceOf(bytes);
  const source = {
    ...whole,
    open: () =>
      tapped(whole.open(), (chunk) => {
        sent += chunk.length;
        if (sent > bytes.length / 2) control.abort();
      }),
  };
  await backend.write(BIG, source, { expect: "absent", signal: control.signal }).catch(() => undefined);
  expect((await backend.list("")).files).toEqual([]);
}

test("write: a large file whose writing broke off goes on there, whatever the file holds by now", async () => {
  for (const damage of [false, true]) {
    const folder = tempFolder("local");
    await halfWritten(folder, LARGE);
    const [part = ""] = fs.readdirSync(join(folder, "sub"));
    if (damage) {
      const torn = fs.readFileSync(join(folder, "sub", part));
      torn.fill(0, 1_000_000, 1_000_100);
      fs.writeFileSync(join(folder, "sub", part), torn);
    }
    const backend = await openLocal({ folder, clock: systemClock });
    const before = bytesWritten();
    await backend.write(BIG, sourceOf(LARGE), { expect: "absent" });
    if (!damage) expect(bytesWritten() - before).toBeLessThanOrEqual(0.55 * LARGE.length);
    expect(hashBytes("sha256", fs.readFileSync(join(folder, BIG)))).toBe(hashBytes("sha256", LARGE));
    expect(fs.readdirSync(join(folder, "sub"))).toEqual(["big.bin"]);
  }
});

test("write: what is left of another large content is not gone on with, and goes", async () => {
  const folder = tempFolder("local");
  await halfWritten(folder, LARGE);
  const other = LARGE.slice(0, 20 * 1024 * 1024);
  const backend = await openLocal({ folder, clock: systemClock });
  await backend.write(BIG, sourceOf(other), { expect: "absent" });
  expect(fs.readFileSync(join(folder, BIG)).length).toBe(other.length);
  expect(fs.readdirSync(join(folder, "sub"))).toEqual(["big.bin"]);
});
