import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BackendError } from "../../../src/backends/errors.ts";
import { breakCalls } from "../../../src/backends/wrap/breaker.ts";
import { relPath } from "../../../src/lib/path.ts";
import type { RunResult } from "../../../src/project/model.ts";
import { faultQueue } from "../../support/fault-queue.ts";
import { memoryBackend } from "../../support/memory-backend.ts";
import { down, mirrorLab, outcome, remoteRecord, signedOut } from "../../support/mirror-lab.ts";
import { type ProjectLab, projectLab } from "../../support/project-lab.ts";

test("push: mirrors get the files and the snapshot under the same name, each blob before its manifest", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.write("sub/b.md", "two");
  const result = await lab.push();
  expect(outcome(result)).toMatchObject({ role: "mirror", state: "ok", uploaded: ["a.md", "sub/b.md"], pending: 0 });
  expect([lab.text("a.md"), lab.text("sub/b.md")]).toEqual(["one", "two"]);
  const name = `_claude_mirror_snapshots/${result.snapshot?.timestamp}.json`;
  expect(lab.text(name)).toBe(lab.remoteText(name) as string);
  const writes = lab.faults.history.filter((call) => call.startsWith("write "));
  expect(writes.at(-1)).toBe(`write ${name}`);
  expect(result.backends.map(({ name: backend, role }) => [backend, role])).toEqual([
    ["primary", "primary"],
    ["dropbox", "mirror"],
  ]);
  expect(remoteRecord(lab, "a.md")).toMatchObject({ state: "ok", attempts: 0, last_error: "" });
});

test("push: a run that changes nothing writes nothing on mirrors, asks them nothing, and leaves every file of ours", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  await lab.push();
  await lab.push();
  const before = stamps(lab);
  const calls = lab.faults.history.length;
  const result = await lab.push();
  expect(lab.faults.history.length).toBe(calls);
  expect(outcome(result)).toMatchObject({ state: "ok", uploaded: [], unsent: 0 });
  expect(stamps(lab)).toEqual(before);
});

function stamps(lab: ProjectLab): Record<string, number> {
  const files = readdirSync(lab.home, { recursive: true, encoding: "utf8" })
    // The index learns on the way that a fresh file is settled.
    .filter((name) => !name.endsWith("lock") && name !== "state/index.bin")
    .map((name) => [name, statSync(join(lab.home, name))] as const);
  return Object.fromEntries(files.filter(([, stat]) => stat.isFile()).map(([name, stat]) => [name, stat.mtimeMs]));
}

test("push: a mirror that is down costs nothing but its own outcome, and the next push brings it up to date", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.faults.fail("write", down(), { times: 2 });
  const first = await lab.push();
  expect(lab.remoteText("a.md")).toBe("one");
  expect(first.snapshot).not.toBeNull();
  expect(outcome(first)).toMatchObject({ state: "pending", pending: 1, uploaded: [] });
  expect(remoteRecord(lab, "a.md")).toMatchObject({ state: "pending_retry", attempts: 1 });
  expect(first.announcements).toHaveLength(1);
  const second = await lab.push();
  expect(outcome(second)).toMatchObject({ state: "ok", pending: 0, uploaded: ["a.md"] });
  expect(outcome(second).snapshots).toEqual([first.snapshot?.timestamp as string]);
  expect(lab.text("a.md")).toBe("one");
  expect(remoteRecord(lab, "a.md")).toMatchObject({ state: "ok", attempts: 0, last_error: "" });
});

test("push: a signed-out mirror is quarantined, says so, and is left alone until somebody retries", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.faults.fail("write", signedOut(), { times: 1 });
  const first = outcome(await lab.push());
  expect(first).toMatchObject({ state: "action-required", pending: 0 });
  expect(first.advice).toContain("claude-mirror auth --config");
  expect(remoteRecord(lab, "a.md")).toMatchObject({ state: "failed_perm", attempts: 1 });
  await lab.push();
  expect(lab.text("a.md")).toBeUndefined();
  lab.write("a.md", "two");
  await lab.push();
  expect(lab.text("a.md")).toBe("two");
});

