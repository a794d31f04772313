import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { BackendError, LocalFileError } from "../../../src/backends/errors.ts";
import type { Backend, RemoteFile, Written } from "../../../src/backends/types.ts";
import { hashBytes } from "../../../src/lib/hash.ts";
import type { Action } from "../../../src/sync/model.ts";
import { folderSyncer } from "../../../src/sync/run-context.ts";
import {
  downloadAction,
  type ExecutorLab,
  executorLab,
  pathOf,
  uploadAction,
  withVerbs,
} from "../../support/executor-lab.ts";
import { tempFolder } from "../../support/temp.ts";

const a = pathOf("a.md");

function deleteRemote(remote: RemoteFile, sha256?: string): Action {
  return { kind: "delete-remote", path: remote.path, remote, ...(sha256 === undefined ? {} : { sha256 }) };
}

function deleteLocal(lab: ExecutorLab, path: string): Action {
  return { kind: "delete-local", path: pathOf(path), local: lab.stat(path) };
}

/** A server that answers a write with its clock only, as WebDAV does. */
function unnamed(lab: ExecutorLab, serverTimeMs = (): number => Number.MAX_SAFE_INTEGER - 1e6): Backend {
  return withVerbs(lab.backend, {
    async write(path, source, options): Promise<Written> {
      await lab.backend.write(path, source, options);
      return { serverTimeMs: serverTimeMs() };
    },
  });
}

test("delete-remote: the content is in the trash before it goes", async () => {
  const lab = executorLab();
  const remote = await lab.put("a.md", "precious");
  const done = await lab.run([deleteRemote(remote)]);
  expect(done.items).toEqual([{ path: a, action: "delete-remote", status: "done", bytes: 0 }]);
  expect(lab.remote("a.md")).toBeUndefined();
  expect(lab.trashed()).toEqual([{ path: "a.md", text: "precious" }]);
  expect(done.confirmed.base.has(a)).toBe(true);
  expect(lab.replay().base.get(a)).toBeUndefined();
});

test("delete-remote: content that a snapshot holds is not read", async () => {
  const lab = executorLab();
  const remote = await lab.put("a.md", "x");
  const unread = withVerbs(lab.backend, {
    read: async () => {
      throw new Error("no need to read");
    },
  });
  const done = await lab.run([deleteRemote(remote, "s")], {
    backend: unread,
    heldBySnapshot: (sha256) => sha256 === "s",
  });
  expect(done.items[0]?.status).toBe("done");
  expect(lab.trashed()).toEqual([]);
});

test("case 4: deleted here and edited there since the plan: the newer content survives", async () => {
  const lab = executorLab();
  const seen = await lab.put("a.md", "base");
  await lab.put("a.md", "their newer content");
  for (const heldBySnapshot of [() => true, () => false]) {
    const done = await lab.run([deleteRemote(seen, "s")], { heldBySnapshot });
    expect(done.items[0]?.error?.class).toBe("STALE");
    expect(lab.remote("a.md")).toBe("their newer content");
    expect(done.confirmed.base.size).toBe(0);
  }
});

test("case 5: edited here and deleted there since the plan: that file alone fails and nothing is lost", async () => {
  const lab = executorLab();
  const seen = await lab.put("a.md", "base");
  lab.backend.store.delete(a);
  const local = lab.write("a.md", "my edit");
  const done = await lab.run([uploadAction("a.md", local, seen), uploadAction("b.md", lab.write("b.md", "b"))]);
  expect(done.items.map((item) => item.error?.class ?? item.status)).toEqual(["STALE", "done"]);
  expect(lab.read("a.md")).toBe("my edit");
  expect(lab.remote("b.md")).toBe("b");
});

test("delete-remote: a file that is back here, in whatever form, keeps its remote", async () => {
  const lab = executorLab();
  const remote = await lab.put("a.md", "x");
  lab.write("a.md", "back");
  expect((await lab.run([deleteRemote(remote)])).items[0]?.error?.class).toBe("STALE");
  rmSync(join(lab.root, "a.md"));
  symlinkSync("nowhere", join(lab.root, "a.md"));
  expect((await lab.run([deleteRemote(remote)])).items[0]?.error?.class).toBe("STALE");
  expect(lab.remote("a.md")).toBe("x");
});

