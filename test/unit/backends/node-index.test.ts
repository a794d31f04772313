import { expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { CursorLostError, type FileNode, type NodeChange, type NodePage } from "../../../src/backends/nodes/model.ts";
import { type NodeIndexOptions, nodeIndex } from "../../../src/backends/nodes/node-index.ts";
import type { Rev } from "../../../src/backends/types.ts";
import { relPath } from "../../../src/lib/path.ts";
import { tempFolder } from "../../support/temp.ts";

const START_MS = 1_700_000_000_000;
const DAY_MS = 24 * 3600 * 1000;

const top: NodeChange = { is: "folder", id: "top", parent: "", name: "" };
const folder = (id: string, parent: string, name = id): NodeChange => ({ is: "folder", id, parent, name });
const gone = (id: string): NodeChange => ({ is: "gone", id });
const file = (id: string, parent: string, more: Partial<FileNode> = {}): FileNode => {
  return { is: "file", id, parent, name: `${id}.md`, size: 1, rev: `${id}-1`, hash: "h", ...more };
};

/** A source that answers each call with the next page; one that is asked more often than it has pages fails. */
function pages(...answers: (Partial<NodePage> | Error)[]) {
  const asked: (string | undefined)[] = [];
  return {
    asked,
    next: (...more: (Partial<NodePage> | Error)[]) => void answers.push(...more),
    source: {
      async page(cursor: string | undefined): Promise<NodePage> {
        asked.push(cursor);
        const answer = answers.shift();
        if (answer === undefined) throw new RangeError(`no page for ${cursor}`);
        if (answer instanceof Error) throw answer;
        return { changes: [], cursor: `c${asked.length}`, more: false, ...answer };
      },
    },
  };
}

function setup(answers: ReturnType<typeof pages>, options: Partial<NodeIndexOptions> = {}) {
  let nowMs = START_MS;
  const clock = { now: () => nowMs, sleep: async () => {} };
  const path = options.file ?? join(tempFolder("nodes"), "nodes");
  const open = (more: Partial<NodeIndexOptions> = {}) =>
    nodeIndex({
      file: path,
      key: "me",
      source: answers.source,
      ids: "stable",
      clock,
      fold: (name) => name.toLowerCase(),
      prefer: (a, b) => (a.id < b.id ? -1 : 1),
      describe: (node, at) => ({
        path: at,
        size: node.size,
        rev: node.rev as Rev,
        racy: false,
        id: node.id,
        nativeHash: node.hash,
      }),
      root: (nodes) => (nodes.has("top") ? "top" : undefined),
      ...options,
      ...more,
    });
  return {
    open,
    path,
    setTime: (ms: number) => {
      nowMs = ms;
    },
  };
}

const pathsIn = (listing: { readonly files: readonly { readonly path: string }[] }) =>
  listing.files.map(({ path }) => path).sort();

test("nodeIndex: children that come before their folders, over several pages", async () => {
  const stream = pages(
    { changes: [file("a", "in"), folder("in", "out")], more: true },
    { changes: [folder("out", "top"), top] },
  );
  const listing = await setup(stream).open().list("");
  expect(pathsIn(listing)).toEqual(["out/in/a.md"]);
  expect([...listing.folders].sort()).toEqual(["out", "out/in"].map(relPath));
  expect(stream.asked).toEqual([undefined, "c1"]);
});

test("nodeIndex: what was moved out of a removed folder after its page went by keeps its content", async () => {
  const stream = pages(
    { changes: [top, folder("f", "top"), folder("c", "f"), file("d", "c")] },
    // The removal is in this stream, the earlier move out of the folder only in the next.
    { changes: [gone("f")] },
    { changes: [folder("c", "top"), gone("f")] },
    { changes: [file("e", "top")] },
  );
  const index = setup(stream).open();
  await index.list("");
  expect(pathsIn(await index.list(""))).toEqual([]);
  expect(pathsIn(await index.list(""))).toEqual(["c/d.md"]);
  expect(pathsIn(await index.list(""))).toEqual(["c/d.md", "e.md"]);
});

test("nodeIndex: what is left in a removed folder is forgotten with the next change", async () => {
  const stream = pages(
    { changes: [top, folder("f", "top"), file("d", "f")] },
    { changes: [gone("f")] },
    { changes: [file("e", "top")] },
  );
  const { open, path } = setup(stream);
  const index = open();
  for (let i = 0; i < 3; i++) await index.list("");
  expect(JSON.parse(fs.readFileSync(path, "utf8").trim().split("\n").at(-1)?.slice(65) ?? "").drop).toEqual(["f", "d"]);
});

test("nodeIndex: what leaves the remote root and comes back is shown only meanwhile", async () => {
  const stream = pages(
    { changes: [top, folder("root", "top"), folder("f", "root"), file("a", "f")] },
    { changes: [folder("f", "top")] },
    { changes: [folder("f", "root", "g")] },
  );
  const index = setup(stream, { root: () => "root" }).open();
  expect(pathsIn(await index.list(""))).toEqual(["f/a.md"]);
  expect(pathsIn(await index.list(""))).toEqual([]);
  expect(pathsIn(await index.list(""))).toEqual(["g/a.md"]);
});

test("nodeIndex: nothing new writes nothing, until the cursor is a week old", async () => {
  const stream = pages({ changes: [top, file("a", "top")] }, { changes: [top] }, {}, {});
  const { open, setTime, path } = setup(stream);
  await open().list("");
  const { mtimeMs, ino, size } = fs.statSync(path);
  await open().list("");
  expect(fs.statSync(path)).toMatchObject({ mtimeMs, ino, size });
  setTime(START_MS + 8 * DAY_MS);
  await open().list("");
  await open().list("");
  expect(stream.asked).toEqual([undefined, "c1", "c1", "c3"]);
});

test("nodeIndex: a change is appended, and the file is made anew when it has grown too long", async () => {
  const many = Array.from({ length: 1000 }, (_, i) => file(`a${i}`, "top"));
  const stream = pages({ changes: [top, ...many] });
  const { open, path } = setup(stream);
  const index = open();
  await index.list("");
  const size = fs.statSync(path).size;
  stream.next({ changes: [file("b", "top")] });
  await index.list("");
  expect(fs.statSync(path).size).toBeLessThan(size + 250);
  for (let round = 0; round < 8; round++) {
    stream.next({ changes: many.map((node) => ({ ...node, rev: `r${round}` })) });
    await index.list("");
    expect(fs.statSync(path).size).toBeLessThan(size * 2 + 128 * 1024);
  }
  stream.next({});
  expect((await open().list("")).files.length).toBe(1001);
});

test("nodeIndex: a cut stream goes on where it stopped, then asks once more for what happened meanwhile", async () => {
  const stream = pages({ changes: [top, file("a", "top")], more: true }, new Error("cut"));
  const { open } = setup(stream);
  const index = open();
  await expect(index.list("")).rejects.toThrow("cut");
  stream.next({ changes: [file("b", "top")] }, { changes: [file("c", "top")] });
  expect(pathsIn(await index.list(""))).toEqual(["a.md", "b.md", "c.md"]);
  expect(stream.asked).toEqual([undefined, "c1", "c1", "c3"]);
});

test("nodeIndex: a stream that was cut leaves the kept nodes and their cursor alone", async () => {
  const stream = pages({ changes: [top, file("a", "top")] }, { changes: [gone("a")], more: true }, new Error("cut"));
  const { open, path } = setup(stream);
  await open().list("");
  const before = fs.readFileSync(path, "utf8");
  await expect(open().list("")).rejects.toThrow("cut");
  expect(fs.readFileSync(path, "utf8")).toBe(before);
  stream.next({ changes: [gone("a")] });
  expect(pathsIn(await open().list(""))).toEqual([]);
  expect(stream.asked.at(-1)).toBe("c1");
});

test("nodeIndex: a lost cursor lists everything anew, from where the server says", async () => {
  const stream = pages({ changes: [top, file("a", "top"), file("b", "top")] });
  const { open } = setup(stream);
  await open().list("");
  stream.next(new CursorLostError("fresh"), { changes: [top, file("b", "top")] });
  expect(pathsIn(await open().list(""))).toEqual(["b.md"]);
  expect(stream.asked).toEqual([undefined, "c1", "fresh"]);
});

test("nodeIndex: a server that loses every cursor, or leads in a circle, is an error and no empty remote", async () => {
  const lost = Array.from({ length: 9 }, () => new CursorLostError());
  await expect(
    setup(pages(...lost))
      .open()
      .list(""),
  ).rejects.toMatchObject({ class: "TRANSIENT" });
  const circle = pages({ cursor: "x", more: true }, { cursor: "x", more: true });
  await expect(setup(circle).open().list("")).rejects.toMatchObject({ class: "TRANSIENT" });
});

test("nodeIndex: whatever byte of the file is wrong, the listing is right", async () => {
  const stream = pages({ changes: [top, file("a", "top")] }, { changes: [gone("a"), file("b", "top")] });
  const { open, path } = setup(stream);
  await open().list("");
  await open().list("");
  const good = fs.readFileSync(path);
  const firstEnd = good.indexOf("\n") + 1;
  for (let at = 0; at < good.length; at += 3) {
    const bad = Buffer.from(good);
    bad[at] = (bad[at] as number) ^ 4;
    fs.writeFileSync(path, bad);
    const asked = stream.asked.length;
    stream.next(
      at < firstEnd ? { changes: [top, file("b", "top")] } : { changes: [gone("a"), file("b", "top")], cursor: "c2" },
    );
    expect(pathsIn(await open().list(""))).toEqual(["b.md"]);
    expect(stream.asked[asked]).toBe(at < firstEnd ? undefined : "c1");
  }
});

test("nodeIndex: what another process appended meanwhile is not spoilt", async () => {
  const stream = pages({ changes: [top] }, {}, { changes: [file("a", "top")] }, { changes: [file("a", "top")] }, {});
  const { open } = setup(stream);
  await open().list("");
  const slow = open();
  await slow.list("");
  await open().list("");
  await slow.list("");
  expect(pathsIn(await open().list(""))).toEqual(["a.md"]);
});

test("nodeIndex: nodes kept for another account are not believed", async () => {
  const stream = pages({ changes: [top, file("a", "top")] }, { changes: [top, file("b", "top")] });
  const { open } = setup(stream);
  await open().list("");
  expect(pathsIn(await open({ key: "you" }).list(""))).toEqual(["b.md"]);
});

test("nodeIndex: a run that leaves caches alone leaves this one alone", async () => {
  const stream = pages({ changes: [top] }, { changes: [top] }, { changes: [file("a", "top")] }, {});
  const { open, path } = setup(stream);
  await open().list("", { remember: false });
  expect(fs.existsSync(path)).toBe(false);
  await open().list("");
  const before = fs.readFileSync(path, "utf8");
  const index = open();
  expect(pathsIn(await index.list("", { remember: false }))).toEqual(["a.md"]);
  expect(fs.readFileSync(path, "utf8")).toBe(before);
  await index.list("");
  expect(stream.asked.slice(2)).toEqual(["c2", "c2"]);
});

test("nodeIndex: a folder that is missing does not exist, nor does a file's inside", async () => {
  const stream = pages({ changes: [top, file("a", "top")] }, {}, {});
  const index = setup(stream).open();
  expect(await index.list(relPath("nowhere"))).toMatchObject({ exists: false, files: [], folders: [] });
  expect(await index.list(relPath("a.md"))).toMatchObject({ exists: false });
  expect(index.at(relPath("A.md"))).toMatchObject([{ id: "a" }]);
  expect(await setup(pages({})).open().list("")).toMatchObject({ exists: false });
});

test("nodeIndex: names that are no path of ours are named, not shown and never entered", async () => {
  const stream = pages({
    changes: [
      top,
      folder("s", "top", "x/y"),
      file("in", "s"),
      file("dots", "top", { name: ".." }),
      { is: "foreign", id: "doc", parent: "top", name: "Notes", reason: "it is a web document" },
    ],
  });
  const { files, unusable } = await setup(stream).open().list("");
  expect(files).toEqual([]);
  expect(unusable.map(({ name }) => name).sort()).toEqual(["..", "Notes", "x/y"]);
});

test("nodeIndex: two of one name are shown as one, and named; folders are shown as one with what is in both", async () => {
  const stream = pages({
    changes: [
      top,
      file("b", "top", { name: "same.md" }),
      file("a", "top", { name: "Same.md" }),
      folder("f1", "top", "docs"),
      folder("f2", "top", "Docs"),
      file("x", "f1"),
      file("y", "f2"),
      folder("f3", "top", "both"),
      file("both", "top", { name: "both" }),
    ],
  });
  const { files, folders, duplicates, unusable } = await setup(stream).open().list("");
  expect(files.map(({ path, id }) => `${path} ${id}`).sort()).toEqual(["Same.md a", "docs/x.md x", "docs/y.md y"]);
  expect([...folders].sort()).toEqual(["both", "docs"].map(relPath));
  expect(duplicates.map(({ nodes }) => nodes.map(({ id }) => id))).toEqual([
    ["a", "b"],
    ["f1", "f2"],
  ]);
  expect(unusable.map(({ name }) => name)).toEqual(["both"]);
});

test("nodeIndex: a folder in the trash takes its content out of sight and brings it back", async () => {
  const stream = pages(
    { changes: [top, folder("f", "top"), file("a", "f")] },
    { changes: [{ is: "hidden", id: "f", parent: "top", name: "f" }] },
    { changes: [folder("f", "top")] },
  );
  const { open } = setup(stream);
  expect(pathsIn(await open().list(""))).toEqual(["f/a.md"]);
  expect(await open().list("")).toMatchObject({ files: [], folders: [] });
  expect(pathsIn(await open().list(""))).toEqual(["f/a.md"]);
});

test("nodeIndex: parents in a circle are nowhere, and end", async () => {
  const stream = pages(
    { changes: [top, folder("a", "b"), folder("b", "a"), file("x", "a"), folder("f", "top"), file("y", "f")] },
    { changes: [gone("f")] },
    { changes: [file("z", "top")] },
  );
  const index = setup(stream).open();
  expect(pathsIn(await index.list(""))).toEqual(["f/y.md"]);
  expect(pathsIn(await index.list(""))).toEqual([]);
  expect(pathsIn(await index.list(""))).toEqual(["z.md"]);
});

test("nodeIndex: 100,000 files take less than 16 MB on disk and one page's change less than 300 bytes more", async () => {
  const folders = Array.from({ length: 400 }, (_, i) => folder(`01ABCDEFGHIJKLMNOPQRSTU${i}`, "top", `folder ${i}`));
  const files = Array.from({ length: 100_000 }, (_, i) =>
    file(`01ABCDEFGHIJKLMNOPQRSTUVWX${i}`, folders[i % 400]?.id ?? "", {
      name: `note-${i}.md`,
      rev: `aQTU0RjdEN0ExMUI3RTQ5NDE${i}`,
      hash: "h+8TXzRJpDyU1gBgnuVFXSFWfTw=",
      modifiedMs: 1_700_000_000_000 + i,
    }),
  );
  const stream = pages(
    { changes: [top, ...folders, ...files] },
    { changes: [{ ...(files[7] as FileNode), rev: "new" }] },
  );
  const { open, path } = setup(stream);
  await open().list("");
  const size = fs.statSync(path).size;
  expect(size).toBeLessThan(16 * 1024 * 1024);
  expect((await open().list("")).files.length).toBe(100_000);
  expect(fs.statSync(path).size - size).toBeLessThan(300);
});