test("push: ten passing failures of one content are one that does not pass; throttling never is", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.faults.fail("write", down(), { times: 10, path: "a.md" });
  for (let attempt = 1; attempt <= 10; attempt++) {
    await lab.push();
    expect(remoteRecord(lab, "a.md")).toMatchObject({
      attempts: attempt,
      state: attempt < 10 ? "pending_retry" : "failed_perm",
    });
  }
  lab.write("b.md", "b");
  lab.faults.fail("write", new BackendError("slow down", { class: "QUOTA", status: 429 }), { times: 12, path: "b.md" });
  for (let attempt = 1; attempt <= 12; attempt++) await lab.push();
  expect(remoteRecord(lab, "b.md")).toMatchObject({ attempts: 12, state: "pending_retry" });
});

test("push: a file that the mirror rejects is not retried, is no alarm, and the others go on", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.write("bad.md", "two");
  lab.faults.fail("write", new BackendError("name not allowed", { class: "FILE_REJECTED" }), { path: "bad.md" });
  const result = outcome(await lab.push());
  expect(result).toMatchObject({ state: "warning", uploaded: ["a.md"], pending: 0 });
  expect(result.failed).toMatchObject([{ path: "bad.md", state: "failed_perm", error: { class: "FILE_REJECTED" } }]);
  expect(outcome(await lab.push()).uploaded).toEqual([]);
});

test("push: deletions reach the mirror, and one that failed is tried again", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.write("b.md", "two");
  lab.write("c.md", "three");
  await lab.push();
  rmSync(join(lab.root, "a.md"));
  lab.faults.fail("remove", down(), { path: "a.md" });
  const failed = outcome(await lab.push());
  expect(failed).toMatchObject({ state: "pending", pending: 1, deleted: [] });
  expect(lab.text("a.md")).toBe("one");
  expect(outcome(await lab.push())).toMatchObject({ state: "ok", deleted: ["a.md"] });
  expect(lab.text("a.md")).toBeUndefined();
  expect(lab.text("b.md")).toBe("two");
});

test("push: a file that leaves the scope, and a manifest that is lost, delete nothing on a mirror", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.write("b.txt", "two");
  await lab.push();
  writeFileSync(join(lab.root, ".claude_mirror_ignore"), "b.txt\n");
  await lab.push();
  expect(lab.text("b.txt")).toBe("two");
  rmSync(join(lab.root, ".claude_mirror_manifest.json"));
  rmSync(lab.stateFolder, { recursive: true });
  await lab.push();
  expect(lab.text("a.md")).toBe("one");
});

test("pull: what another machine sent reaches this machine's mirror; stale mirrors after a pull are none", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  await lab.push();
  lab.put("a.md", "changed elsewhere");
  lab.put("new.md", "new");
  await lab.pull();
  expect([lab.text("a.md"), lab.text("new.md")]).toEqual(["changed elsewhere", "new"]);
  expect(remoteRecord(lab, "a.md")).toMatchObject({ state: "ok" });
});

test("pull: what the other machine has put on the mirror already is not sent again", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  await lab.push();
  lab.put("a.md", "two");
  lab.mirror.store.put(relPath("a.md"), "two");
  const writes = () => lab.faults.history.filter((call) => call === "write a.md").length;
  const before = writes();
  expect(outcome(await lab.pull())).toMatchObject({ state: "ok", uploaded: ["a.md"] });
  expect(writes()).toBe(before);
});

test("sync: a conflict that is settled by the remote version reaches the mirror", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  await lab.push();
  lab.write("a.md", "here");
  lab.put("a.md", "there");
  await lab.sync({ strategy: "keep-remote" });
  expect(lab.text("a.md")).toBe("there");
});

test("push: what somebody else has put on a mirror is neither overwritten nor deleted", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.write("b.md", "two");
  lab.write("c.md", "three");
  await lab.push();
  lab.mirror.store.put(relPath("a.md"), "foreign");
  lab.mirror.store.put(relPath("b.md"), "foreign too");
  lab.write("a.md", "changed");
  rmSync(join(lab.root, "b.md"));
  const result = outcome(await lab.push());
  expect(result.state).toBe("warning");
  expect(result.failed.map(({ path, action, error }) => [path, action, error?.class])).toEqual([
    ["a.md", "upload", "STALE"],
    ["b.md", "delete", "STALE"],
  ]);
  expect([lab.text("a.md"), lab.text("b.md")]).toEqual(["foreign", "foreign too"]);
});