test("delete-remote: a project folder that is unmounted in mid-run deletes nothing", async () => {
  const lab = executorLab();
  const remote = await lab.put("a.md", "x");
  const unmounting = withVerbs(lab.backend, {
    async read(path, options) {
      renameSync(lab.root, `${lab.root}-away`);
      mkdirSync(lab.root);
      return lab.backend.read(path, options);
    },
  });
  const done = await lab.run([deleteRemote(remote)], { backend: unmounting });
  expect(done.items[0]?.error?.class).toBe("LOCAL");
  expect(lab.remote("a.md")).toBe("x");
});

test("delete-remote: one that is gone already counts as done", async () => {
  const lab = executorLab();
  const remote = await lab.put("a.md", "x");
  lab.backend.store.delete(a);
  for (const heldBySnapshot of [() => true, () => false]) {
    expect((await lab.run([deleteRemote(remote, "s")], { heldBySnapshot })).items[0]?.status).toBe("done");
  }
});

test("delete-local: the file goes to the trash and emptied folders go, others stay", async () => {
  const lab = executorLab();
  lab.write("x/y/a.md", "one");
  lab.write("x/b.md", "two");
  const done = await lab.run([deleteLocal(lab, "x/y/a.md")]);
  expect(done.items[0]?.status).toBe("done");
  expect(lab.names()).toEqual(["x", "x/b.md"]);
  expect(lab.trashed()).toEqual([{ path: "x/y/a.md", text: "one" }]);
  await lab.run([deleteLocal(lab, "x/b.md")]);
  expect(lab.names()).toEqual([]);
});

test("delete-local: a remote that ignores case has the name in other letters only", async () => {
  const lab = executorLab({ caseSensitive: false });
  lab.write("case.md", "content");
  await lab.put("Case.md", "content");
  const { items } = await lab.run([deleteLocal(lab, "case.md")]);
  expect(items).toMatchObject([{ path: "case.md", status: "done" }]);
  expect(lab.read("case.md")).toBeUndefined();
  expect(lab.trashed()).toEqual([{ path: "case.md", text: "content" }]);
});

test("delete-local: many at once in folders that they empty together", async () => {
  const lab = executorLab();
  const actions: Action[] = [];
  for (let i = 0; i < 200; i++) {
    const path = `x/${Math.floor(i / 2)}/${i}.md`;
    lab.write(path, "x");
    actions.push(deleteLocal(lab, path));
  }
  const done = await lab.run(actions, { workers: 16 });
  expect(done.items.filter((item) => item.status === "failed")).toEqual([]);
  expect(lab.names()).toEqual([]);
  expect(lab.trashed().length).toBe(200);
});

test("delete-local: a file that changed since the plan stays, one that is gone is done", async () => {
  const lab = executorLab();
  lab.write("a.md", "one");
  const action = deleteLocal(lab, "a.md");
  lab.write("a.md", "edited");
  utimesSync(join(lab.root, "a.md"), 1, 1);
  expect((await lab.run([action])).items[0]?.error?.class).toBe("STALE");
  expect(lab.read("a.md")).toBe("edited");
  expect(lab.trashed()).toEqual([]);
  rmSync(join(lab.root, "a.md"));
  expect((await lab.run([action])).items[0]?.status).toBe("done");
});

test("putFile: a file that was replaced in the last instant is put back", () => {
  const lab = executorLab();
  const planned = lab.write("a.md", "planned");
  lab.write("b.md", "newer");
  renameSync(join(lab.root, "b.md"), join(lab.root, "a.md"));
  expect(() => lab.trash.putFile(join(lab.root, "a.md"), { path: a, reason: "r" }, { expect: planned })).toThrow(
    "has changed",
  );
  expect(lab.read("a.md")).toBe("newer");
  expect(lab.trashed()).toEqual([]);
});

test("execute: every step can be repeated without a further effect", async () => {
  const lab = executorLab();
  const down = await lab.put("down.md", "d");
  const gone = await lab.put("gone.md", "g");
  const up = uploadAction("up.md", lab.write("up.md", "u"));
  lab.write("away.md", "w");
  const actions = [deleteLocal(lab, "away.md"), up, downloadAction(down), deleteRemote(gone)];
  await lab.run(actions);
  const log = lab.backend.store.log.length;
  const trashed = lab.trashed().length;
  const again = await lab.run(actions);
  expect(again.items.map((item) => item.error?.class ?? item.status)).toEqual(["done", "STALE", "STALE", "done"]);
  expect(lab.backend.store.log.length).toBe(log);
  expect(lab.trashed().length).toBe(trashed);
  expect(lab.read("down.md")).toBe("d");
  expect(lab.remote("up.md")).toBe("u");
});

