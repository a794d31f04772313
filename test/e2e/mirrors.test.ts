import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { APACHE_USER, startApache } from "../support/apache.ts";
import { type MirroredMachine, mirroredMachine } from "../support/mirrored-machine.ts";
import { startNginx } from "../support/nginx.ts";
import type { Run } from "../support/own-machine.ts";
import { REMOTE_KINDS, type RemotePlace, servedPlace } from "../support/remote-place.ts";
import type { TestServer } from "../support/server-process.ts";
import { userFiles } from "../support/tree.ts";

setDefaultTimeout(120_000);

interface Outcome {
  readonly name: string;
  readonly role: string;
  readonly state: string;
  readonly pending: number;
  readonly uploaded: readonly string[];
  readonly snapshots: readonly string[];
}

const backends = (run: Run) => (run.json as unknown as { readonly backends: readonly Outcome[] }).backends;
const states = (run: Run) => Object.fromEntries(backends(run).map(({ name, state }) => [name, state]));
const code = (run: Run, wanted: number) => {
  expect({ code: run.code, stderr: run.code === wanted ? "" : run.stderr + run.stdout }).toEqual({
    code: wanted,
    stderr: "",
  });
  return run;
};
const localPlace = async (): Promise<RemotePlace> => {
  const [local] = REMOTE_KINDS;
  return (await (local as (typeof REMOTE_KINDS)[number]).start()).place();
};

/** The user's files on a remote, markers of ours left out. */
function filesOn({ folder }: RemotePlace): Record<string, string> {
  const { "_claude_mirror_moved.json": _, ...rest } = userFiles(folder);
  return rest;
}

