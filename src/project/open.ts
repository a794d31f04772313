import * as fs from "node:fs";
import { join } from "node:path";
import type { Backend } from "../backends/types.ts";
import { UsageError } from "../lib/errors.ts";
import { openSnapshots, type SnapshotService } from "../snapshots/service.ts";
import { selectPath } from "../sync/select.ts";
import { openSync } from "../sync/service.ts";
import { openTrash } from "../sync/trash.ts";
import { announceAfter } from "./announce.ts";
import { applyConflict, dropConflict, viewConflict } from "./conflict-files.ts";
import { deleteFiles } from "./delete.ts";
import { diffFile } from "./diff.ts";
import { openEnvelopes } from "./envelope-store.ts";
import { localHealth, mirrorBacklogs, waitingThere } from "./health.ts";
import { historyWithin } from "./history.ts";
import { readActivity, readPresence } from "./log.ts";
import { takeSnapshot } from "./manual-snapshot.ts";
import { migrateSnapshots, planMigrating } from "./migrate.ts";
import { retryMirrors, seedMirrors } from "./mirrors/commands.ts";
import { findOnPlaces, partsAt } from "./mirrors/fallback.ts";
import type { Mirror, MirrorDeps } from "./mirrors/model.ts";
import { promoteMirror } from "./mirrors/promote.ts";
import { mirrorColumns, pendingStatus } from "./mirrors/status.ts";
import type { RunResult } from "./model.ts";
import type { Parts } from "./parts.ts";
import { choosePlace } from "./place.ts";
import { pullInto } from "./pull-output.ts";
import { findRestore } from "./restore.ts";
import {
  collectGarbage,
  forgetSnapshots,
  planCollection,
  planForgetting,
  planPruning,
  pruneAfter,
} from "./retention.ts";
import { type RunRequest, runTransfer } from "./run.ts";
import type { Project, ProjectDeps, Snapshots } from "./service.ts";
import { compareSnapshots, diffSnapshots } from "./snapshot-diff.ts";
import { snapshotNamed } from "./snapshot-name.ts";
import { projectStats } from "./stats.ts";
import { projectStatus } from "./status.ts";
import { projectTree } from "./tree.ts";
import { verifyProject } from "./verify.ts";

/** Opens one project. Nothing is read or asked until it is needed. Throws UsageError when its folder is missing. */
export function openProject(deps: ProjectDeps): Project {
  const parts = openParts(deps);
  const run = (request: Omit<RunRequest, "strategy" | "ask">) => runTransfer(parts, request);
  const options = { signal: deps.signal };
  const told = (running: Promise<RunResult>) => announceAfter(parts, running);
  return {
    config: deps.config,
    name: deps.name ?? deps.config.backend,
    trash: parts.trash,
    status: (options) => projectStatus(parts, options),
    push: ({ forceLocal, ...rest }) =>
      told(pruneAfter(parts, run({ ...rest, command: "push", mode: { kind: "push", forceLocal } }))),
    pull: ({ output, ...rest }) =>
      output === undefined
        ? told(run({ ...rest, command: "pull", mode: { kind: "pull" } }))
        : pullInto(parts, { ...rest, output }),
    sync: (request) =>
      told(pruneAfter(parts, runTransfer(parts, { ...request, command: "sync", mode: { kind: "sync" } }))),
    delete: (request) => told(deleteFiles(parts, request)),
    diff: (file) => diffFile(parts, file),
    conflicts: () => parts.envelopes.list(),
    conflict: (file) => viewConflict(parts, file),
    applyConflict: (file, merge) => told(applyConflict(parts, file, merge)),
    dropConflict: (file) => dropConflict(parts, file),
    takeSnapshot: (request) => takeSnapshot(parts, request),
    ...snapshotsOf(parts),
    on: (backend) => snapshotsOf(partsAt(parts, choosePlace(parts, backend))),
    async inspect(timestamp, patterns, fallback) {
      const look = async (at: Parts) =>
        (await at.snapshots()).inspect(await snapshotNamed(at, timestamp), patterns, options);
      const { value, name, warning } = await findOnPlaces(parts, look, fallback ?? {});
      return { ...value, backend: name, warning };
    },
    planRestore: (request, fallback) => findRestore(parts, request, fallback ?? {}),
    restore: (choice) => choice.run(),
    verify: (request) => verifyProject(parts, request),
    pending: () => pendingStatus(parts),
    mirrorColumns: () => mirrorColumns(parts),
    retry: (request) => retryMirrors(parts, request),
    seedMirror: (request) => seedMirrors(parts, request),
    promote: (request) => promoteMirror(parts, request),
    log: (limit) => readActivity(parts, limit),
    presence: () => readPresence(parts),
    stats: (request) => projectStats(parts, request),
    tree: (request) => projectTree(parts, request),
    localHealth: () => localHealth(parts),
    waitingThere: () => waitingThere(parts),
    mirrorBacklogs: () => mirrorBacklogs(parts),
    close: async () => parts.close(),
  };
}

