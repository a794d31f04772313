import { expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { parse } from "yaml";
import { formatLog, parseLog } from "../../src/activity/log.ts";
import { RESERVED_FOLDERS } from "../../src/backends/layout.ts";
import { hashBytes } from "../../src/lib/hash.ts";
import { type RelPath, relPath } from "../../src/lib/path.ts";
import { parseConfig } from "../../src/settings/codec.ts";
import { type ConfigValues, SEED_KEYS } from "../../src/settings/config-keys.ts";
import { readWebdavToken, writeWebdavToken } from "../../src/settings/tokens.ts";
import { formatNewConfig } from "../../src/settings/writer.ts";
import { formatManifest, parseManifest, parseMeta } from "../../src/snapshots/manifest-codec.ts";
import { type HashCacheRow, readHashCache, writeHashCache } from "../../src/sync/hash-cache.ts";
import { baseFromManifest, type ManifestEntry } from "../../src/sync/manifest.ts";
import { readManifest, rewriteManifest } from "../../src/sync/manifest-file.ts";
import type { BaseEntry } from "../../src/sync/model.ts";
import { scan } from "../../src/sync/scan.ts";
import { compileScope } from "../../src/sync/scope.ts";
import { drain } from "../support/bodies.ts";
import { GOLDENS, type Golden, goldenFiles, goldenPath, goldenText } from "../support/golden.ts";
import { ALICE } from "../support/machine.ts";
import { blobSource, snapshotLab } from "../support/snapshot-lab.ts";
import { tempFolder } from "../support/temp.ts";
import { filesBelow } from "../support/tree.ts";

/** One kind of file of the Python tool: which they are, and how it is read and written back. */
interface Reader {
  readonly files: RegExp;
  readonly readBack: (path: string) => void | Promise<void>;
}

/** Every fixture belongs to exactly one of these. */
const READERS: Readonly<Record<string, Reader>> = {
  "project YAML": { files: /\/config\/[^/]*\.yaml$/, readBack: projectYaml },
  "token file": { files: /\/config\/[^/]*-token\.json$/, readBack: tokenFile },
  manifest: { files: /\/project\/\.claude_mirror_manifest\.json$/, readBack: manifest },
  "lock of the manifest": { files: /\/project\/\.claude_mirror_manifest\.json\.lock$/, readBack: ignored },
  "hash cache": { files: /\/project\/\.claude_mirror_hash_cache\.json$/, readBack: hashCache },
  "project file": { files: /\/project\/(?!\.claude_mirror_)/, readBack: projectFile },
  "sync log": { files: /\/remote[^/]*\/_claude_mirror_logs\/_sync_log\.json$/, readBack: syncLog },
  "snapshot manifest": { files: /\/_claude_mirror_snapshots\/[^/]*\.json$/, readBack: snapshotManifest },
  "marker of a full snapshot": {
    files: /\/_claude_mirror_snapshots\/[^/]*Z\/_snapshot_meta\.json$/,
    readBack: fullMarker,
  },
  "file of a full snapshot": {
    files: /\/_claude_mirror_snapshots\/[^/]*Z\/(?!_snapshot_meta\.json$)/,
    readBack: fullSnapshotFile,
  },
  blob: { files: /\/_claude_mirror_blobs\/[0-9a-f]{2}\/[0-9a-f]{64}$/, readBack: blob },
  "live file": { files: /\/remote[^/]*\/(?!_claude_mirror_)/, readBack: liveFile },
};

test("goldens: every file of both versions is there, and every kind of file is among them", () => {
  const files = goldenFiles();
  expect(files.length).toBeGreaterThanOrEqual(57);
  for (const [kind, reader] of Object.entries(READERS)) {
    expect([kind, files.some((path) => reader.files.test(path))]).toEqual([kind, true]);
  }
});

test.each(goldenFiles())("goldens: %s is read and written back", async (path) => {
  const kinds = Object.keys(READERS).filter((kind) => READERS[kind]?.files.test(path));
  expect(kinds).toHaveLength(1);
  await READERS[kinds[0] ?? ""]?.readBack(path);
});

function goldenOf(path: string): Golden {
  const found = Object.values(GOLDENS).find(({ remote, project, config }) =>
    [remote, project, dirname(config)].some((folder) => goldenPath(path).startsWith(`${folder}/`)),
  );
  if (found === undefined) throw new Error(`${path} belongs to no project`);
  return found;
}

function projectYaml(path: string): void {
  const text = goldenText(path);
  const config = parseConfig(text, goldenPath(path), ALICE);
  expect(config.warnings).toHaveLength(1);
  expect(config.warnings[0]).toContain("webdav_password");
  const given = parse(text, { version: "1.1" }) as ConfigValues;
  const ours = Object.fromEntries(SEED_KEYS.map((key) => [key, given[key] ?? null]));
  expect(formatNewConfig(ours, ALICE)).toBe(linesOf(text, SEED_KEYS));
}

/** The entries of these keys, with the lines of their lists. */
function linesOf(yaml: string, keys: readonly string[]): string {
  const entries = yaml.match(/^\w+:.*\n(?:[- ].*\n)*/gm) ?? [];
  expect(entries.join("")).toBe(yaml);
  return entries.filter((entry) => keys.includes(entry.slice(0, entry.indexOf(":")))).join("");
}

function tokenFile(path: string): void {
  const token = readWebdavToken(goldenPath(path));
  if (token === undefined) throw new Error("no token");
  const copy = join(tempFolder("golden"), "token.json");
  writeWebdavToken(copy, token);
  expect(readFileSync(copy, "utf8")).toBe(goldenText(path));
}

function manifest(path: string): void {
  const changes = new Map<RelPath, BaseEntry>();
  const keep = (file: RelPath, entry: ManifestEntry) =>
    void changes.set(
      file,
      baseFromManifest(file, entry, (stored) => stored),
    );
  expect(readManifest(goldenPath(path), keep)).toMatchObject({ kind: "ok", entries: Object.keys(json(path)).length });
  const copy = join(tempFolder("golden"), basename(path));
  rewriteManifest(copy, changes, { backend: "webdav" });
  expect(readFileSync(copy, "utf8")).toBe(goldenText(path));
}

function hashCache(path: string): void {
  const rows: HashCacheRow[] = [];
  expect(readHashCache(goldenPath(path), (row) => rows.push(row))).toBe("ok");
  expect(rows).toHaveLength(Object.keys(json(path)).length);
  const copy = join(tempFolder("golden"), basename(path));
  writeHashCache(copy, rows);
  expect(readFileSync(copy, "utf8")).toBe(goldenText(path));
}

/** Theirs alone: it has no content, and no pattern brings it into the mirror. */
function ignored(path: string): void {
  expect(statSync(goldenPath(path)).size).toBe(0);
  expect(compileScope({ filePatterns: ["**/*"], excludePatterns: [] }).includes(basename(path))).toBe(false);
}

/** The scan finds it exactly where the Python tool did, and it has the digests that the tool's cache says. */
function projectFile(path: string): void {
  const { project, config } = goldenOf(path);
  const relative = goldenPath(path).slice(project.length + 1);
  const view = scan({
    root: project,
    scope: compileScope(parseConfig(readFileSync(config, "utf8"), config, ALICE)),
  });
  const found = Array.from({ length: view.length }, (_, at) => String(view.pathAt(at)));
  const cached = new Map<string, HashCacheRow>();
  readHashCache(join(project, ".claude_mirror_hash_cache.json"), (row) => cached.set(row.path, row));
  const row = cached.get(relative);
  expect([relative, found.includes(relative)]).toEqual([relative, row !== undefined]);
  if (row === undefined) {
    expect(relative).toBe("archive/old.md");
    return;
  }
  const bytes = readFileSync(goldenPath(path));
  expect([row.size, row.md5, row.sha256]).toEqual([bytes.length, hashBytes("md5", bytes), hashBytes("sha256", bytes)]);
}

/** 0.5.31 wrote every entry twice, 0.5.70 adds a key that 0.5.31 cannot load: those two are put right when we write. */
function syncLog(path: string): void {
  const text = goldenText(path);
  const { events } = JSON.parse(text);
  const log = parseLog(text);
  if (log.kind !== "ok") throw new Error(log.reason);
  expect([log.skipped, log.events.length * 2]).toEqual([0, events.length]);
  const sixKeys = text.replaceAll(',\n      "auto_resolved_files": []', "");
  expect(formatLog(events)).toBe(sixKeys);
  const once = sixKeys.replace(/( {4}\{\n[^}]*\n {4}\}),\n\1/g, "$1");
  expect(formatLog(log.events)).toBe(once);
}

