import type { Backend } from "../../backends/types.ts";
import type { ProjectConfig } from "../../settings/model.ts";
import type { SnapshotService } from "../../snapshots/service.ts";
import type { MirrorState } from "./state.ts";

/** One mirror of a project, as `app.ts` puts it together. */
export interface MirrorDeps {
  /** What `--backend` and the shared manifest call it. */
  readonly name: string;
  /** Absolute path of its YAML. */
  readonly file: string;
  /** Undefined when it cannot be used; `problem` says why. */
  readonly config: ProjectConfig | undefined;
  readonly problem?: string;
  /** For a person: where it is. */
  readonly root: string;
  readonly stateFolder: string;
  /** Where the trash is once this is the primary. */
  readonly trashFolder: string;
  /** Opens it, wrapped like the primary. Called at most once. */
  readonly openBackend: () => Promise<Backend>;
}

/** A mirror with its rooms, opened when first needed. */
export interface Mirror extends MirrorDeps {
  /** Given up for the rest of the run once it does not answer. */
  readonly backend: () => Promise<Backend>;
  readonly snapshots: () => Promise<SnapshotService>;
}

/** A mirror with what this machine knows of it. */
export interface OpenMirror {
  readonly mirror: Mirror;
  readonly state: MirrorState;
}
