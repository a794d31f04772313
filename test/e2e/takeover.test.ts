import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { requestsDuring } from "../support/access-log.ts";
import { startApache } from "../support/apache.ts";
import { GOLDENS, type Golden } from "../support/golden.ts";
import { goldenMachine, layOut, layOutProject, layOutRemote } from "../support/golden-machine.ts";
import { type RemotePlace, servedPlace } from "../support/remote-place.ts";
import type { TestServer } from "../support/server-process.ts";
import { filesBelow, userFiles } from "../support/tree.ts";

const MANIFEST = ".claude_mirror_manifest.json";
const HASH_CACHE = ".claude_mirror_hash_cache.json";
const LOG = "_claude_mirror_logs/_sync_log.json";
const SNAPSHOTS = "_claude_mirror_snapshots";

let server: TestServer;
let made = 0;
beforeAll(async () => {
  server = await startApache();
});
afterAll(() => server.stop());

function place(): RemotePlace {
  return servedPlace(server, `takeover ${++made}`, undefined);
}

const TAKEN_OVER: readonly (readonly [string, Golden, string[]])[] = [
  ["0.5.31 after its first three runs", GOLDENS.blobs, []],
  ["0.5.31 and a remote that another machine changed since", GOLDENS.full, ["memory/notes.md"]],
  ["0.5.70", GOLDENS.newest, []],
];

test.each(TAKEN_OVER)("takeover: the project of %s goes on where it was", async (_, golden, changed) => {
  const remote = place();
  const machine = await goldenMachine(golden, remote);
  layOutProject(golden, machine.project);
  layOutRemote(golden, remote);
  if (changed.length > 0) remote.put("memory/notes.md", readFileSync(join(golden.remote, "memory/notes.md")));
  const live = Object.keys(userFiles(golden.remote));
  // Learns what the server can do and reads the snapshots, so that all that is left is the look at the live files.
  await machine.run(["snapshots"]);
  const { result: status, requests } = await requestsDuring(server, () => machine.run(["status"]));
  expect(status["summary"]).toMatchObject({
    in_sync: live.length - changed.length,
    remote_ahead: changed.length,
    conflict: 0,
    local_ahead: 0,
    new_local: 0,
    new_remote: 0,
    deleted_local: 0,
    deleted_remote: 0,
  });
  expect(requests.filter(({ method }) => method === "GET")).toEqual([]);
  expect(await machine.run(["sync"])).toMatchObject({ downloaded: changed, uploaded: [], adopted: [] });
  expect(userFiles(remote.folder)).toEqual(userFiles(golden.remote));
  const { ["archive/old.md"]: excluded, ...mirrored } = userFiles(machine.project);
  expect(mirrored).toEqual(userFiles(golden.remote));
  expect(excluded === undefined).toBe(!existsSync(join(golden.project, "archive")));
  if (changed.length > 0) return;
  for (const name of [MANIFEST, HASH_CACHE]) {
    expect(readFileSync(join(machine.project, name), "utf8")).toBe(readFileSync(join(golden.project, name), "utf8"));
  }
  expect(remoteBytes(remote.folder)).toEqual(remoteBytes(golden.remote));
});

const STEPS = {
  "0.5.31": { golden: GOLDENS.blobs, last: ["delete", "--local", "memory/MOC-Session.md"] },
  "0.5.70": { golden: GOLDENS.newest, last: [] },
} as const;

test.each(Object.keys(STEPS) as (keyof typeof STEPS)[])(
  "takeover: the runs that %s made leave the same files when we make them",
  async (version) => {
    const { golden, last } = STEPS[version];
    const remote = place();
    const machine = await goldenMachine(golden, remote);
    const pushed = filesBelow(join(golden.remote, SNAPSHOTS)).filter((name) => wasPushed(golden, name));
    for (const name of pushed) {
      const { files } = snapshotManifest(golden.remote, name);
      layOut(machine.project, bodies(golden, files));
      await machine.run(["push"]);
    }
    if (last.length > 0) await machine.run(last);

    expect(userFiles(remote.folder)).toEqual(userFiles(golden.remote));
    const blobs = (folder: string) => filesBelow(join(folder, "_claude_mirror_blobs"));
    expect(blobs(remote.folder)).toEqual(blobs(golden.remote));
    const ours = filesBelow(join(remote.folder, SNAPSHOTS)).map((name) => snapshotText(remote.folder, name));
    expect(ours.slice(0, pushed.length)).toEqual(pushed.map((name) => snapshotText(golden.remote, name)));
    // Ours follows a delete with a snapshot, too.
    expect(ours.length).toBe(pushed.length + (last.length > 0 ? 1 : 0));
    expect(logEntries(remote.folder)).toEqual([...new Set(logEntries(golden.remote))]);
    expect(manifestEntries(machine.project)).toEqual(manifestEntries(golden.project));
    expect(cacheRows(machine.project)).toEqual(cacheRows(golden.project));
  },
);

