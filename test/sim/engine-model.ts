import type { Backend } from "../../src/backends/types.ts";
import type { RunResult } from "../../src/project/model.ts";
import type { Project } from "../../src/project/service.ts";
import type { ProjectConfig } from "../../src/settings/model.ts";
import type { MemoryOptions } from "../support/memory-backend.ts";
import type { MemoryStore } from "../support/memory-store.ts";

/** What happens in one step; everything about it is drawn from its own seed, so that leaving others out changes little. */
export interface Step {
  readonly kind: "edit" | "hand" | "run" | "damage" | "wait";
  /** Counted modulo the number of clients. */
  readonly client: number;
  readonly seed: number;
}

/** A fault planted in the engine or its remote that the oracle must see. */
export interface PlantedBug {
  readonly backend?: (inner: Backend, world: World) => Backend;
  /** What the caller gets to see of a project. */
  readonly project?: (project: Project, world: World, client: Client) => Project;
  /** Done to the client's disk after each of its runs. */
  readonly afterRun?: (client: Client) => void;
}

/** One machine: a real project folder with its state and its trash. */
export interface Client {
  readonly name: string;
  readonly home: string;
  readonly root: string;
  readonly stateFolder: string;
  readonly trashFolder: string;
  readonly config: ProjectConfig;
  /** How wrong its clock is, milliseconds. */
  readonly skewMs: number;
}

/** Something that a client's call really changed on the remote. */
export interface Effect {
  readonly client: string;
  readonly verb: "write" | "remove";
  readonly path: string;
}

export interface World {
  readonly seed: number;
  readonly folder: string;
  readonly store: MemoryStore;
  readonly remote: MemoryOptions;
  /** Whether the remote drops folders that a delete empties. */
  readonly prunes: boolean;
  readonly clients: readonly Client[];
  readonly bug: PlantedBug;
  /** SHA-256 of every content that any user ever wrote. */
  readonly ever: Set<string>;
  /** Contents that users wrote, and copies that they destroyed, while the outermost run went on. */
  readonly written: Set<string>;
  readonly destroyed: Set<string>;
  readonly effects: Effect[];
  /** Versions that a user had and changed or deleted: `ann a.md <sha256>`. */
  readonly givenUp: Set<string>;
  readonly trace: string[];
  /** Promises found broken in the middle of a run. */
  readonly violations: string[];
  /** How many runs are under way, one inside the other. */
  depth: number;
  /** Counts what others did while a run went on, and the faults that struck. */
  disturbances: number;
  faults: number;
  /** Counts what happened to our own records. */
  damages: number;
  /** Milliseconds that passed without anybody looking at a clock. */
  skippedMs: number;
  contents: number;
  runs: number;
}

/** How a command ended. */
export type Ended =
  | { readonly kind: "result"; readonly result: RunResult }
  | { readonly kind: "other" }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "killed" };

/** The engine broke a promise. */
export class Violation extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Violation";
  }
}

export function note(world: World, text: string): void {
  world.trace.push(`${"  ".repeat(world.depth)}${text}`);
}