test("push: a file that was never agreed on and stands on the mirror already is found equal or left alone", async () => {
  const lab = mirrorLab();
  lab.mirror.store.put(relPath("a.md"), "one");
  lab.mirror.store.put(relPath("b.md"), "foreign");
  lab.write("a.md", "one");
  lab.write("b.md", "two");
  const result = outcome(await lab.push());
  expect(result.uploaded).toEqual(["a.md"]);
  expect(result.failed).toMatchObject([{ path: "b.md", error: { class: "STALE" } }]);
  expect(lab.text("b.md")).toBe("foreign");
});

test("push: losing the state folders costs a look, the manifest tells what the mirror holds", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.write("b.md", "two");
  await lab.push();
  rmSync(join(lab.home, "state-dropbox"), { recursive: true });
  lab.write("a.md", "changed");
  expect(outcome(await lab.push())).toMatchObject({ state: "ok", uploaded: ["a.md"], unsent: 0 });
  expect(lab.text("a.md")).toBe("changed");
});

test("push: the flat fields of the manifest stay the primary's, whatever mirrors answer", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  await lab.push();
  const manifest = JSON.parse(readFileSync(join(lab.root, ".claude_mirror_manifest.json"), "utf8"));
  const there = lab.mirror.store.get(relPath("a.md"));
  const here = lab.remote.store.get(relPath("a.md"));
  expect(manifest["a.md"].synced_remote_hash).toContain(String(here?.rev).slice(0, 3));
  expect(manifest["a.md"].remotes.local.synced_remote_hash).toBe(manifest["a.md"].synced_remote_hash);
  expect(there).toBeDefined();
  expect((await lab.push()).planned).toEqual([]);
});

test("push: a mirror that was added later is not empty for ever: it says what it lacks", async () => {
  const alone = projectLab();
  alone.write("a.md", "one");
  await alone.push();
  const late = memoryBackend();
  const lab = projectLab({ remote: alone.remote, mirrors: [{ name: "late", remote: late }] });
  lab.write("a.md", "one");
  await lab.sync();
  const result = await lab.push();
  expect(outcome(result, "late")).toMatchObject({ unsent: 1 });
});

test("push: records of a backend that is no mirror any more go from the entries that are written", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  await lab.push();
  const file = join(lab.root, ".claude_mirror_manifest.json");
  const manifest = JSON.parse(readFileSync(file, "utf8"));
  manifest["a.md"].remotes.gone = { state: "pending_retry", attempts: 3 };
  writeFileSync(file, JSON.stringify(manifest, undefined, 2));
  lab.write("a.md", "two");
  await lab.push();
  expect(remoteRecord(lab, "a.md", "gone")).toBeUndefined();
  expect(remoteRecord(lab, "a.md")).toMatchObject({ state: "ok" });
});

test("push: two mirrors of one backend type keep states of their own", async () => {
  const [one, two] = [memoryBackend(), memoryBackend()];
  const faults = faultQueue(two);
  const lab = projectLab({
    mirrors: [
      { name: "p-one", remote: one },
      { name: "p-two", remote: two, wrap: () => faults.backend },
    ],
  });
  faults.fail("write", down(), { path: "a.md" });
  lab.write("a.md", "one");
  const result = await lab.push();
  expect([outcome(result, "p-one").state, outcome(result, "p-two").state]).toEqual(["ok", "pending"]);
  expect([remoteRecord(lab, "a.md", "p-one")?.["state"], remoteRecord(lab, "a.md", "p-two")?.["state"]]).toEqual([
    "ok",
    "pending_retry",
  ]);
});

test("push: the primary's result is told before a slow mirror is waited for", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  const held = lab.faults.hold("write");
  let told: RunResult | undefined;
  const pushing = lab.project().push({
    files: [],
    dryRun: false,
    allow: new Set(),
    forceLocal: false,
    onPrimary: (result) => {
      told = result;
      held.release();
    },
  });
  const result = await pushing;
  expect(told?.uploaded).toEqual(["a.md"]);
  expect(told?.snapshot).toEqual(result.snapshot);
  expect(outcome(result).state).toBe("ok");
});

