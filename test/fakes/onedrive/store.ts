import { createHash } from "node:crypto";

/** An answer other than success, in the form that Graph gives errors. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

export interface Item {
  readonly id: string;
  parent: string;
  name: string;
  /** `package` is a OneNote notebook; `remote` a shortcut to a folder that somebody else shared. */
  readonly kind: "file" | "folder" | "package" | "remote";
  bytes: Uint8Array;
  /** Counts changes of anything. */
  etag: number;
  /** Counts changes of the content. */
  ctag: number;
  created: number;
  modified: number;
  /** Place in the drive's history. */
  seq: number;
  target?: { readonly drive: string; readonly id: string };
}

interface Grave {
  readonly seq: number;
  readonly parent: string;
  readonly name: string;
  readonly folder: boolean;
}

/**
 * One drive: items by id, names unique in a folder whatever their case, a history by sequence numbers. Deleting a
 * folder deletes, and tells of, everything in it.
 */
export interface Drive {
  readonly id: string;
  readonly root: string;
  readonly items: ReadonlyMap<string, Item>;
  readonly graves: ReadonlyMap<string, Grave>;
  /** Bytes; uploads beyond it are refused. */
  quota: number;
  seq(): number;
  /** Throws 404 itemNotFound. */
  item(id: string): Item;
  child(parent: string, name: string): Item | undefined;
  children(parent: string): Item[];
  /** `a/b` below a folder; undefined when it is not there. */
  find(from: string, path: string): Item | undefined;
  pathOf(id: string): string;
  put(parent: string, name: string, bytes: Uint8Array): Item;
  write(id: string, bytes: Uint8Array): Item;
  folder(parent: string, name: string): Item;
  /** Makes every folder of `a/b`, those there already kept. */
  folders(from: string, path: string): Item;
  special(parent: string, name: string, kind: "package" | "remote", target?: Item["target"]): Item;
  move(id: string, parent: string, name: string): Item;
  /** Something else than the content changes, such as how it is shared. */
  touch(id: string): void;
  remove(id: string): void;
  used(): number;
}