/** A snapshot that `snapshot` made, which we have no command for yet, is not among the runs. */
function wasPushed(golden: Golden, name: string): boolean {
  return name.endsWith(".json") && snapshotManifest(golden.remote, name).action === "push";
}

interface Manifest {
  readonly action: string;
  readonly files: Readonly<Record<string, string>>;
}

function snapshotManifest(remote: string, name: string): Manifest {
  return JSON.parse(readFileSync(join(remote, SNAPSHOTS, name), "utf8"));
}

function bodies(golden: Golden, files: Manifest["files"]): Record<string, Uint8Array> {
  const blob = (sha256: string) =>
    readFileSync(join(golden.remote, "_claude_mirror_blobs", sha256.slice(0, 2), sha256));
  return Object.fromEntries(Object.entries(files).map(([path, sha256]) => [path, blob(sha256)]));
}

/** Every file of a remote, ours included. */
function remoteBytes(folder: string): Record<string, string> {
  return Object.fromEntries(filesBelow(folder).map((path) => [path, readFileSync(join(folder, path), "latin1")]));
}

/** The text of a snapshot's manifest but for its time, for the order of `files_changed` (theirs is that of their walk) ... */
function snapshotText(remote: string, name: string): string {
  const text = readFileSync(join(remote, SNAPSHOTS, name), "utf8")
    .replace(basename(name, ".json"), "TIME")
    // ... and for the two keys that only 0.5.70 writes when they say nothing.
    .replace('  "message": null,\n  "tag": null,\n', "");
  return sortedList(text, "files_changed");
}

/** The text of each entry of the shared log but for its time and the order of its files. */
function logEntries(remote: string): string[] {
  const text = readFileSync(join(remote, LOG), "utf8").replaceAll(',\n      "auto_resolved_files": []', "");
  expect(text).toMatch(/^\{\n {2}"events": \[\n[\s\S]*\n {2}\]\n\}$/);
  const entries = text.match(/^ {4}\{\n[\s\S]*?^ {4}\}/gm) ?? [];
  return entries.map((entry) => sortedList(entry.replace(/"timestamp": "[^"]*"/, '"timestamp": ""'), "files"));
}

/** Sorts the lines of one list of texts. */
function sortedList(text: string, key: string): string {
  return text.replace(new RegExp(`("${key}": \\[\\n)([^\\]]*)(\\n *\\])`), (_, start, lines, end) => {
    return `${start}${lines.split(",\n").sort().join(",\n")}${end}`;
  });
}

/** The text of each entry of the project's manifest, sorted, but for times and versions, which the server gave. */
function manifestEntries(project: string): string[] {
  const text = readFileSync(join(project, MANIFEST), "utf8");
  expect(text).toMatch(/^\{\n {2}"[\s\S]*\n {2}\}\n\}$/);
  const masked = text
    .replace(/"(synced_at|last_attempt)": "\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00"/g, '"$1": ""')
    .replace(/"synced_remote_hash": "(?:W\/)?\\?"?([0-9a-f]+)-[0-9a-f]+(?:\\")?"/g, '"synced_remote_hash": "$1"')
    // Theirs begins with a slash for a file that they sent once, and does not after that.
    .replace(/"remote_file_id": "\/?/g, '"remote_file_id": "');
  return (masked.match(/^ {2}".*": \{\n[\s\S]*?^ {2}\}/gm) ?? []).sort();
}

/** The rows of the hash cache, sorted, but for the times of the files. */
function cacheRows(project: string): string[] {
  const text = readFileSync(join(project, HASH_CACHE), "utf8");
  expect(text).toMatch(/^\{"[\s\S]*\]\}$/);
  return (text.match(/"[^"]*": \[[^\]]*\]/g) ?? []).map((row) => row.replace(/\d{19}/, "TIME")).sort();
}