test("execute: deletes that make room come first, other deletes after all transfers", async () => {
  const lab = executorLab();
  const room = await lab.put("x", "a file where a folder is needed");
  const last = await lab.put("z", "z");
  lab.write("x/a.md", "inside");
  const order: string[] = [];
  const spy = withVerbs(lab.backend, {
    write: (path, source, options) => {
      order.push(`write ${path}`);
      return lab.backend.write(path, source, options);
    },
    remove: (path, options) => {
      order.push(`remove ${path}`);
      return lab.backend.remove(path, options);
    },
  });
  const upload = uploadAction("x/a.md", lab.stat("x/a.md"));
  const done = await lab.run([deleteRemote(room), upload, deleteRemote(last)], { backend: spy });
  expect(done.items.map((item) => item.status)).toEqual(["done", "done", "done"]);
  expect(order).toEqual(["remove x", "write x/a.md", "remove z"]);
});

test("execute: adopt and forget are recorded, an adopted file that changed is not", async () => {
  const lab = executorLab();
  const remote = await lab.put("a.md", "same");
  const local = lab.write("a.md", "same");
  const forget: Action = { kind: "forget", path: pathOf("old.md") };
  const done = await lab.run([{ kind: "adopt", path: a, remote, local }, forget]);
  expect(done.confirmed.base.get(a)).toMatchObject({ rev: remote.rev, sha256: hashBytes("sha256", "same") });
  expect(done.confirmed.base.has(pathOf("old.md"))).toBe(true);
  expect(done.confirmed.local.get(a)?.stat).toEqual(local);
  chmodSync(join(lab.root, "a.md"), 0o600);
  const stale = await lab.run([{ kind: "adopt", path: a, remote, local }]);
  expect(stale.items[0]?.error?.class).toBe("STALE");
});

test("execute: one failing file does not stop the others", async () => {
  const lab = executorLab();
  const actions = ["1", "2", "3", "4", "5"].map((name) => uploadAction(name, lab.write(name, name)));
  const failing = withVerbs(lab.backend, {
    write: (path, source, options) => {
      if (path === "2") throw new BackendError("refused", { class: "FILE_REJECTED" });
      return lab.backend.write(path, source, options);
    },
  });
  const done = await lab.run(actions, { backend: failing });
  expect(done.items.map((item) => item.status)).toEqual(["done", "failed", "done", "done", "done"]);
  expect([...lab.replay().base.keys()].sort()).toEqual(["1", "3", "4", "5"].map(pathOf));
});

test.each(["AUTH", "QUOTA"] as const)("execute: %s stops what was not begun, with the same cause", async (kind) => {
  const lab = executorLab();
  const actions = ["1", "2", "3", "4"].map((name) => uploadAction(name, lab.write(name, name)));
  let writes = 0;
  const refusing = withVerbs(lab.backend, {
    write: async () => {
      writes++;
      throw new BackendError("no more", { class: kind, hint: "do this" });
    },
  });
  const done = await lab.run(actions, { backend: refusing, workers: 1 });
  expect(writes).toBe(1);
  expect(done.items.map((item) => item.error)).toEqual(
    actions.map(() => ({ class: kind, message: "no more", hint: "do this" })),
  );
  expect(lab.events.filter((event) => event.kind === "item").length).toBe(1);
});

test("execute: a full local disk stops what was not begun", async () => {
  const lab = executorLab();
  const actions = [downloadAction(await lab.put("1", "x")), downloadAction(await lab.put("2", "x"))];
  let reads = 0;
  const full = withVerbs(lab.backend, {
    read: async () => {
      reads++;
      throw new LocalFileError("disk is full", { code: "ENOSPC" });
    },
  });
  const done = await lab.run(actions, { backend: full, workers: 1 });
  expect(reads).toBe(1);
  expect(done.items.map((item) => item.error?.class)).toEqual(["QUOTA", "QUOTA"]);
});

test("execute: a signal lets nothing new begin and what is done stays recorded", async () => {
  const lab = executorLab();
  const stop = new AbortController();
  const actions = ["1", "2", "3"].map((name) => uploadAction(name, lab.write(name, name)));
  const stopping = withVerbs(lab.backend, {
    async write(path, source, options) {
      const written = await lab.backend.write(path, source, options);
      if (path === "2") stop.abort();
      return written;
    },
  });
  const done = await lab.run(actions, { backend: stopping, workers: 1, signal: stop.signal });
  expect(done.interrupted).toBe(true);
  expect(done.items.map((item) => item.path)).toEqual(["1", "2"].map(pathOf));
  expect(lab.remote("3")).toBeUndefined();
});

