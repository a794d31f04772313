import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BackendError, StaleError } from "../../../src/backends/errors.ts";
import { blobPath } from "../../../src/backends/layout.ts";
import { aroundVerbs } from "../../../src/backends/wrap/verbs.ts";
import { RefusedError } from "../../../src/lib/errors.ts";
import { relPath } from "../../../src/lib/path.ts";
import { withVerbs } from "../../support/executor-lab.ts";
import { memoryBackend } from "../../support/memory-backend.ts";
import { projectLab } from "../../support/project-lab.ts";
import { sha256 } from "../../support/snapshot-lab.ts";
import { tempFolder } from "../../support/temp.ts";

const BLOBS = "_claude_mirror_blobs";

test("push: content that a wiped remote has lost is stored again, so that its snapshot can be restored", async () => {
  const lab = projectLab();
  lab.write("a.md", "one\n");
  await lab.push();
  wipe(lab, "");
  rmSync(join(lab.root, ".claude_mirror_manifest.json"));
  const { snapshot } = await lab.push();
  expect(snapshot).not.toBeNull();
  const plan = await lab
    .project()
    .planRestore({ timestamp: snapshot?.timestamp ?? "", patterns: [], output: join(lab.home, "out") });
  expect((await lab.project().restore(plan)).items.map((item) => item.status)).toEqual(["restored"]);
});

test("push: content whose blobs folder was removed on the remote is stored again", async () => {
  const lab = projectLab();
  lab.write("a.md", "one\n");
  lab.write("b.md", "same\n");
  await lab.push();
  wipe(lab, BLOBS);
  lab.write("a.md", "two\n");
  const { snapshot } = await lab.push();
  const plan = await lab
    .project()
    .planRestore({ timestamp: snapshot?.timestamp ?? "", patterns: [], output: join(lab.home, "out") });
  expect((await lab.project().restore(plan)).items.map((item) => item.status)).toEqual(["restored", "restored"]);
});

test("pull: a remote that the records of another one do not fit deletes nothing here", async () => {
  const old = projectLab();
  for (const name of ["a", "b", "c"]) old.write(`${name}.md`, `${name}\n`);
  await old.push();
  const other = projectLab();
  for (const name of [".claude_mirror_manifest.json", "a.md", "b.md", "c.md"]) other.write(name, old.read(name) ?? "");
  other.put("new.md", "new\n");
  const pulled = await other.pull();
  expect(pulled.deletedLocal).toEqual([]);
  expect(other.read("a.md")).toBe("a\n");
  expect((await other.push()).uploaded).toEqual(["a.md", "b.md", "c.md"]);
});

test("push: a named link that leaves the project is not sent", async () => {
  const lab = projectLab();
  const secret = join(lab.home, "secret.txt");
  writeFileSync(secret, "secret\n");
  symlinkSync(secret, join(lab.root, "link.txt"));
  mkdirSync(join(lab.home, "outside"));
  writeFileSync(join(lab.home, "outside", "x.md"), "x\n");
  symlinkSync(join(lab.home, "outside"), join(lab.root, "out"));
  const result = await lab.push(["link.txt", "out/x.md"]).catch((error: unknown) => error);
  expect(paths(lab)).toEqual([]);
  expect(result).toHaveProperty("held");
});

test("pull --output: what it replaces is kept, and the project folder itself is refused", async () => {
  const lab = projectLab();
  lab.write("a.md", "mine\n");
  lab.put("a.md", "theirs\n");
  expect(await lab.pull([], { output: lab.root }).catch((error: Error) => error.name)).toBe("UsageError");
  expect(lab.read("a.md")).toBe("mine\n");
  lab.write("docs/a.md", "precious\n");
  await lab.pull(["a.md"], { output: join(lab.root, "docs") });
  expect(lab.read("docs/a.md")).toBe("theirs\n");
  expect(lab.trashed().map(({ text }) => text)).toContain("precious\n");
});

