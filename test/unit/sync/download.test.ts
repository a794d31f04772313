import { expect, test } from "bun:test";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { BackendError } from "../../../src/backends/errors.ts";
import type { Opened } from "../../../src/backends/types.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { hashBytes } from "../../../src/lib/hash.ts";
import { createResumedFiles } from "../../../src/lib/resumed-file.ts";
import { TEMP_PREFIX } from "../../../src/lib/temp-prefix.ts";
import type { SyncEvent } from "../../../src/sync/model.ts";
import { failingSource, streamOf, utf8 } from "../../support/bodies.ts";
import { downloadAction, executorLab, pathOf, withVerbs } from "../../support/executor-lab.ts";
import { seededRandom } from "../../support/random.ts";
import { tempFolder } from "../../support/temp.ts";

const a = pathOf("a.md");

test("download: a new file in new folders arrives whole and is recorded", async () => {
  const lab = executorLab();
  const remote = await lab.put("x/y/a.md", "hello");
  const done = await lab.run([downloadAction(remote)]);
  expect(done.items[0]).toEqual({ path: remote.path, action: "download", status: "done", bytes: 5 });
  expect(lab.read("x/y/a.md")).toBe("hello");
  const base = lab.replay().base.get(remote.path);
  expect(base).toMatchObject({
    sha256: hashBytes("sha256", "hello"),
    md5: hashBytes("md5", "hello"),
    rev: remote.rev,
    size: 5,
  });
  expect(lab.replay().local.get(remote.path)?.stat).toEqual(lab.stat("x/y/a.md"));
  expect(lab.names()).toEqual(["x", "x/y", "x/y/a.md"]);
});

test("download: what it replaces is in the trash, the mode is kept and no temporary file stays", async () => {
  const lab = executorLab();
  lab.write("a.md", "old");
  chmodSync(join(lab.root, "a.md"), 0o750);
  await lab.run([downloadAction(await lab.put("a.md", "new"), lab.stat("a.md"))]);
  expect(lab.read("a.md")).toBe("new");
  expect(statSync(join(lab.root, "a.md")).mode & 0o777).toBe(0o750);
  expect(lab.trashed()).toEqual([{ path: "a.md", text: "old" }]);
  expect(lab.names()).toEqual(["a.md"]);
});

test("download: what a snapshot holds does not go to the trash too", async () => {
  const lab = executorLab();
  const old = hashBytes("sha256", "old");
  const local = lab.write("a.md", "old");
  const action = { ...downloadAction(await lab.put("a.md", "new"), local), localSha256: old };
  await lab.run([action], { heldBySnapshot: (sha256) => sha256 === old });
  expect(lab.read("a.md")).toBe("new");
  expect(lab.trashed()).toEqual([]);
});

test("download: the same bytes are recorded and the file is not rewritten", async () => {
  const lab = executorLab();
  const local = lab.write("a.md", "same");
  const done = await lab.run([downloadAction(await lab.put("a.md", "same"), local)]);
  expect(done.items[0]?.status).toBe("done");
  expect(lab.stat("a.md")).toEqual(local);
  expect(done.confirmed.base.get(a)?.sha256).toBe(hashBytes("sha256", "same"));
  expect(lab.trashed()).toEqual([]);
});

test("download: a file that changed since the plan stays, whenever it changed", async () => {
  const lab = executorLab();
  const remote = await lab.put("a.md", "theirs");
  const local = lab.write("a.md", "mine");
  const later = withVerbs(lab.backend, {
    async read(path, options): Promise<Opened> {
      const opened = await lab.backend.read(path, options);
      lab.write("a.md", "mine, edited");
      return opened;
    },
  });
  const action = { ...downloadAction(remote, local), localSha256: hashBytes("sha256", "mine") };
  for (const heldBySnapshot of [() => true, () => false]) {
    const done = await lab.run([action], { backend: later, heldBySnapshot });
    expect(done.items[0]?.error?.class).toBe("STALE");
    lab.write("a.md", "mine");
    Object.assign(action, { local: lab.stat("a.md") });
  }
  lab.write("a.md", "mine, edited");
  const again = await lab.run([downloadAction(remote, local)]);
  expect(again.items[0]?.error?.class).toBe("STALE");
  expect(lab.read("a.md")).toBe("mine, edited");
  expect(lab.names()).toEqual(["a.md"]);
  expect(lab.trashed()).toEqual([]);
  expect(lab.replay().base.size).toBe(0);
});

