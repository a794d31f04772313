import * as fs from "node:fs";
import { writeAll, writeAtomic } from "../../lib/fs.ts";
import { hashBytes } from "../../lib/hash.ts";
import type { Net } from "./changes.ts";
import type { Node } from "./model.ts";

/** What is kept between runs: the nodes as of a cursor. */
export interface Kept {
  readonly nodes: Map<string, Node>;
  readonly cursor: string;
  /** When the cursor was noted, milliseconds since 1970. */
  readonly atMs: number;
}

export interface NodeStore {
  /** What is kept for this key; undefined where nothing is, or where it is damaged from its start. */
  load(): Kept | undefined;
  /** Keeps what `net` changed since the last load or save. */
  append(net: Net, kept: Kept): void;
  replace(kept: Kept): void;
}

/** Changes are appended until they have made the file so many times as long as when it was last written whole. */
const GROWTH = 2;
const SLACK_BYTES = 64 * 1024;

type Tuple = readonly (string | number)[];

interface Batch {
  readonly key: string;
  readonly cursor: string;
  readonly at: number;
  readonly put: readonly Tuple[];
  readonly drop: readonly string[];
}

/**
 * One line a batch: a digest over the line and the digest before it, then JSON. Any whole number of batches from the
 * start is a true state of an earlier moment, cursor and nodes together, so a torn or damaged end costs nothing but the
 * way back to that moment. `key` says whose nodes these are.
 */
export function nodeStore(file: string, key: string): NodeStore {
  /** Of the batches that were believed. */
  let length = 0;
  let digest = "";
  let whole = 0;

  function line(batch: Batch, before: string): { readonly text: string; readonly digest: string } {
    const json = JSON.stringify(batch);
    const next = hashBytes("sha256", before + json);
    return { text: `${next} ${json}\n`, digest: next };
  }

  function replace(kept: Kept): void {
    const put = [...kept.nodes.values()].map(tupleOf);
    const written = line({ key, cursor: kept.cursor, at: kept.atMs, put, drop: [] }, VERSION);
    writeAtomic(file, written.text, { mode: 0o600, durable: false });
    length = Buffer.byteLength(written.text);
    whole = length;
    digest = written.digest;
  }

  return {
    load() {
      const read = readBatches(file, key);
      if (read === undefined) return undefined;
      ({ length, digest, whole } = read);
      return read.kept;
    },
    append(net, kept) {
      const batch = { key, cursor: kept.cursor, at: kept.atMs, put: net.put.map(tupleOf), drop: net.drop };
      const written = line(batch, digest);
      const bytes = Buffer.from(written.text);
      if (length === 0 || length + bytes.length > whole * GROWTH + SLACK_BYTES) return replace(kept);
      if (!appendAt(file, length, bytes)) return replace(kept);
      length += bytes.length;
      digest = written.digest;
    },
    replace,
  };
}

/** Version of the format. */
const VERSION = "nodes 1";

interface ReadBatches {
  readonly kept: Kept;
  readonly length: number;
  readonly digest: string;
  readonly whole: number;
}

function readBatches(file: string, key: string): ReadBatches | undefined {
  let bytes: Buffer;
  try {
    bytes = fs.readFileSync(file);
  } catch {
    return undefined; // Not there, or not readable: then everything is listed anew.
  }
  const nodes = new Map<string, Node>();
  const parents = new Map<string, string>();
  let read: ReadBatches | undefined;
  let digest = VERSION;
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0x0a, start);
    if (end < 0) break;
    const batch = readBatch(bytes.toString("utf8", start, end), digest, key);
    if (batch === undefined) break;
    for (const id of batch.drop) nodes.delete(id);
    for (const tuple of batch.put) keepNode(tuple, nodes, parents);
    digest = batch.digest;
    start = end + 1;
    const kept = { nodes, cursor: batch.cursor, atMs: batch.at };
    read = { kept, length: start, digest, whole: read?.whole ?? start };
  }
  return read;
}

function readBatch(text: string, before: string, key: string): (Batch & { readonly digest: string }) | undefined {
  const json = text.slice(65);
  const digest = hashBytes("sha256", before + json);
  if (!text.startsWith(`${digest} `)) return undefined;
  const batch = JSON.parse(json) as Batch;
  return batch.key === key ? { ...batch, digest } : undefined;
}

/** Ids of parents are kept once. */
function keepNode(tuple: Tuple, nodes: Map<string, Node>, parents: Map<string, string>): void {
  const node = nodeOf(tuple);
  const known = parents.get(node.parent);
  if (known === undefined) parents.set(node.parent, node.parent);
  nodes.set(node.id, known === undefined ? node : { ...node, parent: known });
}

/** Writes after the batches that were believed; false when the file is another by now. */
function appendAt(file: string, length: number, bytes: Uint8Array): boolean {
  let fd: number;
  try {
    fd = fs.openSync(file, "r+");
  } catch {
    return false;
  }
  try {
    if (fs.fstatSync(fd).size !== length) return false;
  } catch {
    fs.closeSync(fd);
    return false;
  }
  fs.closeSync(fd);
  fd = fs.openSync(file, "a");
  try {
    writeAll(fd, bytes);
  } finally {
    fs.closeSync(fd);
  }
  return true;
}

function tupleOf(node: Node): Tuple {
  const { id, parent, name } = node;
  switch (node.is) {
    case "file":
      return [
        "f",
        id,
        parent,
        name,
        node.size,
        node.rev,
        node.hash,
        node.modifiedMs ?? "",
        ...(node.more === undefined ? [] : [node.more]),
      ];
    case "folder":
      return ["d", id, parent, name];
    case "hidden":
      return ["h", id, parent, name];
    case "removed":
      return ["r", id, parent, name];
    case "foreign":
      return ["x", id, parent, name, node.reason];
    default:
      return node satisfies never;
  }
}

function nodeOf(tuple: Tuple): Node {
  const [kind, id, parent, name, size, rev, hash, modifiedMs, more] = tuple as readonly [
    string,
    string,
    string,
    string,
    number | string,
    string,
    string,
    number | "",
    string?,
  ];
  if (kind === "d") return { is: "folder", id, parent, name };
  if (kind === "h") return { is: "hidden", id, parent, name };
  if (kind === "r") return { is: "removed", id, parent, name };
  if (kind === "x") return { is: "foreign", id, parent, name, reason: String(size) };
  return {
    is: "file",
    id,
    parent,
    name,
    size: size as number,
    rev,
    hash,
    ...(modifiedMs === "" ? {} : { modifiedMs }),
    ...(more === undefined ? {} : { more }),
  };
}