test("sync: an edited merge does not replace a file that changed while the editor was open", async () => {
  const lab = projectLab();
  lab.write("a.md", "mine\n");
  lab.put("a.md", "theirs\n");
  const result = await lab.sync({
    ask: async () => {
      lab.write("a.md", "mine, newer\n");
      return { kind: "content", bytes: new TextEncoder().encode("merged\n") };
    },
  });
  expect(lab.read("a.md")).toBe("mine, newer\n");
  expect(lab.remoteText("a.md")).toBe("theirs\n");
  expect(result.conflicts).toHaveLength(1);
  expect(result.notices.join()).toContain("a.md");
});

test("sync: an edited merge of a file that was deleted here brings it back", async () => {
  const lab = projectLab();
  lab.write("d/a.md", "one\n");
  lab.write("other.md", "other\n");
  await lab.push();
  rmSync(join(lab.root, "d"), { recursive: true });
  lab.put("d/a.md", "two\n");
  await lab.sync({ ask: async () => ({ kind: "content", bytes: new TextEncoder().encode("merged\n") }) });
  expect([lab.read("d/a.md"), lab.remoteText("d/a.md")]).toEqual(["merged\n", "merged\n"]);
});

test("sync: one conflict whose remote side moves on while it is asked about leaves the others settled", async () => {
  const lab = projectLab();
  for (const name of ["a.md", "b.md"]) {
    lab.write(name, "mine\n");
    lab.put(name, "theirs\n");
  }
  const result = await lab.sync({
    ask: async ({ path }) => {
      if (path === "a.md") lab.put("b.md", "theirs, newer\n");
      return { kind: "keep-local" };
    },
  });
  expect(lab.remoteText("a.md")).toBe("mine\n");
  expect(lab.remoteText("b.md")).toBe("theirs, newer\n");
  expect(result.conflicts.map(({ path }) => path)).toEqual(["b.md"]);
});

test("push: a failed snapshot does not put the same event into the shared log again", async () => {
  let broken = true;
  const lab = projectLab({
    wrap: (backend) =>
      withVerbs(backend, {
        write: (path, source, options) => {
          if (broken && path.startsWith("_claude_mirror_snapshots/")) throw new Error("no snapshots today");
          return backend.write(path, source, options);
        },
      }),
  });
  lab.write("a.md", "one\n");
  expect((await lab.push()).failed).toHaveLength(1);
  expect((await lab.push()).failed).toHaveLength(1);
  broken = false;
  expect((await lab.push()).snapshot).not.toBeNull();
  expect((await lab.project().log(10)).events.map((event) => event.files)).toEqual([["a.md"]]);
});

test("push, pull: a folder that only the other side has can be named", async () => {
  const lab = projectLab();
  lab.write("old/a.md", "a\n");
  lab.write("old/b.md", "b\n");
  lab.write("c.md", "c\n");
  await lab.push();
  rmSync(join(lab.root, "old"), { recursive: true });
  lab.put("new/d.md", "d\n");
  expect((await lab.push(["old"])).deletedRemote).toEqual(["old/a.md", "old/b.md"]);
  expect((await lab.pull(["new"])).downloaded).toEqual(["new/d.md"]);
});

test("pull: a named file stays when the remote folder turns out to be empty", async () => {
  const lab = projectLab();
  lab.write("a.md", "a\n");
  lab.write("b.md", "b\n");
  await lab.push();
  wipe(lab, "");
  expect(await lab.pull(["a.md"]).catch((error: Error) => error.name)).toBe("RefusedError");
  expect(lab.read("a.md")).toBe("a\n");
});

test("pull: a file that is back on the remote when its turn to be deleted here comes stays", async () => {
  let listed = false;
  const lab = projectLab({
    wrap: (backend) =>
      withVerbs(backend, {
        list: async (under, options) => {
          const listing = await backend.list(under, options);
          if (under !== "" || !listed) return listing;
          return { ...listing, files: listing.files.filter(({ path }) => path !== "a.md") };
        },
      }),
  });
  lab.write("a.md", "a\n");
  lab.write("b.md", "b\n");
  await lab.push();
  listed = true;
  const result = await lab.pull();
  expect(lab.read("a.md")).toBe("a\n");
  expect(result.failed.map(({ error }) => error.class)).toEqual(["STALE"]);
});