const FORBIDDEN = /["*:<>?/\\|]/;
const RESERVED = /^(\.lock|CON|PRN|AUX|NUL|COM\d|LPT\d|desktop\.ini)$/i;

/** https://support.microsoft.com/office/64883a5d-228e-48f5-b3d2-eb39e07630fa */
export function checkName(name: string): void {
  const bad =
    name === "" ||
    name.length > 255 ||
    FORBIDDEN.test(name) ||
    RESERVED.test(name) ||
    name.startsWith("~$") ||
    name.includes("_vti_") ||
    name !== name.trim() ||
    name.endsWith(".");
  if (bad) throw new Refusal(400, "invalidRequest", "The provided name cannot contain any of the following characters");
}

export function createDrive(id: string, now: () => number): Drive {
  const items = new Map<string, Item>();
  const graves = new Map<string, Grave>();
  const names = new Map<string, Map<string, string>>();
  let seq = 0;
  let made = 0;
  const root = `${id.toUpperCase()}!ROOT`;

  const make = (parent: string, name: string, kind: Item["kind"], bytes: Uint8Array = new Uint8Array()): Item => {
    const time = now();
    const item: Item = {
      id: `${id.toUpperCase()}!${++made}`,
      parent,
      name,
      kind,
      bytes,
      etag: 1,
      ctag: 1,
      created: time,
      modified: time,
      seq: ++seq,
    };
    items.set(item.id, item);
    inFolder(parent).set(name.toLowerCase(), item.id);
    return item;
  };
  const inFolder = (parent: string): Map<string, string> => {
    const known = names.get(parent) ?? new Map<string, string>();
    names.set(parent, known);
    return known;
  };
  items.set(root, {
    id: root,
    parent: "",
    name: "root",
    kind: "folder",
    bytes: new Uint8Array(),
    etag: 1,
    ctag: 1,
    created: now(),
    modified: now(),
    seq: ++seq,
  });

  const drive: Drive = {
    id,
    root,
    items,
    graves,
    quota: Number.POSITIVE_INFINITY,
    seq: () => seq,
    item(itemId) {
      const item = items.get(itemId);
      if (item === undefined) throw new Refusal(404, "itemNotFound", "The resource could not be found.");
      return item;
    },
    child: (parent, name) => items.get(names.get(parent)?.get(name.toLowerCase()) ?? ""),
    children: (parent) => [...(names.get(parent)?.values() ?? [])].map((child) => items.get(child) as Item),
    find(from, path) {
      let item = items.get(from);
      for (const name of path.split("/").filter((part) => part !== "")) {
        item = item === undefined ? undefined : drive.child(item.id, name);
      }
      return item;
    },
    pathOf(itemId) {
      const item = items.get(itemId);
      if (item === undefined || item.id === root) return "";
      const above = drive.pathOf(item.parent);
      return above === "" ? item.name : `${above}/${item.name}`;
    },
    put(parent, name, bytes) {
      const there = drive.child(parent, name);
      if (there !== undefined) return drive.write(there.id, bytes);
      checkName(name);
      room(bytes.length);
      return make(parent, name, "file", bytes);
    },
    write(itemId, bytes) {
      const item = drive.item(itemId);
      if (item.kind !== "file") throw new Refusal(409, "nameAlreadyExists", "A folder is there.");
      room(bytes.length - item.bytes.length);
      Object.assign(item, { bytes, etag: item.etag + 1, ctag: item.ctag + 1, modified: now(), seq: ++seq });
      return item;
    },
    folder(parent, name) {
      checkName(name);
      return make(parent, name, "folder");
    },
    folders(from, path) {
      let item = drive.item(from);
      for (const name of path.split("/").filter((part) => part !== "")) {
        const next = drive.child(item.id, name) ?? drive.folder(item.id, name);
        if (next.kind !== "folder") throw new Refusal(400, "invalidRequest", "A file is in the way.");
        item = next;
      }
      return item;
    },
    special(parent, name, kind, target) {
      const item = make(parent, name, kind);
      if (target !== undefined) item.target = target;
      return item;
    },
    move(itemId, parent, name) {
      const item = drive.item(itemId);
      checkName(name);
      const there = drive.child(parent, name);
      if (there !== undefined && there.id !== itemId) {
        throw new Refusal(409, "nameAlreadyExists", "An item with the same name already exists.");
      }
      for (let above = parent; above !== ""; above = items.get(above)?.parent ?? "") {
        if (above === itemId) throw new Refusal(400, "invalidRequest", "A folder cannot go into itself.");
      }
      inFolder(item.parent).delete(item.name.toLowerCase());
      inFolder(parent).set(name.toLowerCase(), itemId);
      Object.assign(item, { parent, name, etag: item.etag + 1, seq: ++seq });
      return item;
    },
    touch(itemId) {
      const item = drive.item(itemId);
      Object.assign(item, { etag: item.etag + 1, seq: ++seq });
    },
    remove(itemId) {
      const item = drive.item(itemId);
      for (const child of drive.children(itemId)) drive.remove(child.id);
      items.delete(itemId);
      inFolder(item.parent).delete(item.name.toLowerCase());
      graves.set(itemId, { seq: ++seq, parent: item.parent, name: item.name, folder: item.kind === "folder" });
    },
    used: () => [...items.values()].reduce((sum, { bytes }) => sum + bytes.length, 0),
  };

  function room(more: number): void {
    if (drive.quota < Number.POSITIVE_INFINITY && drive.used() + more > drive.quota) {
      throw new Refusal(507, "insufficientStorage", "There is not enough space to complete the operation.");
    }
  }
  return drive;
}

export const etagOf = (item: Item): string => `"{${item.id}},${item.etag}"`;
export const ctagOf = (item: Item): string => `"c:{${item.id}},${item.ctag}"`;

/** Whether an If-Match value names this version: eTag or cTag, both are documented. */
export function matches(item: Item, header: string): boolean {
  return header === "*" || header === etagOf(item) || header === ctagOf(item);
}

/**
 * QuickXorHash after the algorithm's description, bit by bit and slow on purpose: it shares nothing with the program's.
 * https://learn.microsoft.com/onedrive/developer/code-snippets/quickxorhash
 */
export function quickXor(bytes: Uint8Array): string {
  const block = new Uint8Array(20);
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    const shift = (at * 11) % 160;
    const cell = shift >> 3;
    const wide = byte << (shift & 7);
    block[cell] = (block[cell] as number) ^ (wide & 0xff);
    const next = (cell + 1) % 20;
    block[next] = (block[next] as number) ^ (wide >> 8);
  }
  let length = bytes.length;
  for (let at = 12; at < 20; at++) {
    block[at] = (block[at] as number) ^ (length & 0xff);
    length = Math.floor(length / 256);
  }
  return Buffer.from(block).toString("base64");
}

export const sha1 = (bytes: Uint8Array): string => createHash("sha1").update(bytes).digest("hex").toUpperCase();
