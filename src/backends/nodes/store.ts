import { createHash } from "node:crypto";
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

/** Nodes of one line: what is parsed at once stays small. */
const LINE_NODES = 2000;

interface Line {
  readonly put: readonly Tuple[];
  readonly drop: readonly string[];
  /** On the last line of a batch. */
  readonly end?: { readonly key: string; readonly cursor: string; readonly at: number };
}

/**
 * Lines of a digest, over the line and the digest before it, then JSON. Some lines make a batch, the last of which
 * says so. Any whole number of batches from the start is a true state of an earlier moment, cursor and nodes together,
 * so a torn or damaged end costs nothing but the way back to that moment. `key` says whose nodes these are.
 */
export function nodeStore(file: string, key: string): NodeStore {
  /** Of the batches that were believed. */
  let length = 0;
  let digest = "";
  let whole = 0;

  function batch(net: Net, { cursor, atMs }: Kept, before: string): { readonly text: string; readonly digest: string } {
    const lines: string[] = [];
    let chained = before;
    for (let start = 0; start === 0 || start < net.put.length; start += LINE_NODES) {
      const put = net.put.slice(start, start + LINE_NODES).map(tupleOf);
      const isLast = start + LINE_NODES >= net.put.length;
      const line: Line = isLast ? { put, drop: net.drop, end: { key, cursor, at: atMs } } : { put, drop: [] };
      const json = JSON.stringify(line);
      chained = hashBytes("sha256", chained + json);
      lines.push(`${chained} ${json}\n`);
    }
    return { text: lines.join(""), digest: chained };
  }

  function replace(kept: Kept): void {
    const written = batch({ put: [...kept.nodes.values()], drop: [] }, kept, VERSION);
    const bytes = Buffer.from(written.text);
    writeAtomic(file, bytes, { mode: 0o600, durable: false });
    length = bytes.length;
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
      const written = batch(net, kept, digest);
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
  let open: Line[] = [];
  let read: ReadBatches | undefined;
  let digest = VERSION;
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(0x0a, start);
    const line = end < 0 ? undefined : readLine(bytes.subarray(start, end), digest);
    if (line === undefined) break;
    // The first batch has nothing before it to spoil, and is the long one.
    if (read === undefined) applyLine(line, nodes, parents);
    else open.push(line);
    digest = bytes.toString("latin1", start, start + DIGEST);
    start = end + 1;
    if (line.end === undefined) continue;
    if (line.end.key !== key) break;
    for (const each of open) applyLine(each, nodes, parents);
    open = [];
    const kept = { nodes, cursor: line.end.cursor, atMs: line.end.at };
    read = { kept, length: start, digest, whole: read?.whole ?? start };
  }
  return read;
}

/** Length of a digest in hex. */
const DIGEST = 64;

function readLine(bytes: Buffer, before: string): Line | undefined {
  const json = bytes.subarray(DIGEST + 1);
  const digest = createHash("sha256").update(before).update(json).digest("hex");
  if (bytes.toString("latin1", 0, DIGEST + 1) !== `${digest} `) return undefined;
  return JSON.parse(json.toString("utf8")) as Line;
}

function applyLine({ put, drop }: Line, nodes: Map<string, Node>, parents: Map<string, string>): void {
  for (const id of drop) nodes.delete(id);
  for (const tuple of put) keepNode(tuple, nodes, parents);
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
