import { expect, test } from "bun:test";
import { appendFileSync, chmodSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BackendError, StaleError } from "../../../src/backends/errors.ts";
import { blobPath } from "../../../src/backends/layout.ts";
import type { Backend, Source, Written } from "../../../src/backends/types.ts";
import { hashBytes } from "../../../src/lib/hash.ts";
import type { BeforeUpload } from "../../../src/sync/run-context.ts";
import { drain } from "../../support/bodies.ts";
import { executorLab, pathOf, uploadAction, withVerbs } from "../../support/executor-lab.ts";
import { tempFolder } from "../../support/temp.ts";

const a = pathOf("a.md");
const BIG = 3_000_001;

function bigBytes(seed = 1): Uint8Array {
  const bytes = new Uint8Array(BIG);
  for (let i = 0; i < BIG; i++) bytes[i] = (i * 31 + seed + (i >> 8)) & 0xff;
  return bytes;
}

function storing(backend: Backend, stored: string[] = []): BeforeUpload {
  return async (content) => {
    const path = blobPath(content.sha256);
    await backend.write(path, content, { expect: "any" });
    stored.push(path);
    return path;
  };
}

test("upload: a new file is sent, verified and recorded with its digests", async () => {
  const lab = executorLab();
  const local = lab.write("a.md", "hello");
  const done = await lab.run([uploadAction("a.md", local)]);
  expect(done.items).toEqual([{ path: a, action: "upload", status: "done", bytes: 5 }]);
  expect(lab.remote("a.md")).toBe("hello");
  const base = lab.replay().base.get(a);
  expect(base).toMatchObject({ md5: hashBytes("md5", "hello"), sha256: hashBytes("sha256", "hello"), size: 5 });
  expect(base?.rev as string).toBe((await lab.backend.stat(a))?.rev as string);
  expect(lab.replay().local.get(a)?.stat).toEqual(local);
  expect(done.confirmed.base).toEqual(lab.replay().base);
});

test("upload: an empty file and a large one arrive whole", async () => {
  const lab = executorLab();
  const bytes = bigBytes();
  const done = await lab.run([uploadAction("a.md", lab.write("a.md", "")), uploadAction("b", lab.write("b", bytes))]);
  expect(done.items.map((item) => item.status)).toEqual(["done", "done"]);
  expect(lab.backend.store.get(a)?.bytes.length).toBe(0);
  expect(hashBytes("md5", lab.backend.store.get(pathOf("b"))?.bytes ?? "")).toBe(hashBytes("md5", bytes));
  const moved = lab.events.flatMap((event) => (event.kind === "bytes" ? [event.bytes] : []));
  expect(moved.reduce((sum, n) => sum + n, 0)).toBe(BIG);
});

test("upload: a write over a version that the plan did not see changes nothing and is reported as stale", async () => {
  const lab = executorLab();
  const seen = await lab.put("a.md", "theirs 1");
  const local = lab.write("a.md", "mine");
  await lab.put("a.md", "theirs 2");
  const done = await lab.run([uploadAction("a.md", local, seen)]);
  expect(done.items[0]?.error?.class).toBe("STALE");
  expect(lab.remote("a.md")).toBe("theirs 2");
  expect(done.confirmed.base.size).toBe(0);
});

test("upload: a create over something that appeared changes nothing", async () => {
  const lab = executorLab();
  const local = lab.write("a.md", "mine");
  await lab.put("a.md", "theirs");
  const done = await lab.run([uploadAction("a.md", local)]);
  expect(done.items[0]?.error?.class).toBe("STALE");
  expect(lab.remote("a.md")).toBe("theirs");
});

test("upload: a file that changed since the plan is not sent", async () => {
  const lab = executorLab();
  const local = lab.write("a.md", "one");
  lab.write("a.md", "two");
  utimesSync(join(lab.root, "a.md"), 1, 1);
  const done = await lab.run([uploadAction("a.md", local)]);
  expect(done.items[0]?.error).toMatchObject({ class: "STALE" });
  expect(done.items[0]?.error?.message).toContain('"a.md"');
  expect(lab.remote("a.md")).toBeUndefined();
});