function paths(lab: ReturnType<typeof projectLab>): string[] {
  return lab.remote.store.view("").files.map(({ path }) => path);
}

/** Removes all files and folders whose path begins so from the remote. */
function wipe({ remote: { store } }: ReturnType<typeof projectLab>, start: string): void {
  const { files, folders } = store.view("");
  for (const { path } of files) if (path.startsWith(start)) store.delete(path);
  for (const path of folders) if (path.startsWith(start)) store.folders.delete(store.key(path));
}

test("push: a file that cannot be compared is held, and the others go on", async () => {
  const lab = projectLab({
    wrap: (backend) =>
      withVerbs(backend, {
        read: async (path, options) => {
          if (path === "moved.md") throw new StaleError(`cannot read "${path}": it is another version`);
          return backend.read(path, options);
        },
      }),
  });
  lab.write("moved.md", "mine\n");
  lab.put("moved.md", "them\n");
  lab.write("new.md", "new\n");
  const result = await lab.push();
  expect(result.uploaded).toEqual(["new.md"]);
  expect(result.held.map(({ path }) => path)).toEqual(["moved.md"]);
});

test("push: what could not be found out after sending is told in the result", async () => {
  const lab = projectLab({
    remote: memoryBackend({ writeReturnsRev: false }),
    wrap: (backend) =>
      withVerbs(backend, {
        stat: async (path, options) => {
          if (sent && path === "a.md") throw new BackendError("the server is away", { class: "TRANSIENT" });
          return backend.stat(path, options);
        },
        write: async (path, source, options) => {
          if (path === "a.md") sent = true;
          return backend.write(path, source, options);
        },
      }),
  });
  let sent = false;
  lab.write("a.md", "one\n");
  const result = await lab.push();
  expect(result.notices.join()).toContain("the server is away");
});

test("restore: an output folder that is the project counts as the project", async () => {
  const lab = projectLab();
  lab.write("a.md", "one\n");
  const { snapshot } = await lab.push();
  symlinkSync(lab.root, join(lab.home, "alias"));
  const { plan } = await lab
    .project()
    .planRestore({ timestamp: snapshot?.timestamp ?? "", patterns: [], output: join(lab.home, "alias") });
  expect(plan.target).toBe(lab.root);
});

test("push: an agreed version that no snapshot holds is in the trash before it is replaced", async () => {
  const lab = projectLab();
  lab.put("a.md", "theirs, pulled\n");
  await lab.pull();
  lab.write("a.md", "mine\n");
  await lab.push();
  expect(lab.trashed()).toEqual([{ path: "a.md", text: "theirs, pulled\n" }]);
});

test("push: an agreed version that a snapshot of this machine holds costs no request and no copy", async () => {
  const read: string[] = [];
  const lab = projectLab({
    wrap: (backend) =>
      withVerbs(backend, {
        read(path, options) {
          read.push(path);
          return backend.read(path, options);
        },
      }),
  });
  for (const name of ["a", "b", "c", "d"]) lab.write(`${name}.md`, "one\n");
  await lab.push();
  for (const name of ["a", "b", "c", "d"]) lab.write(`${name}.md`, "two\n");
  read.length = 0;
  await lab.push();
  expect([lab.trashed(), read.filter((path) => !path.startsWith("_claude_mirror_logs"))]).toEqual([[], []]);
});

test("push: where much is replaced that another machine's snapshot holds, that is asked for and nothing is fetched", async () => {
  const theirs = projectLab();
  for (const name of ["a", "b", "c", "d"]) theirs.write(`${name}.md`, `${name} one\n`);
  await theirs.push();
  const lab = projectLab({ remote: theirs.remote });
  await lab.pull();
  for (const name of ["a", "b", "c", "d"]) lab.write(`${name}.md`, `${name} two\n`);
  expect((await lab.push()).uploaded).toHaveLength(4);
  expect(lab.trashed()).toEqual([]);
});