test("download: a file that appeared where none was planned stays", async () => {
  const lab = executorLab();
  const remote = await lab.put("a.md", "theirs");
  const later = withVerbs(lab.backend, {
    async read(path, options): Promise<Opened> {
      lab.write("a.md", "mine");
      return lab.backend.read(path, options);
    },
  });
  const done = await lab.run([downloadAction(remote)], { backend: later });
  expect(done.items[0]?.error?.class).toBe("STALE");
  expect(lab.read("a.md")).toBe("mine");
});

test("download: another remote version than the planned one is not taken", async () => {
  const lab = executorLab();
  const seen = await lab.put("a.md", "one");
  await lab.put("a.md", "two");
  const done = await lab.run([downloadAction(seen)]);
  expect(done.items[0]?.error?.class).toBe("STALE");
  expect(lab.names()).toEqual([]);
});

test.each([
  ["ends early", () => streamOf(utf8("hel"))],
  ["is too long", () => streamOf(utf8("hello and more"))],
  ["breaks off", () => failingSource("he", 5, new Error("ECONNRESET")).open()],
  ["holds other bytes", () => streamOf(utf8("HELLO"))],
])("download: a body that %s is read anew, and given up in the end with the old file whole", async (_name, bad) => {
  const lab = executorLab({ checksums: ["sha1"] });
  const remote = await lab.put("a.md", "hello");
  const local = lab.write("a.md", "old");
  let reads = 0;
  const flaky = (failures: number) =>
    withVerbs(lab.backend, {
      async read(path, options): Promise<Opened> {
        const opened = await lab.backend.read(path, options);
        return ++reads <= failures ? { ...opened, body: bad() } : opened;
      },
    });
  const failed = await lab.run([downloadAction(remote, local)], { backend: flaky(99) });
  expect(failed.items[0]?.error?.class).toBe("TRANSIENT");
  expect(reads).toBe(3);
  expect(lab.slept).toEqual([500, 1000]);
  expect(lab.read("a.md")).toBe("old");
  expect(lab.names()).toEqual(["a.md"]);
  reads = 0;
  const done = await lab.run([downloadAction(remote, local)], { backend: flaky(2) });
  expect(done.items[0]?.status).toBe("done");
  expect(lab.read("a.md")).toBe("hello");
});

test("download: a mixture of the right length from a server without atomic writes is not taken", async () => {
  const lab = executorLab({ atomicWrite: false });
  const remote = await lab.put("a.md", "hello");
  const torn = withVerbs(lab.backend, {
    async read(path, options): Promise<Opened> {
      const opened = await lab.backend.read(path, options);
      lab.backend.store.put(path, "HELLO");
      return { ...opened, body: streamOf(utf8("HELlo")) };
    },
  });
  const done = await lab.run([downloadAction(remote)], { backend: torn });
  expect(done.items[0]?.error?.class).toBe("STALE");
  expect(lab.names()).toEqual([]);
});

test("download: a folder that is a link out of the project is refused, also when it is swapped in later", async () => {
  const lab = executorLab();
  const outside = tempFolder();
  symlinkSync(outside, join(lab.root, "link"));
  const remote = await lab.put("link/a.md", "x");
  expect((await lab.run([downloadAction(remote)])).items[0]?.error?.class).toBe("LOCAL");

  const next = await lab.put("sub/a.md", "x");
  const swapping = withVerbs(lab.backend, {
    async read(path, options): Promise<Opened> {
      renameSync(join(lab.root, "sub"), join(lab.root, "was-sub"));
      symlinkSync(outside, join(lab.root, "sub"));
      return lab.backend.read(path, options);
    },
  });
  expect((await lab.run([downloadAction(next)], { backend: swapping })).items[0]?.error?.class).toBe("LOCAL");
  expect(readdirSync(outside)).toEqual([]);
});

test("download: a linked file inside the project is replaced where it is, the link stays", async () => {
  const lab = executorLab();
  lab.write("real.md", "old");
  symlinkSync("real.md", join(lab.root, "a.md"));
  await lab.run([downloadAction(await lab.put("a.md", "new"), lab.stat("a.md"))]);
  expect(lab.read("real.md")).toBe("new");
  expect(readdirSync(lab.root).sort()).toEqual(["a.md", "real.md"]);
  expect(lab.trashed()).toEqual([{ path: "a.md", text: "old" }]);
});

test("download: another hard link of the replaced file keeps the old bytes", async () => {
  const lab = executorLab();
  lab.write("a.md", "old");
  linkSync(join(lab.root, "a.md"), join(lab.root, "b.md"));
  await lab.run([downloadAction(await lab.put("a.md", "new"), lab.stat("a.md"))]);
  expect(lab.read("b.md")).toBe("old");
});

