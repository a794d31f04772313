import { BackendError, needsPerson, StaleError } from "../backends/errors.ts";
import { callsAtOnce } from "../backends/in-flight.ts";
import { SNAPSHOTS_FOLDER } from "../backends/layout.ts";
import type { RemoteFile, Rev } from "../backends/types.ts";
import { faultPoint } from "../lib/fault.ts";
import { forEachLimit } from "../lib/limits.ts";
import { comparePaths, type RelPath } from "../lib/path.ts";
import type { SnapshotOptions } from "./blob-store.ts";
import { claimPath, fullFolder, META_NAME } from "./full-folder.ts";
import { describeNames, listNames, listNamesToShow, manifestPath, type SnapshotRoom, tolerated } from "./list.ts";
import type { ForgetOutcome, ForgetPlan, RetentionPlan, SnapshotInfo } from "./model.ts";

/**
 * Lists the snapshots, lets `select` choose, and notes the version of each manifest that is to go. Full snapshots whose
 * deletion was interrupted on this machine are chosen, too: they have lost their marker and hold nothing to restore.
 */
export async function surveyForget(
  room: SnapshotRoom,
  select: (snapshots: readonly SnapshotInfo[]) => RetentionPlan,
  options: SnapshotOptions = {},
): Promise<ForgetPlan> {
  const names = await listNamesToShow(room, options);
  const chosen = select(await describeNames(room, names, options));
  const begun = new Set(room.cache.forgetting());
  const isUnfinished = (info: SnapshotInfo): boolean =>
    info.format === "full" && info.problem !== undefined && begun.has(info.timestamp);
  const others = (infos: readonly SnapshotInfo[]) => infos.filter((info) => !isUnfinished(info));
  const unfinished = [...chosen.keep, ...chosen.remove].filter(isUnfinished);
  const remove = [...others(chosen.remove), ...unfinished].sort((a, b) => comparePaths(b.timestamp, a.timestamp));
  const revs = new Map<string, Rev>();
  for (const name of names) if (name.format === "blobs") revs.set(name.timestamp, name.file.rev);
  return {
    ...chosen,
    remove,
    keep: others(chosen.keep),
    unreadable: others(chosen.unreadable),
    unfinished: unfinished.map(({ timestamp }) => timestamp),
    revs: new Map(remove.flatMap(({ timestamp }) => pair(timestamp, revs.get(timestamp)))),
  };
}

/**
 * Deletes the snapshots of the plan, oldest first. A manifest goes only as the version that was listed. Of a full snapshot the
 * marker goes first, so that one that is half deleted never looks whole; the next run of this machine finishes it.
 * Blobs stay: `gc` collects them. What cannot be deleted is reported and stops nothing else.
 */
export async function executeForget(
  room: SnapshotRoom,
  plan: ForgetPlan,
  options: SnapshotOptions = {},
): Promise<readonly ForgetOutcome[]> {
  if (plan.remove.length === 0) return [];
  const { folders } = await room.backend.list(SNAPSHOTS_FOLDER, { shallow: true, ...options });
  const present = new Set<string>(folders);
  const withFolder = plan.remove.filter(({ timestamp }) => present.has(fullFolder(timestamp)));
  const begun = room.cache.forgetting();
  if (withFolder.length > 0) {
    room.cache.setForgetting([...new Set([...begun, ...withFolder.map(({ timestamp }) => timestamp)])]);
  }
  const outcomes: ForgetOutcome[] = [];
  await forEachLimit(
    [...plan.remove].reverse(),
    callsAtOnce(room.backend.can, "remove", room.workers),
    async (info) => {
      outcomes.push(
        await forgetOne(
          room,
          { info, rev: plan.revs.get(info.timestamp), folder: present.has(fullFolder(info.timestamp)) },
          options,
        ),
      );
    },
    options,
  );
  const failed = new Set(outcomes.filter(({ status }) => status === "failed").map(({ timestamp }) => timestamp));
  if (withFolder.length + begun.length > 0) {
    room.cache.setForgetting(withFolder.map(({ timestamp }) => timestamp).filter((name) => failed.has(name)));
  }
  // Learns which bodies no snapshot names any more, so that the next push looks at them before it relies on them.
  await listNames(room, options);
  return outcomes.sort((a, b) => comparePaths(b.timestamp, a.timestamp));
}

interface Doomed {
  readonly info: SnapshotInfo;
  /** Version of its manifest. */
  readonly rev: Rev | undefined;
  /** True when the listing shows a folder of its name. */
  readonly folder: boolean;
}

async function forgetOne(
  room: SnapshotRoom,
  { info: { timestamp, format }, rev, folder }: Doomed,
  options: SnapshotOptions,
): Promise<ForgetOutcome> {
  try {
    // A manifest beside the folder keeps the snapshot restorable until its own turn comes.
    const hadFolder = folder && (await removeFull(room, timestamp, options));
    const hadManifest = rev !== undefined && (await removeManifest(room, timestamp, rev, options));
    return { timestamp, format, status: hadFolder || hadManifest ? "forgotten" : "gone" };
  } catch (error) {
    return {
      timestamp,
      format,
      status: "failed",
      error: tolerated(error),
      ...(needsPerson(error) && { needsPerson: true }),
    };
  }
}

function removeManifest(room: SnapshotRoom, timestamp: string, rev: Rev, options: SnapshotOptions): Promise<boolean> {
  faultPoint("forget-manifest");
  return removeVersion(room, manifestPath(timestamp), rev, options);
}

/** Marker, files, folder, and the claim of one that was never finished. False when there was no such folder. */
export async function removeFull(room: SnapshotRoom, timestamp: string, options: SnapshotOptions): Promise<boolean> {
  const folder = fullFolder(timestamp);
  const { exists, files, unusable } = await room.backend.list(folder, options);
  if (!exists) return false;
  if (unusable[0]) {
    throw new BackendError(
      `cannot delete snapshot "${timestamp}": it holds "${unusable[0].name}", ${unusable[0].reason}`,
      {
        class: "FILE_REJECTED",
      },
    );
  }
  const isMarker = ({ path }: RemoteFile): boolean => path === `${folder}/${META_NAME}`;
  // What this machine remembers of the marker would make the rest look whole.
  room.cache.drop([timestamp], "full");
  for (const marker of files.filter(isMarker)) {
    faultPoint("forget-marker");
    await removeVersion(room, marker.path, marker.rev, options);
  }
  const removeFile = async ({ path, rev }: RemoteFile): Promise<void> => {
    faultPoint("forget-file");
    await removeVersion(room, path, rev, options);
  };
  await forEachLimit(
    files.filter((file) => !isMarker(file)),
    callsAtOnce(room.backend.can, "remove", room.workers),
    removeFile,
    options,
  );
  if (room.backend.removeFolder) {
    faultPoint("forget-folder");
    await room.backend.removeFolder(folder, options);
  }
  if (!files.some(isMarker)) await room.backend.remove(claimPath(timestamp), { expect: "any", ...options });
  return true;
}

/** False when it was gone already. Throws StaleError when another version is there. */
export async function removeVersion(
  { backend }: SnapshotRoom,
  path: RelPath,
  rev: Rev,
  options: SnapshotOptions,
): Promise<boolean> {
  try {
    await backend.remove(path, { expect: rev, ...options });
    return true;
  } catch (error) {
    if (!(error instanceof StaleError)) throw error;
    if ((await backend.stat(path, options)) !== undefined) throw error;
    return false;
  }
}

function pair(timestamp: string, rev: Rev | undefined): [string, Rev][] {
  return rev === undefined ? [] : [[timestamp, rev]];
}