describe("the story of a mirrored project", () => {
  let apache: TestServer;
  let nginx: TestServer;
  beforeAll(async () => {
    [apache, nginx] = await Promise.all([startApache({ auth: "basic" }), startNginx()]);
  });
  afterAll(async () => {
    await Promise.all([apache.stop(), nginx.stop()]);
  });

  test("push, mirror outage, retry, quarantine, repair, primary lost, restore from the mirror, promote", async () => {
    const primary = servedPlace(apache, "story", { token: { ...APACHE_USER } });
    const cloud = servedPlace(nginx, "story", { token: { ...APACHE_USER }, hidesDotNames: true });
    const usb = await localPlace();
    const a = await mirroredMachine("a", primary, { cloud, usb }, { max_retry_attempts: 1 });
    a.write("CLAUDE.md", "# One\n");
    a.write("memory/notes.md", "- a note\n");
    a.write("old.md", "old\n");

    const first = code(await a.run(["push", "--json"]), 0);
    expect(states(first)).toEqual({ project: "ok", cloud: "ok", local: "ok" });
    const firstSnapshot = first.json.snapshot?.timestamp as string;
    expect(backends(first).map(({ snapshots }) => snapshots)).toEqual([
      [firstSnapshot],
      [firstSnapshot],
      [firstSnapshot],
    ]);
    for (const place of [primary, cloud, usb]) expect(filesOn(place)).toEqual(a.files());
    expect(states(code(await a.run(["push", "--json"]), 0))).toEqual({ project: "ok", cloud: "ok", local: "ok" });

    await nginx.stop();
    a.write("CLAUDE.md", "# Two\n");
    a.remove("old.md");
    const outage = code(await a.run(["push"]), 0);
    expect(outage.stdout).toContain("Per-backend status:");
    expect(outage.stdout).toContain("🟢 project — pushed 1, deleted 1, snapshot");
    expect(outage.stdout).toMatch(/🟡 cloud — .*\(2 files pending retry\)/);
    expect(outage.stdout.indexOf("1 file(s) pushed")).toBeLessThan(outage.stdout.indexOf("Per-backend status:"));
    expect(filesOn(usb)).toEqual(a.files());
    expect(Object.keys(filesOn(cloud))).toContain("old.md");
    const pending = code(await a.run(["status", "--pending"]), 0);
    expect(pending.stdout).toContain("CLAUDE.md");
    expect(pending.stdout).toContain("pending_retry (delete)");
    expect(pending.stdout).toContain("claude-mirror retry");
    expect(code(await a.run(["status", "--by-backend"]), 0).stdout).toContain("cloud: could not be looked at");

    await nginx.restart?.();
    expect(code(await a.run(["retry", "--dry-run"]), 0).stdout).toContain("cloud: CLAUDE.md");
    expect(states(code(await a.run(["retry", "--json"]), 0))).toEqual({ cloud: "ok", local: "ok" });
    for (const place of [primary, cloud, usb]) expect(filesOn(place)).toEqual(a.files());
    for (const place of [cloud, usb]) expect(snapshotsOn(place)).toEqual(snapshotsOn(primary));
    expect(code(await a.run(["status", "--pending"]), 0).stdout).toContain("Every mirror has all");
    expect(code(await a.run(["status", "--by-backend"]), 0).stdout).toContain("cloud: all 2 files ok");

    await quarantine(a, cloud);
    await repair(a, usb);
    const lost = await primaryLost(a, firstSnapshot);
    expect(lost).toContain("Taken from the mirror cloud");

    const promoted = code(await a.run(["promote", "cloud"]), 0);
    expect(promoted.stdout).toContain("cloud is the primary now, project a mirror of it.");
    expect(promoted.stdout).toContain("On every other machine with this project run: claude-mirror promote cloud");
    expect(code(await a.run(["status"]), 0).stdout).toContain("in sync");
    a.write("CLAUDE.md", "# Four\n");
    const after = code(await a.run(["push", "--json"]), 0);
    expect(backends(after).map(({ name, role }) => [name, role])).toEqual([
      ["cloud", "primary"],
      ["project", "mirror"],
      ["local", "mirror"],
    ]);
    expect(states(after)).toMatchObject({ cloud: "ok", project: "pending", local: "ok" });
    expect(filesOn(cloud)).toEqual(a.files());

    await apache.restart?.();
    expect(states(code(await a.run(["push", "--json"]), 0))).toEqual({ cloud: "ok", project: "ok", local: "ok" });
    expect(filesOn(primary)).toEqual(a.files());
    expect(readdirSync(primary.folder)).toContain("_claude_mirror_moved.json");
  });

  /** Signed out: nothing is retried by itself, the next step is named, and retry ends it. */
  async function quarantine(a: MirroredMachine, cloud: RemotePlace): Promise<void> {
    const token = a.configOf("cloud").replace("cloud.yaml", "webdav-cloud-token.json");
    renameSync(token, `${token}.away`);
    a.write("memory/notes.md", "- another note\n");
    const out = code(await a.run(["push"]), 6);
    expect(out.stdout).toContain("ACTION REQUIRED: cloud");
    expect(out.stdout).toContain(`Run claude-mirror auth --config ${a.configOf("cloud")}`);
    expect(code(await a.run(["status", "--pending", "--json"]), 0).json).toMatchObject({
      pending: [{ path: "memory/notes.md", backend: "cloud", state: "failed_perm" }],
    });
    renameSync(`${token}.away`, token);
    code(await a.run(["push"]), 0);
    expect(filesOn(cloud)["memory/notes.md"]).toBe("- a note\n");
    code(await a.run(["retry", "--backend", "cloud"]), 0);
    expect(filesOn(cloud)).toEqual(a.files());
  }

  /** A damaged body on a mirror is found and healed. */
  async function repair(a: MirroredMachine, usb: RemotePlace): Promise<void> {
    const blobs = join(usb.folder, "_claude_mirror_blobs");
    const [blob = ""] = readdirSync(blobs, { recursive: true, encoding: "utf8" }).filter((name) => name.length > 60);
    writeFileSync(join(blobs, blob), "damaged");
    code(await a.run(["verify"]), 1);
    code(await a.run(["verify", "--repair"]), 0);
    code(await a.run(["verify", "--backend", "usb"]), 0);
    expect(readFileSync(join(blobs, blob), "latin1")).not.toBe("damaged");
  }

  /** The primary is gone: without a yes nothing is taken from a mirror, with it the first that has the snapshot helps. */
  async function primaryLost(a: MirroredMachine, timestamp: string): Promise<string> {
    await apache.stop();
    const refused = await a.run(["restore", timestamp, "--output", join(a.home, "out")]);
    expect([refused.code, refused.stderr.includes("--yes")]).toEqual([2, true]);
    const restored = code(await a.run(["restore", timestamp, "--output", join(a.home, "out"), "--yes"]), 0);
    expect(readFileSync(join(a.home, "out/CLAUDE.md"), "utf8")).toBe("# One\n");
    expect(readFileSync(join(a.home, "out/old.md"), "utf8")).toBe("old\n");
    return restored.stderr;
  }
});