test.each([
  ["grows", (file: string) => appendFileSync(file, "more")],
  ["shrinks", (file: string) => truncateSync(file, BIG - 10)],
  ["is rewritten in place", (file: string) => writeFileSync(file, bigBytes(7))],
])("upload: a large file that %s while it is sent never lands as a mixture", async (_name, change) => {
  const lab = executorLab();
  await lab.put("a.md", "old remote");
  const seen = await lab.backend.stat(a);
  const local = lab.write("a.md", bigBytes());
  const file = join(lab.root, "a.md");
  const slow = withVerbs(lab.backend, {
    write: (path, source, options) =>
      lab.backend.write(
        path,
        changedMidway(source, () => change(file)),
        options,
      ),
  });
  const done = await lab.run([uploadAction("a.md", local, seen)], { backend: slow });
  expect(done.items[0]?.error).toMatchObject({ class: "STALE" });
  expect(lab.remote("a.md")).toBe("old remote");
});

function changedMidway(source: Source, change: () => void): Source {
  const open = () => {
    const reader = source.open().getReader();
    let pieces = 0;
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          if (++pieces === 3) change();
          const { done, value } = await reader.read();
          if (done) controller.close();
          else controller.enqueue(value);
        },
      },
      { highWaterMark: 0 },
    );
  };
  return { size: source.size, open };
}

test("upload: a large body can be opened again, as a retry does", async () => {
  const lab = executorLab();
  const bytes = bigBytes();
  let opened = 0;
  const twice = withVerbs(lab.backend, {
    async write(path, source, options): Promise<Written> {
      opened++;
      const first = source.open().getReader();
      await first.read();
      await first.cancel();
      return lab.backend.write(path, source, options);
    },
  });
  const done = await lab.run([uploadAction("a.md", lab.write("a.md", bytes))], { backend: twice });
  expect(opened).toBe(1);
  expect(done.items[0]?.status).toBe("done");
  expect(lab.backend.store.get(a)?.bytes.length).toBe(BIG);
});

test("upload: the blob is durable before the live file, and a failing blob leaves the live file alone", async () => {
  const lab = executorLab();
  const order: string[] = [];
  const beforeUpload: BeforeUpload = async (content) => {
    order.push("blob");
    expect(lab.remote("a.md")).toBeUndefined();
    expect(new TextDecoder().decode(await drain(content.open()))).toBe("hello");
    return undefined;
  };
  await lab.run([uploadAction("a.md", lab.write("a.md", "hello"))], { beforeUpload });
  expect(order).toEqual(["blob"]);
  expect(lab.remote("a.md")).toBe("hello");
  const failing: BeforeUpload = async () => {
    throw new BackendError('could not write the blob: "507"', { class: "TRANSIENT" });
  };
  const done = await lab.run([uploadAction("b.md", lab.write("b.md", "x"))], { beforeUpload: failing });
  expect(done.items[0]?.error?.class).toBe("TRANSIENT");
  expect(lab.remote("b.md")).toBeUndefined();
});

test("upload: a large new file is sent once and copied from its blob on the server", async () => {
  const lab = executorLab();
  const written: string[] = [];
  const spy = withVerbs(lab.backend, {
    write: (path, source, options) => {
      written.push(path);
      return lab.backend.write(path, source, options);
    },
  });
  const bytes = bigBytes();
  await lab.run([uploadAction("a.md", lab.write("a.md", bytes))], { backend: spy, beforeUpload: storing(spy) });
  expect(written).toEqual([blobPath(hashBytes("sha256", bytes))]);
  expect(lab.backend.store.get(a)?.bytes.length).toBe(BIG);
});