function snapshotManifest(path: string): void {
  const parsed = parseManifest(goldenText(path), basename(path, ".json"));
  if (parsed.kind !== "ok") throw new Error(parsed.reason);
  expect(parsed.manifest.problem).toBeUndefined();
  expect(formatManifest(parsed.manifest)).toBe(goldenText(path));
}

async function fullMarker(path: string): Promise<void> {
  const folder = dirname(goldenPath(path));
  const { timestamp, triggered_by, action, files_changed, total_files } = json(path);
  const parsed = parseMeta(goldenText(path), basename(folder));
  if (parsed.kind !== "ok") throw new Error(parsed.reason);
  const { timestamp: name, format, triggeredBy, action: done, filesChanged, totalFiles } = parsed.info;
  expect([name, format, triggeredBy, done, filesChanged, totalFiles] as unknown[]).toEqual([
    timestamp,
    "full",
    triggered_by,
    action,
    files_changed,
    total_files,
  ]);
  const { files } = await remoteLab(path).service.inspect(basename(folder), []);
  const names = filesBelow(folder).filter((name) => name !== basename(path));
  expect(files.map((file) => String(file.path)).sort()).toEqual(names);
}

async function fullSnapshotFile(path: string): Promise<void> {
  const [, timestamp = "", file = ""] = /_claude_mirror_snapshots\/([^/]*)\/(.*)$/.exec(path) ?? [];
  const target = tempFolder("golden");
  const { service } = remoteLab(path);
  const plan = await service.planRestore(timestamp, [file], target);
  const { outcomes } = await service.executeRestore(plan, { keep: nothingToKeep });
  expect(outcomes).toMatchObject([{ path: file, status: "restored" }]);
  expect(readFileSync(join(target, file))).toEqual(readFileSync(goldenPath(path)));
}