test("push: retry_on_push off leaves what waits to claude-mirror retry", async () => {
  const lab = mirrorLab({ config: { retryOnPush: false } });
  lab.write("a.md", "one");
  lab.faults.fail("write", down(), { times: 2 });
  await lab.push();
  await lab.push();
  expect(lab.text("a.md")).toBeUndefined();
});

test("push: at most 200 waiting files are tried again, the longest waiting first", async () => {
  const lab = mirrorLab({ config: { snapshotOn: "primary" } });
  lab.write("zzz-first.md", "waits longest although it is sent last");
  lab.faults.fail("write", down());
  await lab.push();
  for (let n = 0; n < 205; n++) lab.write(`f${n}.md`, String(n));
  lab.faults.fail("write", down(), { times: 5000 });
  await lab.push();
  const tried = lab.faults.history.length;
  lab.write("zz.md", "new");
  await lab.push();
  const again = new Set(lab.faults.history.slice(tried).filter((call) => call.startsWith("write ")));
  expect(again.size).toBe(201);
  expect(again.has("write zzz-first.md")).toBe(true);
  expect(again.has("write zz.md")).toBe(true);
});

test("push: a mirror that does not answer is asked once, not once for every file", async () => {
  const mirror = memoryBackend();
  const faults = faultQueue(mirror);
  const lab = projectLab({ mirrors: [{ name: "dropbox", remote: mirror, wrap: () => breakCalls(faults.backend) }] });
  for (let n = 0; n < 40; n++) lab.write(`f${n}.md`, String(n));
  for (const verb of ["write", "stat", "list", "read", "copy"] as const) faults.fail(verb, down(), { times: 5000 });
  const result = await lab.push();
  expect(outcome(result)).toMatchObject({ state: "pending", pending: 40 });
  expect(faults.history.length).toBeLessThanOrEqual(8);
});

test("push: with the agreed version edited here, the mirror gets the agreed one from the primary", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.faults.fail("write", down(), { path: "a.md" });
  await lab.push();
  lab.write("a.md", "not pushed yet");
  lab.write("b.md", "two");
  await lab.push(["b.md"]);
  expect(lab.text("a.md")).toBe("one");
  expect(existsSync(join(lab.home, "state-dropbox/mirror-staging"))).toBe(false);
});

test("push: changed files cost a mirror no more requests than the primary, however many files exist", async () => {
  const cost = async (existing: number) => {
    const primary = faultQueue(memoryBackend());
    const mirror = faultQueue(memoryBackend());
    const lab = projectLab({
      wrap: () => primary.backend,
      mirrors: [{ name: "dropbox", remote: memoryBackend(), wrap: () => mirror.backend }],
    });
    for (let n = 0; n < existing; n++) lab.write(`f${n}.md`, `old ${n}`);
    await lab.push();
    await lab.push();
    const before = [primary.history.length, mirror.history.length] as const;
    for (const name of ["f0.md", "f1.md", "new.md"]) lab.write(name, `changed ${name}`);
    await lab.push();
    return [primary.history.slice(before[0]), mirror.history.slice(before[1])] as const;
  };
  const [[primary, few], [, many]] = [await cost(5), await cost(60)];
  expect(few.length).toBeLessThanOrEqual(primary.length);
  expect(many.length).toBe(few.length);
  expect(few.filter((call) => call.startsWith("list "))).toEqual([]);
});

test("push: snapshot_format full keeps snapshots on the primary, and with snapshot_on all mirrors get them under their names", async () => {
  const alone = mirrorLab({ config: { snapshotFormat: "full" } });
  alone.write("a.md", "one");
  expect(outcome(await alone.push()).snapshots).toEqual([]);
  const lab = mirrorLab({ config: { snapshotFormat: "full", snapshotOn: "all" } });
  lab.write("a.md", "one");
  lab.write("sub/b.md", "two");
  const { snapshot, backends } = await lab.push();
  expect(outcome({ backends })).toMatchObject({ state: "ok", snapshots: [snapshot?.timestamp] });
  expect(lab.text(`_claude_mirror_snapshots/${snapshot?.timestamp}/sub/b.md`)).toBe("two");
  lab.write("a.md", "changed");
  lab.faults.fail("write", down(), { times: 1 });
  const failed = outcome(await lab.push());
  expect(failed).toMatchObject({ state: "pending" });
  const healed = outcome(await lab.push());
  expect([healed.state, failed.snapshots.length + healed.snapshots.length]).toEqual(["ok", 1]);
  const [newest] = await lab.project().on("dropbox").snapshots();
  expect([newest?.format, newest?.totalFiles, newest?.problem]).toEqual(["full", 2, undefined]);
});

