import type { CallOptions } from "../types.ts";

interface Place {
  /** The vendor's id. Of a source whose ids are paths: the folded path, `/`-separated, that of the parent with one name more. */
  readonly id: string;
  readonly parent: string;
  /** As the vendor shows it; may be no name of ours. */
  readonly name: string;
}

export interface FileNode extends Place {
  readonly is: "file";
  /** Bytes. */
  readonly size: number;
  readonly rev: string;
  /** What the shared manifest keeps (reference 1.21); `""` where the vendor gave none. */
  readonly hash: string;
  /** Milliseconds since 1970. */
  readonly modifiedMs?: number;
  /** Whatever else the backend wants back when it describes the file. */
  readonly more?: string;
}

export interface FolderNode extends Place {
  readonly is: "folder";
}

/** Out of sight with all that is in it, such as a folder in the trash; what is in it stays known for its return. */
export interface HiddenNode extends Place {
  readonly is: "hidden";
}

/** Takes a name and is no file of ours: a web document, a shortcut. */
export interface ForeignNode extends Place {
  readonly is: "foreign";
  readonly reason: string;
}

/** A folder that was removed while something known still named it as its parent. Made by `settle` alone. */
export interface RemovedNode extends Place {
  readonly is: "removed";
}

/** What a source says of an item that is there. */
export type SourceNode = FileNode | FolderNode | HiddenNode | ForeignNode;

export type Node = SourceNode | RemovedNode;

/** Gone with all that is in it, except what was moved elsewhere. */
export interface GoneNode {
  readonly is: "gone";
  readonly id: string;
}

export type NodeChange = SourceNode | GoneNode;

export type Nodes = ReadonlyMap<string, Node>;

export interface NodePage {
  /** The present state of each item; of one that comes twice the last is true. */
  readonly changes: readonly NodeChange[];
  /** Where to go on: the next page, or next time. */
  readonly cursor: string;
  readonly more: boolean;
}

/** One vendor's stream of changes. */
export interface NodeSource {
  /**
   * The next page after `cursor`; without one the first page of everything. Throws CursorLostError when the vendor
   * no longer knows the cursor, and BackendError otherwise.
   */
  page(cursor: string | undefined, options: CallOptions): Promise<NodePage>;
}

/** The cursor is void: everything is listed anew, from `restart` where the vendor names a place. */
export class CursorLostError extends Error {
  readonly restart: string | undefined;
  constructor(restart?: string) {
    super("the cursor is no longer known");
    this.name = "CursorLostError";
    this.restart = restart;
  }
}

/**
 * What ids are. `stable`: they stay with an item wherever it goes, children point to their parent, and what lies in a
 * removed folder is out of sight. `paths`: the order of the stream matters, a removal takes what was below the path
 * until then, a file replaces a folder, and folders nobody named are there.
 */
export type IdKind = "stable" | "paths";
