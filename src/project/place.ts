import { basename } from "node:path";
import type { Backend } from "../backends/types.ts";
import { UsageError } from "../lib/errors.ts";
import type { SnapshotService } from "../snapshots/service.ts";
import type { Parts } from "./parts.ts";

/** One remote of a project. */
export interface Place {
  /** What `--backend` and messages call it (decision 25). */
  readonly name: string;
  readonly backend: Backend;
  readonly snapshots: SnapshotService;
}

/** The remotes that snapshots and files are kept on, the primary first; only the one that `only` names when it is given. */
export async function openPlaces(parts: Parts, only?: string): Promise<readonly [Place, ...Place[]]> {
  const { backend: kind, file } = parts.deps.config;
  if (
    only !== undefined &&
    only !== kind &&
    only !== basename(file, ".yaml") &&
    !(only === "drive" && kind === "googledrive")
  ) {
    throw new UsageError(`there is no backend "${only}" in this project`, { hint: `It has ${kind}.` });
  }
  return [{ name: kind, backend: await parts.backend(), snapshots: await parts.snapshots() }];
}