test("push: a mirror that was away gets each full snapshot as the primary has it, whatever the files have become", async () => {
  const lab = mirrorLab({ config: { snapshotFormat: "full", snapshotOn: "all" } });
  lab.write("a.md", "one");
  lab.write("gone.md", "once");
  await lab.push();
  lab.write("a.md", "two");
  lab.faults.fail("stat", down(), { times: 50 });
  lab.faults.fail("write", down(), { times: 50 });
  lab.faults.fail("list", down(), { times: 50 });
  const missed = (await lab.push()).snapshot?.timestamp as string;
  rmSync(join(lab.root, "gone.md"));
  lab.write("a.md", "three");
  const later = (await lab.push()).snapshot?.timestamp as string;
  lab.put("a.md", "a colleague's");
  await lab.pull();
  for (const verb of ["stat", "write", "list"] as const) lab.faults.heal(verb);
  expect(outcome(await lab.push())).toMatchObject({ state: "ok", snapshots: [missed, later] });
  const held = (name: string, path: string) => lab.text(`_claude_mirror_snapshots/${name}/${path}`);
  expect([held(missed, "a.md"), held(missed, "gone.md")]).toEqual(["two", "once"]);
  expect([held(later, "a.md"), held(later, "gone.md")]).toEqual(["three", undefined]);
  const listed = await lab.project().on("dropbox").snapshots();
  expect(listed.map(({ timestamp, totalFiles, problem }) => [timestamp, totalFiles, problem]).slice(0, 2)).toEqual([
    [later, 1, undefined],
    [missed, 2, undefined],
  ]);
});

test("push: snapshot_on primary keeps blobs off the mirror", async () => {
  const lab = mirrorLab({ config: { snapshotOn: "primary" } });
  lab.write("a.md", "one");
  expect(outcome(await lab.push())).toMatchObject({ state: "ok", uploaded: ["a.md"], snapshots: [] });
  expect([...lab.mirror.store.files.keys()]).toEqual(["a.md"]);
});

test("delete: the command reaches mirrors as well, and leaves no orphan there", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.write("b.md", "two");
  lab.write("c.md", "three");
  await lab.push();
  const result = await lab.project().delete({ files: ["b.md"], dryRun: false, local: true, allow: new Set() });
  expect(outcome(result).deleted).toEqual(["b.md"]);
  expect(lab.text("b.md")).toBeUndefined();
});

test("push: what the Python tool left waiting on a mirror is taken up from its manifest", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.write("b.md", "two");
  await lab.push();
  const file = join(lab.root, ".claude_mirror_manifest.json");
  const manifest = JSON.parse(readFileSync(file, "utf8"));
  Object.assign(manifest["a.md"].remotes.dropbox, { state: "pending_retry", attempts: 3, last_error: "timed out" });
  manifest["b.md"].remotes.dropbox = {
    ...manifest["b.md"].remotes.dropbox,
    state: "failed_perm",
    attempts: 10,
    synced_remote_hash: "",
  };
  writeFileSync(file, JSON.stringify(manifest, undefined, 2));
  rmSync(join(lab.home, "state-dropbox"), { recursive: true });
  expect((await lab.project().pending()).rows.map(({ path, state, attempts }) => [path, state, attempts])).toEqual([
    ["a.md", "pending_retry", 3],
    ["b.md", "failed_perm", 10],
  ]);
  expect(outcome(await lab.push()).uploaded).toEqual(["a.md"]);
  expect(remoteRecord(lab, "a.md")).toMatchObject({ state: "ok", attempts: 0 });
  expect(remoteRecord(lab, "b.md")).toMatchObject({ state: "failed_perm" });
});

