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
  const read = fileReader();
  for (const action of plan.actions) {
    if (action.kind !== "upload" && action.kind !== "keep-both") continue;
    const { size } = action.local;
    if (size < LEAST_READ || size > MOST_READ) continue;
    const bytes = read(joinUnder(parts.root, action.path), size);
    if (bytes !== undefined && isMarked(bytes)) marked.add(action.path);
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

function isMarked(bytes: Buffer): boolean {
  return bytes.includes(MARKERS.local) && bytes.includes(MARKERS.remote) && holdsMarkers(bytes.toString("utf8"));
}

/** Reads up to `size` bytes of a file into the same memory each time; undefined where it cannot: sending it says why. */
function fileReader(): (absolute: string, size: number) => Buffer | undefined {
  let memory = Buffer.allocUnsafeSlow(FIRST_BYTES);
  return (absolute, size) => {
    if (memory.length < size) memory = Buffer.allocUnsafeSlow(Math.max(size, memory.length * 2));
    let fd: number | undefined;
    try {
      fd = fs.openSync(absolute, READ_FLAGS);
      let length = 0;
      for (let count = -1; count !== 0 && length < size; length += count) {
        count = fs.readSync(fd, memory, length, size - length, null);
      }
      return memory.subarray(0, length);
    } catch {
      return undefined;
    } finally {
      if (fd !== undefined) fs.closeSync(fd);
    }
  };
}

const FIRST_BYTES = 1 << 16;
/** Opening a pipe that took the file's place must not wait for a writer. */
const READ_FLAGS = fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0);
