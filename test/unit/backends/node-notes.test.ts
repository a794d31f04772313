import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { NodeChange, NodePage } from "../../../src/backends/nodes/model.ts";
import { type NodeIndex, nodeIndex } from "../../../src/backends/nodes/node-index.ts";
import type { Rev } from "../../../src/backends/types.ts";
import { relPath } from "../../../src/lib/path.ts";
import { tempFolder } from "../../support/temp.ts";

const folder = tempFolder("node-notes");
let files = 0;

function file(id: string, name: string, rev = "1", parent = "root"): NodeChange {
  return { is: "file", id, parent, name, size: 1, rev, hash: "h" };
}

interface Stream {
  readonly pages: NodeChange[][];
  now: number;
  readonly path: string;
  open(): NodeIndex;
}

/** A stream that tells what is put into `pages`, first of all the root with one file. */
function stream(): Stream {
  const path = join(folder, `index-${++files}`);
  const state: Stream = {
    pages: [[{ is: "folder", id: "root", parent: "", name: "" }, file("a", "a.md")]],
    now: 1_000_000,
    path,
    open: () =>
      nodeIndex({
        file: path,
        key: "k",
        ids: "stable",
        clock: { now: () => state.now, sleep: () => Promise.resolve() },
        fold: (name) => name,
        prefer: (a, b) => (a.id < b.id ? -1 : 1),
        root: (nodes) => (nodes.has("root") ? "root" : undefined),
        isLater: (noted, streamed) =>
          noted.is === "file" && streamed.is === "file" && Number(noted.rev) > Number(streamed.rev),
        describe: ({ id, size, rev, hash }, at) => {
          return { path: at, size, rev: rev as Rev, racy: false, id, nativeHash: hash };
        },
        source: {
          async page(cursor): Promise<NodePage> {
            const at = cursor === undefined ? 0 : Number(cursor);
            return { changes: state.pages.slice(at).flat(), cursor: String(state.pages.length), more: false };
          },
        },
      }),
  };
  return state;
}

async function shown(index: NodeIndex): Promise<string[]> {
  return (await index.list("")).files.map(({ path, rev }) => `${path} ${rev}`).sort();
}

test("note: own deeds are seen at once, and until the stream tells of them", async () => {
  const { open, pages } = stream();
  const index = open();
  expect(await shown(index)).toEqual(["a.md 1"]);
  index.note([file("b", "b.md", "5"), file("a", "renamed.md"), { is: "folder", id: "d", parent: "root", name: "d" }]);
  index.note([file("c", "c.md", "1", "d")]);
  expect(index.at(relPath("a.md"))).toEqual([]);
  expect(index.at(relPath("d/c.md")).map(({ id }) => id)).toEqual(["c"]);
  expect(index.node("b")).toMatchObject({ name: "b.md" });
  expect(await shown(index)).toEqual(["b.md 5", "d/c.md 1", "renamed.md 1"]);
  index.note([{ is: "gone", id: "a" }]);
  expect(await shown(index)).toEqual(["b.md 5", "d/c.md 1"]);
  pages.push([file("b", "b.md", "4"), file("c", "c.md", "2", "root")]);
  expect(await shown(index)).toEqual(["b.md 5", "c.md 2"]);
  pages.push([{ is: "gone", id: "b" }]);
  expect(await shown(index)).toEqual(["c.md 2"]);
});

test("note: a name's group follows what is put there and taken away", async () => {
  const { open } = stream();
  const index = open();
  await index.list("");
  expect(index.at(relPath("a.md")).length).toBe(1);
  index.note([file("0", "a.md", "9")]);
  expect(index.at(relPath("a.md")).map(({ id }) => id)).toEqual(["0", "a"]);
  index.note([{ is: "gone", id: "0" }]);
  expect(index.at(relPath("a.md")).map(({ id }) => id)).toEqual(["a"]);
});

test("save: the next process knows what no stream has told yet, for an hour, and the file goes when it is told", async () => {
  const { open, pages, path } = stream();
  const first = open();
  await first.list("");
  first.save();
  expect(existsSync(`${path}.noted`)).toBe(false);
  first.note([file("b", "b.md")]);
  first.save();
  const second = open();
  expect(await shown(second)).toEqual(["a.md 1", "b.md 1"]);
  pages.push([file("b", "b.md")]);
  await second.list("");
  second.save();
  expect(existsSync(`${path}.noted`)).toBe(false);
  expect(await shown(open())).toEqual(["a.md 1", "b.md 1"]);
});

test("save: what a stream has not told within the hour is not believed", async () => {
  const state = stream();
  const first = state.open();
  await first.list("");
  first.note([file("b", "b.md")]);
  first.save();
  state.now += 2 * 3600 * 1000;
  expect(await shown(state.open())).toEqual(["a.md 1"]);
});

test("save: a run that leaves caches alone keeps its own deeds, and neither adds nor drops what was noted", async () => {
  const { open, path, pages } = stream();
  const first = open();
  await first.list("");
  first.note([file("b", "b.md")]);
  first.save();
  const before = readFileSync(`${path}.noted`, "utf8");
  pages.push([file("b", "b.md")]);
  const quiet = open();
  expect(await quiet.list("", { remember: false }).then(({ files }) => files.length)).toBe(2);
  quiet.save();
  expect(readFileSync(`${path}.noted`, "utf8")).toBe(before);
  quiet.note([file("c", "c.md")]);
  quiet.save();
  expect(await shown(open())).toEqual(["a.md 1", "b.md 1", "c.md 1"]);
});

test("save: a process that was there all along, such as a watcher, leaves the notes of a run alone, and the other way round", async () => {
  const it = stream();
  const watcher = it.open();
  await watcher.list("");
  const run = it.open();
  await run.list("");
  run.note([file("b", "b.md")]);
  run.save();
  it.now += 1000;
  watcher.save();
  expect(await shown(it.open())).toEqual(["a.md 1", "b.md 1"]);
  watcher.note([file("c", "c.md"), file("b", "b.md", "older")]);
  it.now += 1000;
  run.note([file("b", "b.md", "2")]);
  run.save();
  watcher.save();
  expect(await shown(it.open())).toEqual(["a.md 1", "b.md 2", "c.md 1"]);
  // What the stream has confirmed to one is not what another has noted later.
  it.pages.push([file("b", "b.md", "2"), file("c", "c.md")]);
  await watcher.list("");
  it.now += 1000;
  run.note([file("c", "c.md", "3")]);
  run.save();
  watcher.save();
  expect(await shown(it.open())).toEqual(["a.md 1", "b.md 2", "c.md 3"]);
});