test("download: a file where a folder is needed is a local error that names the path", async () => {
  const lab = executorLab();
  lab.write("sub", "a file");
  const done = await lab.run([downloadAction(await lab.put("sub/a.md", "x"))]);
  expect(done.items[0]?.error?.class).toBe("LOCAL");
  expect(done.items[0]?.error?.message).toContain('"sub');
  expect(lab.read("sub")).toBe("a file");
});

test("download: a body that fails with a system code is the remote's fault, not the disk's", async () => {
  const lab = executorLab();
  const remote = await lab.put("a.md", "hello");
  const cut = withVerbs(lab.backend, {
    async read(path, options): Promise<Opened> {
      const error = Object.assign(new Error("read ENOSPC"), { code: "ENOSPC", syscall: "read" });
      return { ...(await lab.backend.read(path, options)), body: failingSource("h", 5, error).open() };
    },
  });
  const done = await lab.run([downloadAction(remote, lab.write("a.md", "old"))], { backend: cut });
  expect(done.items[0]?.error?.class).toBe("TRANSIENT");
  expect(lab.read("a.md")).toBe("old");
});

test("download: leftovers of an interrupted run are removed from the folders it writes to", async () => {
  const lab = executorLab();
  lab.write(`sub/${TEMP_PREFIX}0123`, "half");
  lab.write("sub/keep.md", "k");
  await lab.run([downloadAction(await lab.put("sub/a.md", "x"))]);
  expect(readdirSync(join(lab.root, "sub")).sort()).toEqual(["a.md", "keep.md"]);
});

test("download: an abort in the middle leaves the old file, no temporary file and no outcome", async () => {
  const lab = executorLab();
  const remote = await lab.put("a.md", "hello");
  const local = lab.write("a.md", "old");
  const stop = new AbortController();
  const slow = withVerbs(lab.backend, {
    async read(path, options): Promise<Opened> {
      const opened = await lab.backend.read(path, options);
      stop.abort();
      return opened;
    },
  });
  const done = await lab.run([downloadAction(remote, local)], { backend: slow, signal: stop.signal });
  expect(done).toMatchObject({ items: [], interrupted: true });
  expect(lab.names()).toEqual(["a.md"]);
  expect(lab.read("a.md")).toBe("old");
});

test("download: a read-only folder is a local error", async () => {
  const lab = executorLab();
  mkdirSync(join(lab.root, "ro"));
  writeFileSync(join(lab.root, "ro/keep"), "");
  chmodSync(join(lab.root, "ro"), 0o500);
  const done = await lab.run([downloadAction(await lab.put("ro/a.md", "x"))]);
  chmodSync(join(lab.root, "ro"), 0o700);
  const root = process.getuid?.() === 0;
  expect(done.items[0]?.error?.class).toBe(root ? undefined : "LOCAL");
});

test("download: an error of the remote keeps its class and hint", async () => {
  const lab = executorLab();
  const remote = await lab.put("a.md", "x");
  const denied = withVerbs(lab.backend, {
    read: async () => {
      throw new BackendError('cannot read "a.md": 403', { class: "PERMISSION", hint: "ask the owner" });
    },
  });
  const done = await lab.run([downloadAction(remote)], { backend: denied });
  expect(done.items[0]?.error).toEqual({
    class: "PERMISSION",
    message: 'cannot read "a.md": 403',
    hint: "ask the owner",
  });
  expect(readFileSync(join(lab.root, "../state/journal.jsonl"), "utf8")).toBe("");
});

test("download: a folder that holds nothing but empty folders makes room for a file of its name", async () => {
  const lab = executorLab();
  const remote = await lab.put("a.md", "hello");
  mkdirSync(join(lab.root, "a.md/b/c"), { recursive: true });
  const done = await lab.run([downloadAction(remote)]);
  expect(done.items[0]).toMatchObject({ path: "a.md", status: "done" });
  expect(lab.read("a.md")).toBe("hello");
});

test("download: a folder with a file or a link in it stays, and so does a link to an empty folder", async () => {
  const lab = executorLab();
  const elsewhere = tempFolder("elsewhere");
  mkdirSync(join(elsewhere, "empty"));
  const [one, two] = [await lab.put("one", "hello"), await lab.put("two", "hello")];
  mkdirSync(join(lab.root, "one/b"), { recursive: true });
  symlinkSync(elsewhere, join(lab.root, "one/link"));
  symlinkSync(elsewhere, join(lab.root, "two"));
  const done = await lab.run([downloadAction(one), downloadAction(two)]);
  expect(done.items.map((it) => it.error?.class)).toEqual(["STALE", "STALE"]);
  expect(readdirSync(join(lab.root, "one")).sort()).toEqual(["b", "link"]);
  expect(readdirSync(elsewhere)).toEqual(["empty"]);
});

