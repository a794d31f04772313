import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { OwnMachine } from "../support/own-machine.ts";
import { type PythonVersion, pythonProject } from "../support/python-project.ts";
import { REMOTE_KINDS, type RemoteKind, type RemotePlace } from "../support/remote-place.ts";
import { digest, filesBelow, userFiles } from "../support/tree.ts";

/** The preload's limit ends with the first test file (Bun 1.4.5). */
setDefaultTimeout(60_000);

interface Case extends PythonVersion {
  readonly edited: string;
  /** Snapshots in the fixture, newest first. */
  readonly snapshots: readonly string[];
  readonly labels: readonly string[];
  /** Files that differ between the fixture's project and its remote. */
  readonly differing: readonly string[];
}

const CASES: readonly Case[] = [
  {
    version: "0.5.31",
    remote: "remote-blobs",
    edited: "CLAUDE.md",
    snapshots: ["2026-11-20T17-39-59Z", "2026-11-20T17-39-57Z"],
    labels: ["v2", "v1"],
    differing: [],
  },
  {
    version: "0.5.31",
    remote: "remote-full",
    edited: "CLAUDE.md",
    snapshots: ["2026-11-20T17-40-26Z", "2026-11-20T17-39-59Z", "2026-11-20T17-39-57Z"],
    labels: ["?", "v2", "v1"],
    differing: ["memory/notes.md"],
  },
  {
    version: "0.5.70",
    remote: "remote",
    edited: "A.md",
    snapshots: ["2026-11-20T17-40-55Z", "2026-11-20T17-40-53Z", "2026-11-20T17-40-51Z"],
    labels: ["v2", "v2", "v1"],
    differing: [],
  },
];
const MANIFEST = ".claude_mirror_manifest.json";
const LOG = "_claude_mirror_logs/_sync_log.json";
const LOG_KEYS = ["machine", "user", "timestamp", "files", "action", "project"];

type Manifest = Record<string, Record<string, unknown>>;

for (const kind of REMOTE_KINDS.slice(0, 2)) {
  for (const each of CASES) {
    describe(`a project of ${each.version} (${each.remote}) on ${kind.name}`, () => interop(kind, each));
  }
}