test("upload: a copy that the server refuses is replaced by a guarded write, a stale one is not", async () => {
  const lab = executorLab();
  const refusing = withVerbs(lab.backend, {
    copy: async () => {
      throw new BackendError("could not copy: 501", { class: "UNKNOWN" });
    },
  });
  const action = uploadAction("a.md", lab.write("a.md", bigBytes()));
  await lab.run([action], { backend: refusing, beforeUpload: storing(lab.backend) });
  expect(lab.backend.store.get(a)?.bytes.length).toBe(BIG);

  const stale = withVerbs(lab.backend, {
    copy: async () => {
      throw new StaleError("somebody made it");
    },
    write: async () => {
      throw new Error("a stale copy must not be followed by a write");
    },
  });
  const next = uploadAction("b.md", lab.write("b.md", bigBytes(3)));
  const done = await lab.run([next], { backend: stale, beforeUpload: storing(lab.backend) });
  expect(done.items[0]?.error).toMatchObject({ class: "STALE", message: "somebody made it" });
});

test("upload: an existing large file is replaced by a guarded write, never by a copy", async () => {
  const lab = executorLab();
  const seen = await lab.put("a.md", "old");
  const uncopied = withVerbs(lab.backend, {
    copy: async () => {
      throw new Error("copy never replaces");
    },
  });
  const action = uploadAction("a.md", lab.write("a.md", bigBytes()), seen);
  const done = await lab.run([action], { backend: uncopied, beforeUpload: storing(lab.backend) });
  expect(done.items[0]?.status).toBe("done");
});

test("upload: an answer that names another size or checksum is not recorded", async () => {
  const lab = executorLab({ checksums: ["md5"] });
  const lying = withVerbs(lab.backend, {
    async write(path, source, options): Promise<Written> {
      await lab.backend.write(path, source, options);
      lab.backend.store.put(path, "HELLO");
      const file = await lab.backend.stat(path);
      return file === undefined ? {} : { file };
    },
  });
  const done = await lab.run([uploadAction("a.md", lab.write("a.md", "hello"))], { backend: lying });
  expect(done.items[0]?.error).toMatchObject({ class: "UNKNOWN" });
  expect(done.confirmed.base.size).toBe(0);
});

test("upload: remote content that was never agreed on is in the trash before it is replaced", async () => {
  const lab = executorLab();
  const theirs = await lab.put("a.md", "their edit");
  const action = { ...uploadAction("a.md", lab.write("a.md", "mine"), theirs), replaced: { remote: theirs } };
  await lab.run([action]);
  expect(lab.remote("a.md")).toBe("mine");
  expect(lab.trashed()).toEqual([{ path: "a.md", text: "their edit" }]);
});

test("upload: an unreadable file is a local error that names it, never a network one", async () => {
  if (process.getuid?.() === 0) {
    const lab = executorLab();
    const local = lab.write("a.md", "x");
    rmSync(join(lab.root, "a.md"));
    const done = await lab.run([uploadAction("a.md", local)]);
    expect(done.items[0]?.error).toMatchObject({ class: "LOCAL" });
    expect(done.items[0]?.error?.message).toContain('"a.md"');
    return;
  }
  const lab = executorLab();
  lab.write("a.md", "x");
  chmodSync(join(lab.root, "a.md"), 0);
  const done = await lab.run([uploadAction("a.md", lab.stat("a.md"))]);
  expect(done.items[0]?.error?.class).toBe("LOCAL");
});

test("upload: nothing is read through a folder link that leaves the project", async () => {
  const lab = executorLab();
  const outside = tempFolder();
  writeFileSync(join(outside, "secret"), "s");
  symlinkSync(outside, join(lab.root, "link"));
  const done = await lab.run([uploadAction("link/secret", lab.stat("link/secret"))]);
  expect(done.items[0]?.error?.class).toBe("LOCAL");
  expect(lab.remote("link/secret")).toBeUndefined();
});