test("download: a folder that is needed where a file is names what is in the way", async () => {
  const lab = executorLab();
  const remote = await lab.put("a.md/x", "hello");
  lab.write("a.md", "mine");
  const done = await lab.run([downloadAction(remote)]);
  expect(done.items[0]?.error?.class).toBe("LOCAL");
  expect(done.items[0]?.error?.message).toContain('"a.md": a file of that name is in the way');
  expect(lab.read("a.md")).toBe("mine");
});

/** A backend whose next read breaks off after so many bytes; tells where reads began. */
function breakingOff(lab: ReturnType<typeof executorLab>, bytes: number, error: Error) {
  const begun: number[] = [];
  let broken = false;
  const backend = withVerbs(lab.backend, {
    async read(path, options): Promise<Opened> {
      begun.push(options?.from ?? 0);
      const opened = await lab.backend.read(path, options);
      if (broken) return opened;
      broken = true;
      let left = bytes;
      const cut = new TransformStream<Uint8Array, Uint8Array>({
        transform(chunk, controller) {
          if (left <= 0) throw error;
          left -= chunk.length;
          controller.enqueue(chunk);
        },
      });
      return { ...opened, body: opened.body.pipeThrough(cut) };
    },
  });
  return { backend, begun };
}

function resumedIn(lab: ReturnType<typeof executorLab>) {
  return createResumedFiles({ notes: join(tempFolder("state"), "parts.jsonl"), scope: lab.root, clock: systemClock });
}

const LARGE = seededRandom(9).bytes(12 * 1024 * 1024);

test("download: a large body that breaks off goes on in the next try", async () => {
  const lab = executorLab();
  const remote = await lab.put("a.md", LARGE);
  const { backend, begun } = breakingOff(lab, LARGE.length / 2, new Error("ECONNRESET"));
  const done = await lab.run([downloadAction(remote)], { backend, resumed: resumedIn(lab) });
  expect(done.items[0]?.status).toBe("done");
  expect(begun).toHaveLength(2);
  expect(LARGE.length - (begun[1] ?? 0)).toBeLessThanOrEqual(0.55 * LARGE.length);
  expect(done.confirmed.base.get(a)?.sha256).toBe(hashBytes("sha256", LARGE));
  expect(lab.names()).toEqual(["a.md"]);
});

test("download: a large body that an interrupt broke off goes on in the next run, of this version only", async () => {
  for (const version of ["same", "other"]) {
    const lab = executorLab();
    const resumed = resumedIn(lab);
    const control = new AbortController();
    const remote = await lab.put("a.md", LARGE);
    const { backend, begun } = breakingOff(lab, LARGE.length / 2, new Error("unused"));
    let moved = 0;
    const onEvent = (event: SyncEvent) => {
      if (event.kind === "bytes") moved += event.bytes;
      if (moved > LARGE.length / 3) control.abort();
    };
    await lab.run([downloadAction(remote)], { backend, resumed, onEvent, signal: control.signal });
    expect(lab.names().filter((name) => name.includes("-part-"))).toHaveLength(2);
    const now = version === "same" ? remote : await lab.put("a.md", Uint8Array.from(LARGE).reverse());
    const done = await lab.run([downloadAction(now)], { backend, resumed });
    expect(done.items[0]?.status).toBe("done");
    const expected = version === "same" ? LARGE : Uint8Array.from(LARGE).reverse();
    expect(done.confirmed.base.get(a)?.sha256).toBe(hashBytes("sha256", expected));
    expect((begun.at(-1) ?? 0) > LARGE.length / 4).toBe(version === "same");
    expect(lab.names().filter((name) => name !== "a.md")).toEqual([]);
  }
});

test("download: a part whose rest does not fit its checksum is not gone on with again", async () => {
  const lab = executorLab({ checksums: ["sha256"] });
  const remote = await lab.put("a.md", LARGE);
  const { backend, begun } = breakingOff(lab, LARGE.length / 2, new Error("ECONNRESET"));
  let reads = 0;
  const lying = withVerbs(backend, {
    async read(path, options): Promise<Opened> {
      const opened = await backend.read(path, options);
      return ++reads === 2
        ? { ...opened, body: streamOf(new Uint8Array(LARGE.length - (options?.from ?? 0))) }
        : opened;
    },
  });
  const done = await lab.run([downloadAction(remote)], { backend: lying, resumed: resumedIn(lab) });
  expect(done.items[0]?.status).toBe("done");
  expect(begun.map((from) => from > 0)).toEqual([false, true, false]);
});