test("push: a snapshot made beside a conflict holds the agreed version that another machine's snapshot has stored", async () => {
  const theirs = projectLab();
  theirs.write("a.md", "agreed\n");
  await theirs.push();
  const lab = projectLab({ remote: theirs.remote });
  await lab.pull();
  theirs.write("a.md", "theirs\n");
  await theirs.push();
  lab.write("a.md", "mine\n");
  lab.write("b.md", "new\n");
  const { snapshot, notices } = await lab.push();
  expect(notices).toEqual([]);
  const held = JSON.parse(lab.remoteText(`_claude_mirror_snapshots/${snapshot?.timestamp}.json`) ?? "{}");
  expect(Object.keys(held.files)).toEqual(["a.md", "b.md"]);
  expect(lab.remoteText(blobPath(held.files["a.md"]))).toBe("agreed\n");
});

test("push: an agreed version of which only a damaged copy is stored is told as lacking", async () => {
  const theirs = projectLab();
  theirs.write("a.md", "agreed\n");
  await theirs.push();
  const lab = projectLab({ remote: theirs.remote });
  await lab.pull();
  theirs.write("a.md", "theirs\n");
  await theirs.push();
  lab.put(blobPath(new Bun.CryptoHasher("sha256").update("agreed\n").digest("hex")), "damaged\n");
  lab.write("a.md", "mine\n");
  lab.write("b.md", "new\n");
  const { snapshot, notices } = await lab.push();
  expect(notices.join()).toContain('The snapshot lacks "a.md"');
  const held = JSON.parse(lab.remoteText(`_claude_mirror_snapshots/${snapshot?.timestamp}.json`) ?? "{}");
  expect(Object.keys(held.files)).toEqual(["b.md"]);
});

test("restore, inspect: latest is the newest snapshot that is whole, and its name is told", async () => {
  const lab = projectLab();
  await expect(lab.project().inspect("latest", [])).rejects.toThrow("cannot find the latest snapshot: there is none");
  lab.write("a.md", "first");
  await lab.push();
  lab.write("a.md", "second");
  await lab.push();
  const newest = (await lab.project().inspect("latest", [])).info.timestamp;
  const manifest = (name: string) => `_claude_mirror_snapshots/${name}.json`;
  expect(lab.remoteText(manifest(newest))).toContain(sha256("second"));
  const request = { timestamp: "latest", patterns: [], output: tempFolder("restored"), deleteExtra: false };
  const choice = await lab.project().planRestore(request);
  expect(choice.plan.timestamp).toBe(newest);
  await lab.project().restore(choice);
  expect(readFileSync(join(request.output, "a.md"), "utf8")).toBe("second");
  lab.put(manifest("2099-01-01T00-00-00Z"), "{ torn");
  expect((await lab.project().planRestore(request)).plan.timestamp).toBe(newest);
});

test("gc: what a first push left that a full disk ended is refused with the way out, and goes after the next push", async () => {
  let isFull = true;
  const lab = projectLab({
    wrap: (backend) =>
      aroundVerbs(backend, async (call, act) => {
        if (isFull && call.verb === "write" && !call.path.startsWith(BLOBS)) {
          throw new BackendError("the remote is full", { class: "QUOTA" });
        }
        return act();
      }),
  });
  lab.write("a.md", "never finished");
  expect((await lab.push()).snapshot).toBeNull();
  const orphan = blobPath(sha256("never finished"));
  expect(lab.remoteText(orphan)).toBe("never finished");
  const collect = async () => lab.project().gc(await lab.project().planGc({ graceMs: 0 }));
  const refused = await collect().catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(RefusedError);
  for (const said of ["no snapshot manifest", "Nothing was deleted", "claude-mirror push", "and then gc again"]) {
    expect((refused as RefusedError).message).toContain(said);
  }
  isFull = false;
  lab.write("a.md", "finished");
  expect((await lab.push()).snapshot).not.toBeNull();
  expect((await collect()).deleted.map(({ sha256: digest }) => blobPath(digest))).toEqual([relPath(orphan)]);
  expect(lab.remoteText(orphan)).toBeUndefined();
  const choice = await lab.project().planRestore({ timestamp: "latest", patterns: [], output: tempFolder("restored") });
  expect((await lab.project().restore(choice)).items.map(({ status }) => status)).toEqual(["restored"]);
});