test("closing look: few unnamed uploads are looked up one by one, many by listings of as few folders as it takes", async () => {
  for (const [count, deep, stats, lists] of [
    [8, true, 8, []],
    [9, true, 0, ["a", "b (deep)", "c/d"]],
    [9, false, 0, ["a", "b/c", "b/d", "b/e", "c/d"]],
  ] as const) {
    const lab = executorLab();
    const calls = { stat: 0, list: [] as string[] };
    const backend = withVerbs(unnamed(lab), {
      can: { ...lab.backend.can, listsDeep: deep },
      stat: (path, options) => {
        calls.stat++;
        return lab.backend.stat(path, options);
      },
      list: (under, options) => {
        calls.list.push(options?.shallow === true ? under : `${under} (deep)`);
        return lab.backend.list(under, options);
      },
    });
    const nameOf = (i: number) => `${["a", "b/c", "b/d", "b/e", "c/d"][i % 5]}/${i}`;
    const actions = Array.from({ length: count }, (_, i) => uploadAction(nameOf(i), lab.write(nameOf(i), `text ${i}`)));
    const done = await lab.run(actions, { backend });
    expect({ ...calls, list: calls.list.sort() }).toEqual({ stat: stats, list: [...lists] });
    expect(done.confirmed.base.size).toBe(count);
    expect(done.sent.size).toBe(0);
    const base = done.confirmed.base.get(pathOf("a/0"));
    expect(base?.rev as string).toBe((await lab.backend.stat(pathOf("a/0")))?.rev as string);
    expect(done.confirmed.local.get(pathOf("a/0"))?.stat).toEqual(lab.stat("a/0"));
  }
});

test("closing look: somebody else's later write is never recorded as ours", async () => {
  const lab = executorLab();
  const backend = withVerbs(
    unnamed(lab, () => 0),
    {},
  );
  const done = await lab.run([uploadAction("a.md", lab.write("a.md", "mine"))], { backend });
  expect(done.items[0]?.status).toBe("done");
  expect(done.confirmed.base.size).toBe(0);
  expect([...done.sent.keys()]).toEqual([a]);
  expect([...lab.replay().sent.keys()]).toEqual([a]);
});

test("closing look: other bytes than were sent, and nobody wrote after us, fail the item", async () => {
  const lab = executorLab();
  const backend = withVerbs(unnamed(lab), {
    async write(path, source, options): Promise<Written> {
      await lab.backend.write(path, source, options);
      lab.backend.store.put(path, "cut");
      return { serverTimeMs: Number.MAX_SAFE_INTEGER - 1e6 };
    },
  });
  const done = await lab.run([uploadAction("a.md", lab.write("a.md", "mine"))], { backend });
  expect(done.items[0]?.error?.class).toBe("UNKNOWN");
  expect(done.confirmed.base.size).toBe(0);
});

test("closing look: when it fails the uploads still count and the next run compares", async () => {
  const lab = executorLab();
  const backend = withVerbs(unnamed(lab), {
    stat: async () => {
      throw new BackendError("unreachable", { class: "TRANSIENT" });
    },
  });
  const done = await lab.run([uploadAction("a.md", lab.write("a.md", "mine"))], { backend });
  expect(done.items[0]?.status).toBe("done");
  expect(lab.events.filter((event) => event.kind === "notice").length).toBe(1);
  expect(done.sent.size).toBe(1);
});

function keepBoth(
  remote: RemoteFile,
  lab: ExecutorLab,
  winner: "local" | "remote",
): Extract<Action, { kind: "keep-both" }> {
  const local = lab.stat("a.md");
  const localSha256 = hashBytes("sha256", lab.read("a.md") ?? "");
  const remoteSha256 = hashBytes("sha256", lab.remote("a.md") ?? "");
  const copySha256 = winner === "remote" ? localSha256 : remoteSha256;
  const copy = pathOf(`a.conflict-${copySha256.slice(0, 8)}.md`);
  return { kind: "keep-both", path: a, winner, local, localSha256, remote, remoteSha256, copy, copySha256 };
}