function snapshotsOn({ folder }: RemotePlace): Record<string, string> {
  const place = join(folder, "_claude_mirror_snapshots");
  return Object.fromEntries(readdirSync(place).map((name) => [name, readFileSync(join(place, name), "utf8")]));
}

test("promote: another machine refuses to push to the old primary until it is told, then goes on where it was", async () => {
  const [primary, second] = [await localPlace(), await localPlace()];
  const a = await mirroredMachine("a", primary, { second });
  const b = await mirroredMachine("b", primary, { second });
  a.write("a.md", "one");
  a.write("b.md", "one");
  code(await a.run(["push"]), 0);
  code(await b.run(["pull"]), 0);
  code(await b.run(["seed-mirror"]), 0);
  expect(code(await a.run(["promote", "second", "--dry-run"]), 0).stdout).toContain("Dry run");
  code(await a.run(["promote", "second"]), 0);
  a.write("a.md", "two");
  code(await a.run(["push"]), 0);
  b.write("b.md", "edited on b");
  const refused = code(await b.run(["push"]), 5);
  expect(refused.stderr).toContain("Run claude-mirror promote second here, too");
  expect(filesOn(primary)["b.md"]).toBe("one");
  expect(code(await b.run(["promote", "second"]), 0).stdout).toContain("made the primary by another machine already");
  code(await b.run(["sync", "--no-prompt"]), 0);
  expect(b.files()).toEqual({ "a.md": "two", "b.md": "edited on b" });
  expect(filesOn(second)).toEqual(b.files());
  code(await a.run(["sync", "--no-prompt"]), 0);
  expect(a.files()).toEqual(b.files());
});

test("promote: a mirror that lacks something is not made the primary", async () => {
  const [primary, second] = [await localPlace(), await localPlace()];
  const a = await mirroredMachine("a", primary, { second });
  a.write("a.md", "one");
  code(await a.run(["push"]), 0);
  second.put("a.md", "foreign");
  const refused = code(await a.run(["promote", "second"]), 5);
  expect(refused.stderr).toContain("a.md (differs)");
  code(await a.run(["seed-mirror", "--overwrite"]), 0);
  second.remove("a.md");
  expect(code(await a.run(["promote", "second"]), 5).stderr).toContain("a.md (missing)");
});

test("data-loss case 11: a mirror's config that sorts before the project's is never taken for the primary", async () => {
  const [primary, dropbox] = [await localPlace(), await localPlace()];
  const a = await mirroredMachine("a", primary, { "project-dropbox": dropbox });
  a.write("a.md", "one");
  const pushed = code(await a.run(["push", "--json"]), 0);
  expect(backends(pushed).map(({ name, role }) => [name, role])).toEqual([
    ["project", "primary"],
    ["project-dropbox", "mirror"],
  ]);
  const manifest = JSON.parse(readFileSync(join(a.project, ".claude_mirror_manifest.json"), "utf8"));
  expect(Object.keys(manifest["a.md"].remotes)).toEqual(["local", "project-dropbox"]);
  expect(code(await a.run(["find-config"]), 0).stdout.trim()).toBe(a.config);
  expect(code(await a.run(["status", "--json"]), 0).json).toMatchObject({ config_path: a.config });
});

test("push: a mirror whose config is broken is told, and the primary is pushed", async () => {
  const [primary, second] = [await localPlace(), await localPlace()];
  const a = await mirroredMachine("a", primary, { second });
  expect(code(await a.run(["doctor"]), 0).stdout).toContain("mirror second: remote folder");
  rmSync(a.configOf("second"));
  expect((await a.run(["doctor"])).stdout).toContain("mirror second: ");
  a.write("a.md", "one");
  const run = code(await a.run(["push"]), 6);
  expect(run.stdout).toContain("ACTION REQUIRED: second");
  expect(filesOn(primary)).toEqual({ "a.md": "one" });
});
