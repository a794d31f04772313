import * as fs from "node:fs";
import { MissingError } from "../lib/errors.ts";
import type { RestorePlan } from "../snapshots/model.ts";
import { withProjectLock } from "./lock.ts";
import { type Fallback, findOnPlaces } from "./mirrors/fallback.ts";
import type { Parts } from "./parts.ts";
import type { RestoreChoice, RestoreRequest, RestoreSummary } from "./service.ts";

/** What restoring would do. Throws NotFoundError when nothing in the snapshot matches. */
async function planRestoreInto(parts: Parts, request: RestoreRequest): Promise<RestorePlan> {
  const { timestamp, patterns } = request;
  // A second name of the project folder is the project, its lock and its questions included.
  const output =
    request.output !== undefined && fs.existsSync(request.output) ? fs.realpathSync(request.output) : request.output;
  const { signal } = parts.deps;
  const plan = await (await parts.snapshots()).planRestore(timestamp, patterns, output ?? parts.root, { signal });
  if (plan.items.length > 0 || patterns.length === 0) return plan;
  throw new MissingError(`nothing in snapshot ${timestamp} matches ${patterns.map((one) => `"${one}"`).join(", ")}`, {
    hint: `claude-mirror inspect ${timestamp} lists what it holds.`,
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
  return { plan: value, backend: name, warning, run: () => restoreFiles(at, value) };
}

/** Restores what was planned. What it replaces in the project goes to the trash; elsewhere it is asked for by the target. */
async function restoreFiles(parts: Parts, plan: RestorePlan): Promise<RestoreSummary> {
  const snapshots = await parts.snapshots();
  const { signal } = parts.deps;
  const restore = async (): Promise<RestoreSummary> => {
    const report = await snapshots.executeRestore(plan, {
      signal,
      keep: (file, path) =>
        void parts.trash.keepCopy(file, { path, reason: `replaced by restore of ${plan.timestamp}` }),
    });
    return { plan, items: report.outcomes, interrupted: report.interrupted };
  };
  return plan.target === parts.root ? withProjectLock(parts, "restore", restore) : restore();
}