test("push --dry-run: names the mirrors and what waits for them, and touches nothing", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  lab.faults.fail("write", down(), { times: 2 });
  await lab.push();
  lab.write("b.md", "two");
  const calls = lab.faults.history.length;
  const before = stamps(lab);
  const result = await lab.project().push({ files: [], dryRun: true, allow: new Set(), forceLocal: false });
  expect(result.notices).toEqual([
    "The mirror dropbox would get the same, and 1 file(s) that wait for it would be tried again.",
  ]);
  expect([lab.faults.history.length, stamps(lab)]).toEqual([calls, before]);
});

test("push: a mirror gets a file where a folder was and a folder where a file was", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "before it in the order");
  lab.write("b.md", "a file");
  lab.write("c.md/inner.md", "in a folder");
  await lab.push();
  rmSync(join(lab.root, "b.md"));
  rmSync(join(lab.root, "c.md"), { recursive: true });
  lab.write("a.md", "changed");
  lab.write("b.md/inner.md", "in a folder now");
  lab.write("c.md", "a file now");
  expect(outcome(await lab.push())).toMatchObject({ state: "ok", pending: 0 });
  expect(["b.md", "b.md/inner.md", "c.md", "c.md/inner.md"].map(lab.text)).toEqual([
    undefined,
    "in a folder now",
    "a file now",
    undefined,
  ]);
});

test("push: a file whose place on a mirror could not be freed waits like the deletion", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "before it in the order");
  lab.write("b.md", "a file");
  await lab.push();
  rmSync(join(lab.root, "b.md"));
  lab.write("a.md", "changed");
  lab.write("b.md/inner.md", "in a folder now");
  lab.faults.fail("remove", down(), { path: "b.md" });
  expect(outcome(await lab.push())).toMatchObject({ state: "pending", pending: 2 });
  expect(remoteRecord(lab, "b.md/inner.md")).toMatchObject({ state: "pending_retry" });
  expect(outcome(await lab.push())).toMatchObject({ state: "ok", pending: 0 });
  expect(lab.text("b.md/inner.md")).toBe("in a folder now");
});

test("push: a mirror whose folder was emptied is told and gets nothing until it is filled again", async () => {
  const lab = mirrorLab();
  for (const name of ["a", "b", "c"]) lab.write(`${name}.md`, name);
  await lab.push();
  lab.mirror.store.files.clear();
  lab.write("b.md", "changed");
  const result = outcome(await lab.push());
  expect(result).toMatchObject({ state: "pending", pending: 1, uploaded: [], snapshots: [] });
  expect(result.message).toContain("holds none of the 3 file(s) that were sent there");
  expect(result.advice).toContain("claude-mirror seed-mirror --backend dropbox");
  expect(lab.mirror.store.files.size).toBe(0);
  const seeded = await lab.project().seedMirror({ backend: undefined, dryRun: false, overwrite: false });
  expect(outcome(seeded)).toMatchObject({ state: "ok", uploaded: ["a.md", "b.md", "c.md"], pending: 0 });
});

test("push: what has gone from a mirror is told as not sent, for one request where nothing has", async () => {
  const lab = mirrorLab();
  for (const name of ["a", "b", "c"]) lab.write(`${name}.md`, name);
  await lab.push();
  lab.write("c.md", "changed");
  const before = lab.faults.calls.list;
  expect(outcome(await lab.push())).toMatchObject({ state: "ok", unsent: 0 });
  expect(lab.faults.calls.list).toBe(before);
  lab.mirror.store.files.delete("a.md");
  lab.write("c.md", "changed again");
  expect(outcome(await lab.push())).toMatchObject({ state: "ok", uploaded: ["c.md"], unsent: 1 });
});

test("snapshot: says when mirrors get it", async () => {
  const lab = mirrorLab();
  lab.write("a.md", "one");
  await lab.push();
  const { timestamp, notices } = await lab.project().takeSnapshot({ tag: "v1", dryRun: false });
  expect(notices).toEqual(["The mirrors get it with the next push, or with claude-mirror retry."]);
  expect(outcome(await lab.push()).snapshots).toEqual([timestamp as string]);
});
