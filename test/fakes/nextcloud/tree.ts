import { createHash } from "node:crypto";

/** A file or folder of the fake server. */
export interface Node {
  readonly kind: "file" | "folder";
  etag: string;
  modifiedMs: number;
  bytes: Buffer;
  checksum: string;
}

/** The files of one user: paths without a slash at either end, `""` for the top. Every change gives all folders above new ETags. */
export class Tree {
  readonly nodes = new Map<string, Node>();
  private changes = 0;

  constructor() {
    this.nodes.set("", { kind: "folder", etag: this.etag(), modifiedMs: Date.now(), bytes: EMPTY, checksum: "" });
  }

  get(path: string): Node | undefined {
    return this.nodes.get(path);
  }

  below(path: string): string[] {
    const prefix = path === "" ? "" : `${path}/`;
    return [...this.nodes.keys()].filter((other) => other !== path && other !== "" && other.startsWith(prefix));
  }

  children(path: string): string[] {
    return this.below(path).filter((other) => parentOf(other) === path);
  }

  put(path: string, bytes: Buffer, checksum: string): Node {
    const node: Node = { kind: "file", etag: this.etag(), modifiedMs: Date.now(), bytes, checksum };
    this.nodes.set(path, node);
    this.touch(path);
    return node;
  }

  makeFolder(path: string): void {
    this.nodes.set(path, { kind: "folder", etag: this.etag(), modifiedMs: Date.now(), bytes: EMPTY, checksum: "" });
    this.touch(path);
  }

  remove(path: string): void {
    for (const other of this.below(path)) this.nodes.delete(other);
    this.nodes.delete(path);
    this.touch(path);
  }

  copy(from: string, to: string): void {
    for (const old of [from, ...this.below(from)]) {
      const node = this.nodes.get(old);
      if (node !== undefined) this.nodes.set(to + old.slice(from.length), { ...node, etag: this.etag() });
    }
    this.touch(to);
  }

  private touch(path: string): void {
    for (let above = path; above !== ""; ) {
      above = parentOf(above);
      const node = this.nodes.get(above);
      if (node !== undefined) node.etag = this.etag();
    }
  }

  private etag(): string {
    return createHash("md5")
      .update(`${++this.changes}`)
      .digest("hex");
  }
}

const EMPTY = Buffer.alloc(0);

export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "" : path.slice(0, slash);
}