function snapshotsOf(parts: Parts): Snapshots {
  const options = { signal: parts.deps.signal };
  return {
    snapshots: async () => (await parts.snapshots()).list(options),
    async history(file, window = {}) {
      const path = selectPath(file, { root: parts.root, cwd: parts.deps.cwd });
      return historyWithin(await (await parts.snapshots()).history(path, options), window);
    },
    compareSnapshots: (from, to, patterns) => compareSnapshots(parts, { from, to }, patterns),
    diffSnapshots: (from, to, file) => diffSnapshots(parts, { from, to }, file),
    planForget: (selector) => planForgetting(parts, selector),
    planPrune: (request) => planPruning(parts, request),
    forget: (plan) => forgetSnapshots(parts, plan),
    planGc: ({ graceMs }) => planCollection(parts, graceMs),
    gc: (plan) => collectGarbage(parts, plan),
    planMigration: (to) => planMigrating(parts, to),
    migrateSnapshots: (plan, request) => migrateSnapshots(parts, plan, request),
  };
}

interface OpenParts extends Parts {
  close(): Promise<void>;
}

function openParts(deps: ProjectDeps): OpenParts {
  const root = realRoot(deps.config.projectPath, deps.config.file);
  const { config, clock, stateFolder } = deps;
  let opened: ReturnType<ProjectDeps["openBackend"]> | undefined;
  const backend = () => {
    opened ??= deps.openBackend();
    return opened;
  };
  let rooms: Promise<SnapshotService> | undefined;
  const snapshots = () => {
    rooms ??= backend().then((it) =>
      openSnapshots({ backend: it, stateFolder, clock, workers: config.parallelWorkers }),
    );
    return rooms;
  };
  const mirrors = (deps.mirrors ?? []).map((mirror) => openMirror(mirror, deps));
  const trash = openTrash(deps.trashFolder, { clock, root });
  const { filePatterns, excludePatterns, parallelWorkers: workers } = config;
  const sync = openSync({
    ...deps,
    root,
    trash,
    backend,
    backendKind: config.backend,
    filePatterns,
    excludePatterns,
    workers,
  });
  return {
    deps,
    root,
    sync,
    trash,
    envelopes: openEnvelopes(deps.conflictFolder ?? join(stateFolder, "conflicts")),
    backend,
    snapshots,
    mirrors,
    async snapshotHooks() {
      const service = await snapshots();
      const heldBySnapshot = (sha256: string) => service.holds(sha256);
      if (config.snapshotFormat !== "blobs") return { heldBySnapshot };
      return {
        heldBySnapshot,
        beforeUpload: async (content, signal) => (await service.store(content, signal ? { signal } : {})).path,
      };
    },
    async close() {
      await Promise.all([...mirrors.map((mirror) => mirror.close()), closeOpened(opened)]);
    },
  };
}

async function closeOpened(opened: Promise<Backend> | undefined): Promise<void> {
  const open = await opened?.catch(() => undefined);
  await open?.close();
}

function openMirror(mirror: MirrorDeps, { clock, config }: ProjectDeps): Mirror & { close(): Promise<void> } {
  let opened: Promise<Backend> | undefined;
  let rooms: Promise<SnapshotService> | undefined;
  const backend = () => {
    opened ??= mirror.openBackend();
    return opened;
  };
  const { stateFolder } = mirror;
  return {
    ...mirror,
    backend,
    snapshots() {
      rooms ??= backend().then((it) =>
        openSnapshots({ backend: it, stateFolder, clock, workers: config.parallelWorkers }),
      );
      return rooms;
    },
    close: () => closeOpened(opened),
  };
}

function realRoot(projectPath: string, configFile: string): string {
  try {
    return fs.realpathSync(projectPath);
  } catch {
    throw new UsageError(`cannot open the project folder "${projectPath}": it is missing or unreadable`, {
      hint: `If its disk is not mounted, mount it; if it has moved, correct project_path in ${configFile}.`,
    });
  }
}