function nothingToKeep(file: string): never {
  throw new Error(`${file} was there before`);
}

async function blob(path: string): Promise<void> {
  const bytes = readFileSync(goldenPath(path));
  const body = await remoteLab(path).service.read(basename(path));
  expect(Buffer.from(await drain(body.body))).toEqual(bytes);
  const empty = snapshotLab();
  await empty.service.store(blobSource(bytes));
  const where = relPath(path.slice(path.indexOf("_claude_mirror_blobs/")));
  expect(empty.store.get(where)?.bytes).toEqual(new Uint8Array(bytes));
}

async function liveFile(path: string): Promise<void> {
  const lab = remoteLab(path);
  const at = relPath(goldenPath(path).slice(goldenOf(path).remote.length + 1));
  const { files } = await lab.spy.list("", { skip: RESERVED_FOLDERS });
  expect(files.map((file) => file.path)).toContain(at);
  const sha256 = hashBytes("sha256", readFileSync(goldenPath(path)));
  const history = await lab.service.history(at);
  expect(history.problems).toBeUndefined();
  const stored = history.versions.map((version) => version.sha256);
  // The only live file whose newest body is in a full snapshot alone.
  const onlyInFull = path.endsWith("remote-full/memory/notes.md");
  expect(stored.includes(sha256)).toBe(!onlyInFull);
}

/** The remote that holds this fixture, in memory, and the snapshots room on it. */
function remoteLab(path: string): ReturnType<typeof snapshotLab> {
  const { remote } = goldenOf(path);
  const lab = snapshotLab();
  for (const file of filesBelow(remote)) lab.store.put(relPath(file), readFileSync(join(remote, file)));
  return lab;
}

function json(path: string): Record<string, unknown> {
  return JSON.parse(goldenText(path));
}
