import { join } from "node:path";
import type { Clock } from "../../src/lib/clock.ts";
import { hashBytes } from "../../src/lib/hash.ts";
import { comparePaths, type RelPath, relPath } from "../../src/lib/path.ts";
import type { BlobSource } from "../../src/snapshots/blob-store.ts";
import type { FillOptions } from "../../src/snapshots/full-copy.ts";
import type { CreatedFull } from "../../src/snapshots/full-create.ts";
import type { AgreedFile, NewFullSnapshot, NewSnapshot } from "../../src/snapshots/model.ts";
import { openSnapshots, type SnapshotService } from "../../src/snapshots/service.ts";
import { sourceOf } from "./bodies.ts";
import { type MemoryOptions, memoryBackend } from "./memory-backend.ts";
import type { MemoryStore } from "./memory-store.ts";
import { type SpyBackend, spyBackend } from "./spy-backend.ts";
import { tempFolder } from "./temp.ts";

/** 2026-11-20T17:40:26Z. */
export const LAB_START = Date.UTC(2026, 10, 20, 17, 40, 26);

/** One machine's view of a remote in memory. */
export interface SnapshotLab {
  readonly store: MemoryStore;
  readonly spy: SpyBackend;
  readonly stateFolder: string;
  /** Its time stands still until a test moves it. */
  readonly clock: Clock & { ms: number };
  readonly service: SnapshotService;
  /** The same machine in its next run. */
  reopen(): SnapshotLab;
  /** Another machine on the same remote. */
  otherMachine(): SnapshotLab;
  /** Stores what is not stored yet and makes a snapshot of these contents. */
  snapshot(contents: Readonly<Record<string, string>>, extra?: Partial<NewSnapshot>): Promise<string>;
  /** Makes a full snapshot of all live files, or of these, as both sides agreed on them. */
  fullSnapshot(extra?: Partial<NewFullSnapshot> & Partial<FillOptions>): Promise<CreatedFull>;
  /** The live files as agreed versions. */
  agreed(): AgreedFile[];
}

export interface LabOptions extends MemoryOptions {
  /** True when the remote copies on its own. */
  readonly copies?: boolean;
}

export function snapshotLab(options: LabOptions = {}): SnapshotLab {
  const clock = { ms: LAB_START, now: () => clock.ms, sleep: async () => {} };
  const store = options.store ?? memoryBackend({ now: clock.now, ...options }).store;
  return openLab({ ...options, store }, store, clock, join(tempFolder("snapshots"), "state"));
}

export function blobSource(content: string | Uint8Array): BlobSource {
  const source = sourceOf(content);
  return { ...source, sha256: source.sha256 as string };
}

export function sha256(content: string): string {
  return hashBytes("sha256", content);
}

function openLab(
  options: LabOptions,
  store: MemoryStore,
  clock: SnapshotLab["clock"],
  stateFolder: string,
): SnapshotLab {
  const spy = spyBackend(memoryBackend(options), { copy: options.copies ?? false });
  const service = openSnapshots({ backend: spy, stateFolder, clock, workers: 4 });
  return {
    store,
    spy,
    stateFolder,
    clock,
    service,
    reopen: () => openLab(options, store, clock, stateFolder),
    otherMachine: () => openLab(options, store, clock, join(tempFolder("snapshots"), "state")),
    async snapshot(contents, extra = {}) {
      const entries = Object.entries(contents);
      const files = new Map<RelPath, string>(entries.map(([path, content]) => [relPath(path), sha256(content)]));
      const unstored = new Set(await service.unstored(files.values()));
      for (const [, content] of entries) if (unstored.has(sha256(content))) await service.store(blobSource(content));
      const facts = { action: "push", user: "alice", machine: "desk", files, filesChanged: [...files.keys()] } as const;
      return (await service.create({ ...facts, ...extra })).timestamp;
    },
    agreed: () => agreedIn(store),
    fullSnapshot({ bring = async () => false, ...extra } = {}) {
      const files = agreedIn(store);
      const facts = { action: "push", user: "alice", machine: "desk", files, filesChanged: ["a.md"] } as const;
      return service.createFull({ ...facts, ...extra }, { bring });
    },
  };
}

function agreedIn(store: MemoryStore): AgreedFile[] {
  return store
    .view("")
    .files.filter(({ path }) => !path.startsWith("_claude_mirror_"))
    .map(({ path, bytes, rev }) => ({
      path,
      md5: hashBytes("md5", bytes),
      sha256: hashBytes("sha256", bytes),
      rev,
      nativeHash: rev,
      racy: false,
    }))
    .sort((a, b) => comparePaths(a.path, b.path));
}
