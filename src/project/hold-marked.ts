import * as fs from "node:fs";
import { comparePaths, joinUnder, type RelPath } from "../lib/path.ts";
import { conflictKind } from "../sync/classify.ts";
import type { Look } from "../sync/look.ts";
import { holdsMarkers, MARKERS } from "../sync/merge.ts";
import type { Conflict, Held, Plan } from "../sync/model.ts";
import type { Parts } from "./parts.ts";

/** Larger files are sent without a look: nobody merged them here. Bytes. */
const MOST_READ = 32 * 1024 * 1024;
const LEAST_READ = MARKERS.local.length + MARKERS.remote.length;

const REASON = "conflict markers are left in it: finish the merge, then run again";

/** Takes out of the plan what would send a file in which our conflict markers are left; a conflict stays one. */
export function holdMarked(parts: Parts, plan: Plan, { rows }: Look): Plan {
  const marked = new Set<RelPath>();
  for (const action of plan.actions) {
    if (action.kind !== "upload" && action.kind !== "keep-both") continue;
    if (isMarked(parts, action.path, action.local.size)) marked.add(action.path);
  }
  if (marked.size === 0) return plan;
  const unsettled = plan.statuses
    .filter(({ path, status }) => status === "conflict" && marked.has(path))
    .map(({ path }): Conflict => {
      const row = rows.at(rows.find(path));
      return { path, kind: conflictKind(row), row };
    });
  const held = [...marked].map((path): Held => ({ path, reason: REASON }));
  return {
    ...plan,
    actions: plan.actions.filter(({ path }) => !marked.has(path)),
    conflicts: [...plan.conflicts, ...unsettled].sort((a, b) => comparePaths(a.path, b.path)),
    held: [...plan.held, ...held],
  };
}

function isMarked(parts: Parts, path: RelPath, size: number): boolean {
  if (size < LEAST_READ || size > MOST_READ) return false;
  try {
    const bytes = fs.readFileSync(joinUnder(parts.root, path));
    return bytes.includes(MARKERS.local) && bytes.includes(MARKERS.remote) && holdsMarkers(bytes.toString("utf8"));
  } catch {
    return false; // Sending it says what is wrong with it.
  }
}