test.each(["local", "remote"] as const)("keep-both: %s wins and both contents are on both sides", async (winner) => {
  for (const answers of [(lab: ExecutorLab): Backend => lab.backend, unnamed]) {
    const lab = executorLab();
    const remote = await lab.put("a.md", "theirs");
    lab.write("a.md", "mine");
    const action = keepBoth(remote, lab, winner);
    const done = await lab.run([action], { backend: answers(lab) });
    expect(done.items[0]).toMatchObject({ action: "keep-both", status: "done" });
    const [kept, lost] = winner === "local" ? ["mine", "theirs"] : ["theirs", "mine"];
    expect([lab.read("a.md"), lab.remote("a.md")]).toEqual([kept, kept]);
    expect([lab.read(action.copy), lab.remote(action.copy)]).toEqual([lost, lost]);
    expect([...done.confirmed.base.keys()].sort()).toEqual([action.copy, a].sort());
    expect(lab.names()).toEqual([action.copy, a].sort());
  }
});

test.each(["local", "remote"] as const)(
  "keep-both: a repetition after %s was kept half way finds the copy made",
  async (winner) => {
    const lab = executorLab();
    const remote = await lab.put("a.md", "theirs");
    lab.write("a.md", "mine");
    const action = keepBoth(remote, lab, winner);
    const lost = winner === "local" ? "theirs" : "mine";
    lab.write(action.copy, lost);
    await lab.put(action.copy, lost);
    const done = await lab.run([action]);
    expect(done.items[0]?.status).toBe("done");
    expect([...done.confirmed.base.keys()].sort()).toEqual([action.copy, a].sort());
  },
);

test("keep-both: a copy's name that holds something else, here or there, leaves all as it is", async () => {
  for (const side of ["here", "there"]) {
    const lab = executorLab();
    const remote = await lab.put("a.md", "theirs");
    lab.write("a.md", "mine");
    const action = keepBoth(remote, lab, "remote");
    if (side === "here") lab.write(action.copy, "a user's own");
    else await lab.put(action.copy, "a user's own");
    const done = await lab.run([action]);
    expect(done.items[0]?.error?.class).toBe("STALE");
    expect([lab.read("a.md"), lab.remote("a.md")]).toEqual(["mine", "theirs"]);
    expect(done.confirmed.base.has(a)).toBe(false);
  }
});

test("keep-both: a file edited since the plan is not replaced", async () => {
  const lab = executorLab();
  const remote = await lab.put("a.md", "theirs");
  lab.write("a.md", "mine");
  const action = keepBoth(remote, lab, "remote");
  lab.write("a.md", "mine, edited again");
  const done = await lab.run([action]);
  expect(done.items[0]?.error?.class).toBe("STALE");
  expect(lab.read("a.md")).toBe("mine, edited again");
  expect(lab.names()).toEqual(["a.md"]);
});

test("execute: a project folder that is not there is one clear error before anything begins", async () => {
  const lab = executorLab();
  const action = deleteRemote(await lab.put("a.md", "x"));
  rmSync(lab.root, { recursive: true });
  await expect(lab.run([action])).rejects.toThrow(lab.root);
  expect(lab.remote("a.md")).toBe("x");
});

test("execute: a dead journal fails the item that it could not write down", async () => {
  const lab = executorLab();
  const broken = {
    append: () => {
      throw new LocalFileError("state disk is full", { code: "ENOSPC" });
    },
    flush: async () => {},
    close: async () => {},
  };
  const done = await lab.run([uploadAction("1", lab.write("1", "x")), uploadAction("2", lab.write("2", "x"))], {
    journal: broken,
    workers: 1,
  });
  expect(done.items.map((item) => item.status)).toEqual(["failed", "failed"]);
  expect(done.confirmed.base.size).toBe(0);
  expect(lab.remote("2")).toBeUndefined();
});

test("folderSyncer: calls made while one is under way share the next", async () => {
  const folder = tempFolder();
  const sync = folderSyncer();
  const first = sync(folder);
  const second = sync(folder);
  expect(sync(folder)).toBe(second);
  expect(second).not.toBe(first);
  await Promise.all([first, second]);
  await expect(sync(join(folder, "none"))).rejects.toThrow("none");
  expect(readdirSync(folder)).toEqual([]);
});

test("execute: 500 mixed items on 16 workers all end and are all in the journal", async () => {
  const lab = executorLab();
  const actions: Action[] = [];
  for (let i = 0; i < 250; i++) {
    actions.push(
      uploadAction(`up/${i}`, lab.write(`up/${i}`, `u${i}`)),
      downloadAction(await lab.put(`down/${i % 7}/${i}`, `d${i}`)),
    );
  }
  const done = await lab.run(actions, { workers: 16 });
  expect(done.items.every((item) => item.status === "done")).toBe(true);
  expect(lab.replay().base.size).toBe(500);
  expect(readFileSync(join(lab.root, "down/3/3"), "utf8")).toBe("d3");
});