function interop(kind: RemoteKind, each: Case): void {
  let remote: Awaited<ReturnType<RemoteKind["start"]>>;
  let place: RemotePlace;
  let machine: OwnMachine;
  beforeAll(async () => {
    remote = await kind.start();
    place = remote.place();
    machine = await pythonProject(each, place);
  });
  afterAll(() => remote.stop());

  const manifest = (): Manifest => JSON.parse(readFileSync(join(machine.project, MANIFEST), "utf8"));
  const inScope = () => Object.keys(userFiles(place.folder)).sort();
  const ok = async (...words: string[]) => {
    const ended = await machine.run([...words, "--json"]);
    expect({ words, code: ended.code, stderr: ended.stderr }).toMatchObject({ words, code: 0 });
    return ended;
  };

  test("status: files that this server numbers otherwise are compared and in sync, and nothing is written", async () => {
    const before = readFileSync(join(machine.project, MANIFEST));
    if (kind.name === "a local folder" && each.version === "0.5.31") machine.remove("archive");
    const { json } = await ok("status");
    expect({ ...json.summary }).toMatchObject({
      in_sync: inScope().length - each.differing.length,
      conflict: each.differing.length,
      remote_ahead: 0,
      held: 0,
    });
    expect(json.files.map(({ path }) => path).sort()).toEqual(inScope());
    expect(readFileSync(join(machine.project, MANIFEST))).toEqual(before);
  });

  test("sync: adopts what is equal, transfers nothing else, and makes no snapshot and no log entry for it", async () => {
    const known = Object.keys(manifest()).sort();
    const log = readFileSync(join(place.folder, LOG), "utf8");
    const snapshots = filesBelow(join(place.folder, "_claude_mirror_snapshots"));
    const { json } = await ok("sync", "--strategy", "keep-remote");
    expect(json.adopted).toEqual(inScope().filter((path) => !each.differing.includes(path)));
    expect({ down: json.downloaded, up: json.uploaded }).toEqual({ down: [...each.differing], up: [] });
    for (const command of ["push", "pull"]) expect((await ok(command)).json.planned).toEqual([]);
    expect(Object.keys(manifest()).sort()).toEqual(known);
    if (each.differing.length === 0) expect(readFileSync(join(place.folder, LOG), "utf8")).toBe(log);
    expect(filesBelow(join(place.folder, "_claude_mirror_snapshots"))).toEqual(snapshots);
  });

  test("snapshots, inspect and history: read what is there", async () => {
    const { rows } = await ok("snapshots");
    expect(rows.map(({ timestamp }) => String(timestamp))).toEqual([...each.snapshots]);
    const { json } = await ok("history", each.edited);
    expect(json.versions.map(({ version }) => version)).toEqual([...each.labels]);
    for (const timestamp of each.snapshots) {
      const files = (await ok("inspect", timestamp)).json.files.map(({ path }) => path);
      expect(files).toContain(each.edited);
    }
    if (each.version === "0.5.70") expect(rows[0]).toMatchObject({ tag: "v1", message: "first good state" });
  });

  test("verify: every snapshot, content and agreed file is whole, and nothing is written", async () => {
    const before = filesBelow(place.folder);
    const { json } = await ok("verify", "--strict");
    expect(json).toMatchObject({ drift: [], corrupted: [], missing: [], unverified: [], failed: [] });
    const checked = Object.fromEntries(json.phases.map((phase) => [phase.name, phase.verified]));
    expect(checked["manifests"]).toBe(each.labels.filter((label) => label !== "?").length);
    expect(checked["files"]).toBe(inScope().length);
    expect(Number(checked["full"]) > 0).toBe(each.labels.includes("?"));
    expect(filesBelow(place.folder)).toEqual(before);
  });

  test("restore: every snapshot comes back byte for byte", async () => {
    for (const timestamp of each.snapshots) {
      const output = join(machine.home, `restored ${timestamp}`);
      await ok("restore", timestamp, "--output", output);
      expect(userFiles(output)).toEqual(contentOf(place, timestamp));
    }
  });

  test("push: an edit leaves the manifest's other entries, the log's keys and the snapshot's spelling as they were", async () => {
    const before = manifest();
    machine.write(each.edited, "edited: naïve – 🎈\n");
    const pushed = (await ok("push")).json;
    expect(pushed.uploaded).toEqual([each.edited]);
    const text = readFileSync(join(machine.project, MANIFEST), "utf8");
    const { [each.edited]: changed, ...rest } = JSON.parse(text) as Manifest;
    const { [each.edited]: old, ...kept } = before;
    expect(rest).toEqual(kept);
    expect(Object.keys(JSON.parse(text))).toEqual(Object.keys(before));
    expect(Object.keys(changed ?? {})).toEqual(Object.keys(old ?? {}));
    expect(text).toBe(asPython(JSON.parse(text)));

    const log = readFileSync(join(place.folder, LOG), "utf8");
    const { events } = JSON.parse(log) as { events: Record<string, unknown>[] };
    for (const event of events) expect(Object.keys(event)).toEqual(LOG_KEYS);
    expect(
      events.filter(({ action, machine: by }) => action === "push" && by === events.at(-1)?.["machine"]).at(-1),
    ).toBe(events.at(-1) as Record<string, unknown>);
    expect(events.at(-1)).toMatchObject({ files: [each.edited], action: "push" });
    expect(String(events.at(-1)?.["timestamp"])).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/);
    expect(log).toBe(asPython(JSON.parse(log)));

    const name = pushed.snapshot?.timestamp ?? "none";
    const snapshot = readFileSync(join(place.folder, `_claude_mirror_snapshots/${name}.json`), "utf8");
    expect(snapshot).toBe(asPython(sorted(JSON.parse(snapshot))));
    expect(JSON.parse(snapshot)).toEqual({
      action: "push",
      files: Object.fromEntries(
        Object.entries(userFiles(place.folder)).map(([path, content]) => [
          path,
          digest(Buffer.from(content, "latin1")),
        ]),
      ),
      files_changed: [each.edited],
      format: "v2",
      timestamp: name,
      total_files: inScope().length,
      triggered_by: `${String(events.at(-1)?.["user"])}@${String(events.at(-1)?.["machine"])}`,
    });
  });

  test("data-loss case 10: a log with keys that older versions cannot read is shown, and rewritten with six keys", async () => {
    const log = JSON.parse(readFileSync(join(place.folder, LOG), "utf8"));
    for (const event of log.events) event.auto_resolved_files = [{ path: "a.md", strategy: "keep-local" }];
    writeFileSync(join(place.folder, LOG), asPython(log));
    const single = new Set(log.events.map(({ timestamp }: { timestamp: string }) => timestamp)).size;
    expect((await ok("log", "--limit", "200")).rows.length).toBe(single);
    machine.write(each.edited, "edited again\n");
    await ok("push");
    const { events } = JSON.parse(readFileSync(join(place.folder, LOG), "utf8"));
    expect(events).toHaveLength(single + 1);
    for (const event of events) expect(Object.keys(event)).toEqual(LOG_KEYS);
  });
}

/** What a snapshot holds, read from the remote's disk. */
function contentOf({ folder }: RemotePlace, timestamp: string): Record<string, string> {
  const full = join(folder, "_claude_mirror_snapshots", timestamp);
  if (existsSync(full)) {
    const { "_snapshot_meta.json": _, ...files } = userFiles(full);
    return files;
  }
  const { files } = JSON.parse(readFileSync(`${full}.json`, "utf8")) as { files: Record<string, string> };
  return Object.fromEntries(
    Object.entries(files).map(([path, sha256]) => {
      const blob = join(folder, "_claude_mirror_blobs", sha256.slice(0, 2), sha256);
      return [path, readFileSync(blob, "latin1")];
    }),
  );
}

/** `json.dumps(value, indent=2)`. */
function asPython(value: unknown): string {
  return JSON.stringify(value, null, 2).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function sorted(value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, inner]) => [key, sorted(inner)]),
  );
}
