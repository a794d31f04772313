import type { Backend } from "../backends/types.ts";
import type { SnapshotService } from "../snapshots/service.ts";
import type { ExecuteHooks } from "../sync/execute.ts";
import type { SyncService } from "../sync/service.ts";
import type { Trash } from "../sync/trash.ts";
import type { EnvelopeStore } from "./envelope-store.ts";
import type { Mirror } from "./mirrors/model.ts";
import type { ProjectDeps } from "./service.ts";

/** The rooms of one project, opened when first needed. */
export interface Parts {
  readonly deps: ProjectDeps;
  /** Absolute, real path of the project folder. */
  readonly root: string;
  readonly sync: SyncService;
  readonly trash: Trash;
  readonly envelopes: EnvelopeStore;
  readonly backend: () => Promise<Backend>;
  readonly snapshots: () => Promise<SnapshotService>;
  readonly mirrors: readonly Mirror[];
  /** What the executor asks of the snapshots. */
  readonly snapshotHooks: () => Promise<ExecuteHooks>;
}
