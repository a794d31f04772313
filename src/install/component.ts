import type { ComponentName } from "./model.ts";

/** A part of somebody else's file: pure, so that a plan can be made without a writer. */
export interface FileEdit {
  readonly kind: "edit";
  /** With our part in it. The same bytes back where it is there. Throws where no edit is safe. */
  add(bytes: Buffer): Edited;
  /** Without it. */
  drop(bytes: Buffer): Buffer;
  /** True for what a file of ours alone comes down to. */
  isBlank(bytes: Buffer): boolean;
}

export interface Edited {
  readonly bytes: Buffer;
  readonly notes: readonly string[];
}

/** A whole file of ours. */
export interface OwnFile {
  readonly kind: "own";
  readonly content: Buffer;
}

/** One thing that `install` sets up: a file, and the programs that have to hear of it. */
export interface Component {
  readonly name: ComponentName;
  /** Absolute. */
  readonly file: string;
  readonly change: FileEdit | OwnFile;
  /** For a new file. */
  readonly mode?: number;
  /** What `--print` shows. */
  readonly print: string;
  /** Each a program and its words. */
  readonly commands?: {
    readonly start: readonly (readonly string[])[];
    readonly stop: readonly (readonly string[])[];
    readonly forget: readonly (readonly string[])[];
  };
}

/** A component that has no place on this machine. */
export interface Unavailable {
  readonly name: ComponentName;
  readonly why: string;
}
