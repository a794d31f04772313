import * as fs from "node:fs";
import { NotFoundError } from "../backends/errors.ts";
import { MissingError, RefusedError } from "../lib/errors.ts";
import type { RestorePlan } from "../snapshots/model.ts";
import { type Extra, findExtras, trashExtras } from "./extras.ts";
import { withProjectLock } from "./lock.ts";
import { type Fallback, findOnPlaces } from "./mirrors/fallback.ts";
import type { Parts } from "./parts.ts";
import type { RestoreChoice, RestoreRequest, RestoreSummary, SnapshotChoice } from "./service.ts";
import { snapshotNamed } from "./snapshot-name.ts";

/**
 * What restoring would do. Throws NotFoundError without such a snapshot, MissingError when nothing in it matches,
 * RefusedError "incomplete-snapshot" where one that is not whole would be put over the project.
 */
async function planRestoreInto(parts: Parts, request: RestoreRequest): Promise<RestorePlan> {
  const { patterns } = request;
  // A second name of the project folder is the project, its lock and its questions included.
  const output =
    request.output !== undefined && fs.existsSync(request.output) ? fs.realpathSync(request.output) : request.output;
  const { signal } = parts.deps;
  const timestamp = await timestampOf(parts, request);
  const plan = await (await parts.snapshots()).planRestore(timestamp, patterns, output ?? parts.root, { signal });
  if (plan.problem !== undefined && plan.target === parts.root) {
    throw new RefusedError(
      "incomplete-snapshot",
      `did not restore ${timestamp} over the project: ${plan.problem}. Restore it with --output DIR and look at what is there, or take another snapshot.`,
    );
  }
  if (plan.items.length > 0 || patterns.length === 0) return plan;
  throw new MissingError(`nothing in snapshot ${timestamp} matches ${patterns.map((one) => `"${one}"`).join(", ")}`, {
    hint: `claude-mirror inspect ${timestamp} lists what it holds.`,
  });
}

async function timestampOf(parts: Parts, wanted: SnapshotChoice): Promise<string> {
  if ("timestamp" in wanted) return snapshotNamed(parts, wanted.timestamp);
  const all = await (await parts.snapshots()).list({ signal: parts.deps.signal });
  const found = all.find(({ tag }) => tag === wanted.tag);
  if (found !== undefined) return found.timestamp;
  const tags = all.flatMap(({ tag }) => tag ?? []);
  throw new NotFoundError(`cannot find a snapshot tagged "${wanted.tag}": there is none`, {
    hint: tags.length === 0 ? "No snapshot has a tag." : `There are ${tags.slice(0, 5).join(", ")}.`,
  });
}

/** What restoring would do, from whichever remote has the snapshot. */
export async function findRestore(parts: Parts, request: RestoreRequest, fallback: Fallback): Promise<RestoreChoice> {
  const {
    value,
    name,
    parts: at,
    warning,
  } = await findOnPlaces(parts, (place) => planRestoreInto(place, request), fallback);
  const held = new Set<string>(value.items.map(({ path }) => path));
  const extras = request.deleteExtra
    ? findExtras(parts, { target: value.target, held, patterns: request.patterns })
    : [];
  return { plan: value, extras, backend: name, warning, run: () => restoreFiles(at, value, extras) };
}

/** Restores what was planned, and moves the extras to the trash when all of it is there. What it replaces in the project goes to the trash; elsewhere it is asked for by the target. */
async function restoreFiles(parts: Parts, plan: RestorePlan, planned: readonly Extra[]): Promise<RestoreSummary> {
  const snapshots = await parts.snapshots();
  const { signal } = parts.deps;
  const restore = async (): Promise<RestoreSummary> => {
    const report = await snapshots.executeRestore(plan, {
      signal,
      keep: (file, path) =>
        void parts.trash.keepCopy(file, { path, reason: `replaced by restore of ${plan.timestamp}` }),
    });
    const isWhole = !report.interrupted && report.outcomes.every(({ status }) => status !== "failed");
    const reason = `not in snapshot ${plan.timestamp}, removed by its restore`;
    const extras = isWhole ? trashExtras(parts, plan.target, { extras: planned, reason }) : [];
    return { plan, items: report.outcomes, extras, interrupted: report.interrupted || signal.aborted };
  };
  return plan.target === parts.root ? withProjectLock(parts, "restore", restore) : restore();
}
