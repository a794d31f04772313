import { createHash } from "node:crypto";

export const FOLDER = "application/vnd.google-apps.folder";
export const SHORTCUT = "application/vnd.google-apps.shortcut";
export const DOCUMENT = "application/vnd.google-apps.document";
const NATIVE = "application/vnd.google-apps.";

export type Role = "owner" | "writer" | "reader";

/** One item of the fake Drive. A file has at most one parent, as on the service since 2020. */
export interface Item {
  readonly id: string;
  readonly name: string;
  readonly mimeType: string;
  readonly parent: string | undefined;
  /** Put into the trash by itself; what lies in a trashed folder is trashed with it. */
  readonly binned: boolean;
  readonly content: Buffer | undefined;
  readonly head: string | undefined;
  readonly version: number;
  readonly createdTime: string;
  readonly modifiedTime: string;
  readonly owner: string;
  readonly driveId: string | undefined;
  readonly appProperties: Readonly<Record<string, string>>;
  /** What else this item is shared with, inherited by all below it. */
  readonly shares: ReadonlyMap<string, Role>;
}

/** The service refuses: the parts of its JSON error. */
export class Refusal extends Error {
  readonly status: number;
  readonly reason: string;
  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

export interface NewItem {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly mimeType?: string | undefined;
  readonly parents?: readonly string[] | undefined;
  readonly appProperties?: Readonly<Record<string, string>> | undefined;
  readonly modifiedTime?: string | undefined;
  readonly createdTime?: string | undefined;
}

export interface ItemChange extends NewItem {
  readonly trashed?: boolean | undefined;
  readonly content?: Buffer | undefined;
  readonly addParents?: string | undefined;
  readonly removeParents?: string | undefined;
}

export interface ChangeEntry {
  readonly at: number;
  readonly fileId: string;
  readonly removed: boolean;
}

export interface DriveStore {
  readonly items: ReadonlyMap<string, Item>;
  readonly changes: readonly ChangeEntry[];
  /** Bytes that the account may still store; 403 storageQuotaExceeded beyond. */
  free: number;
  /** While true, listings and searches show the state before; `settle` catches up. `files.get` is always current. */
  lagging: boolean;
  settle(): void;
  /** The items as listings see them. */
  listed(): ReadonlyMap<string, Item>;
  issueIds(count: number): string[];
  rootOf(user: string): string;
  create(user: string, item: NewItem, content: Buffer | undefined): Item;
  update(user: string, id: string, change: ItemChange): Item;
  copy(user: string, id: string, item: NewItem): Item;
  /** Removes for good. */
  remove(user: string, id: string): void;
  get(user: string, id: string): Item;
  roleOf(user: string, item: Item): Role | undefined;
  isTrashed(item: Item): boolean;
  share(id: string, user: string, role: Role): void;
  unshare(id: string, user: string): void;
  addSharedDrive(name: string, members: Readonly<Record<string, Role>>): string;
  /** Bumps the version without touching the content, as viewing or commenting does. */
  touch(id: string): void;
}

const RANK: Readonly<Record<Role, number>> = { reader: 1, writer: 2, owner: 3 };

export function createStore(now: () => number): DriveStore {
  const items = new Map<string, Item>();
  const changes: ChangeEntry[] = [];
  let listed: Map<string, Item> | undefined;
  const issued = new Set<string>();
  let serial = 0;
  let version = 100;
  const stamp = (): string => new Date(now()).toISOString();
  const newId = (): string => {
    const digest = createHash("sha256").update(`id ${++serial}`).digest("base64url");
    return `1${digest.replaceAll(/[-_]/g, "x").slice(0, 32)}`;
  };
  const put = (item: Item): Item => {
    if (store.lagging && listed === undefined) listed = new Map(items);
    items.set(item.id, item);
    changes.push({ at: changes.length + 1, fileId: item.id, removed: false });
    return item;
  };
  const drop = (id: string): void => {
    if (store.lagging && listed === undefined) listed = new Map(items);
    for (const child of [...items.values()]) if (child.parent === id) drop(child.id);
    items.delete(id);
    changes.push({ at: changes.length + 1, fileId: id, removed: true });
  };
  const find = (user: string, id: string): Item => {
    const item = items.get(id === "root" ? store.rootOf(user) : id);
    if (item === undefined || store.roleOf(user, item) === undefined) {
      throw new Refusal(404, "notFound", `File not found: ${id}.`);
    }
    return item;
  };
  const writable = (user: string, id: string): Item => {
    const item = find(user, id);
    if (store.roleOf(user, item) === "reader") {
      throw new Refusal(
        403,
        "insufficientFilePermissions",
        "The user does not have sufficient permissions for this file.",
      );
    }
    return item;
  };
  const folder = (user: string, id: string): Item => {
    const item = writable(user, id);
    if (item.mimeType !== FOLDER) {
      throw new Refusal(403, "parentNotAFolder", "The specified parent is not a folder.");
    }
    return item;
  };
  const charge = (bytes: number): void => {
    if (bytes > store.free) {
      throw new Refusal(403, "storageQuotaExceeded", "The user's Drive storage quota has been exceeded.");
    }
    store.free -= bytes;
  };
  const idFor = (wanted: string | undefined): string => {
    if (wanted === undefined) return newId();
    if (items.has(wanted)) throw new Refusal(409, "fileIdInUse", "A file already exists with the provided ID.");
    if (!issued.has(wanted)) throw new Refusal(400, "invalid", "The provided file ID is not usable.");
    return wanted;
  };

  const store: DriveStore = {
    items,
    changes,
    free: Number.MAX_SAFE_INTEGER,
    lagging: false,
    settle() {
      listed = undefined;
    },
    listed: () => listed ?? items,
    issueIds(count) {
      const ids = Array.from({ length: count }, newId);
      for (const id of ids) issued.add(id);
      return ids;
    },
    rootOf(user) {
      const id = `root-of-${user}`;
      if (!items.has(id)) items.set(id, { ...blank(stamp()), id, name: "My Drive", mimeType: FOLDER, owner: user });
      return id;
    },
    create(user, item, content) {
      const parent = folder(user, item.parents?.[0] ?? store.rootOf(user));
      if ((item.parents?.length ?? 1) > 1) {
        throw new Refusal(400, "invalid", "A file cannot have more than one parent.");
      }
      const id = idFor(item.id);
      const mimeType = item.mimeType ?? "application/octet-stream";
      const native = mimeType.startsWith(NATIVE);
      charge(content?.length ?? 0);
      return put({
        ...blank(stamp()),
        id,
        name: item.name ?? "Untitled",
        mimeType,
        parent: parent.id,
        content: native ? undefined : (content ?? Buffer.alloc(0)),
        head: native ? undefined : newId(),
        version: ++version,
        ...(item.createdTime === undefined ? {} : { createdTime: item.createdTime }),
        ...(item.modifiedTime === undefined ? {} : { modifiedTime: item.modifiedTime }),
        owner: parent.driveId === undefined ? user : "",
        driveId: parent.driveId,
        appProperties: item.appProperties ?? {},
      });
    },
    update(user, id, change) {
      const old = writable(user, id);
      if (change.trashed !== undefined && change.trashed !== old.binned && !mayTrash(user, old)) {
        throw new Refusal(
          403,
          "insufficientFilePermissions",
          "The user does not have sufficient permissions for this file.",
        );
      }
      const { content, addParents, removeParents } = change;
      if (change.parents !== undefined) {
        const words =
          "The parents field is not directly writable in update requests. Use the addParents and removeParents parameters instead.";
        throw new Refusal(403, "fieldNotWritable", words);
      }
      if (addParents !== undefined) folder(user, addParents);
      if (addParents !== undefined && removeParents !== old.parent) {
        throw new Refusal(403, "cannotAddParent", "Increasing the number of parents is not allowed");
      }
      if (content !== undefined && old.mimeType.startsWith(NATIVE)) {
        throw new Refusal(403, "fileNotUpdatable", "Only files with binary content can be replaced.");
      }
      if (content !== undefined) charge(content.length);
      return put({
        ...old,
        name: change.name ?? old.name,
        mimeType: change.mimeType ?? old.mimeType,
        parent: addParents ?? old.parent,
        binned: change.trashed ?? old.binned,
        content: content ?? old.content,
        head: content === undefined ? old.head : newId(),
        version: ++version,
        modifiedTime: change.modifiedTime ?? (content === undefined ? old.modifiedTime : stamp()),
        appProperties: { ...old.appProperties, ...change.appProperties },
      });
    },
    copy(user, id, item) {
      const source = find(user, id);
      if (source.mimeType === FOLDER)
        throw new Refusal(403, "cannotCopyFile", "This file cannot be copied by the user.");
      return store.create(
        user,
        {
          name: item.name ?? `Copy of ${source.name}`,
          mimeType: source.mimeType,
          parents: item.parents ?? (source.parent === undefined ? undefined : [source.parent]),
          id: item.id,
          appProperties: { ...source.appProperties, ...item.appProperties },
        },
        source.content,
      );
    },
    remove(user, id) {
      const item = writable(user, id);
      const owns = item.driveId === undefined ? item.owner === user : store.roleOf(user, item) === "owner";
      if (!owns) {
        throw new Refusal(
          403,
          "insufficientFilePermissions",
          "The user does not have sufficient permissions for this file.",
        );
      }
      drop(item.id);
    },
    get: find,
    roleOf(user, item) {
      // What a person puts into somebody else's folder belongs to them and is open to the folder's people.
      let best: Role | undefined;
      for (
        let at: Item | undefined = item;
        at !== undefined;
        at = at.parent === undefined ? undefined : items.get(at.parent)
      ) {
        const role = at.owner === user ? "owner" : at.shares.get(user);
        if (role !== undefined && RANK[role] > (best === undefined ? 0 : RANK[best])) best = role;
      }
      return best;
    },
    isTrashed(item) {
      for (
        let at: Item | undefined = item;
        at !== undefined;
        at = at.parent === undefined ? undefined : items.get(at.parent)
      ) {
        if (at.binned) return true;
      }
      return false;
    },
    share(id, user, role) {
      const item = items.get(id);
      if (item !== undefined) put({ ...item, shares: new Map([...item.shares, [user, role]]) });
    },
    unshare(id, user) {
      const item = items.get(id);
      if (item === undefined) return;
      put({ ...item, shares: new Map([...item.shares].filter(([name]) => name !== user)) });
    },
    addSharedDrive(name, members) {
      const id = `0A${newId().slice(0, 17)}`;
      const shares = new Map(Object.entries(members));
      items.set(id, { ...blank(stamp()), id, name, mimeType: FOLDER, driveId: id, shares });
      return id;
    },
    touch(id) {
      const item = items.get(id);
      if (item !== undefined) put({ ...item, version: ++version });
    },
  };

  /** In My Drive the owner of the item or of a folder above it; in a shared drive every writer. */
  function mayTrash(user: string, item: Item): boolean {
    if (item.driveId !== undefined) return true;
    return store.roleOf(user, item) === "owner";
  }
  return store;
}

function blank(time: string): Item {
  return {
    id: "",
    name: "",
    mimeType: FOLDER,
    parent: undefined,
    binned: false,
    content: undefined,
    head: undefined,
    version: 1,
    createdTime: time,
    modifiedTime: time,
    owner: "",
    driveId: undefined,
    appProperties: {},
    shares: new Map(),
  };
}

/** The v3 resource. */
export function resourceOf(store: DriveStore, user: string, item: Item): Record<string, unknown> {
  const { content } = item;
  const role = store.roleOf(user, item);
  return {
    kind: "drive#file",
    id: item.id,
    name: item.name,
    mimeType: item.mimeType,
    ...(item.parent === undefined ? {} : { parents: [item.parent] }),
    trashed: store.isTrashed(item),
    explicitlyTrashed: item.binned,
    version: String(item.version),
    createdTime: item.createdTime,
    modifiedTime: item.modifiedTime,
    appProperties: item.appProperties,
    ownedByMe: item.owner === user,
    ...(item.driveId === undefined ? { shared: isShared(store, item) } : {}),
    ...(item.driveId === undefined
      ? { owners: [{ kind: "drive#user", emailAddress: item.owner }] }
      : { driveId: item.driveId }),
    capabilities: { canEdit: role !== "reader", canAddChildren: item.mimeType === FOLDER && role !== "reader" },
    ...(item.mimeType === SHORTCUT ? { shortcutDetails: { targetId: "gone" } } : {}),
    ...(content === undefined || item.mimeType.startsWith(NATIVE)
      ? {}
      : {
          size: String(content.length),
          ...digestsOf(content),
          headRevisionId: item.head,
        }),
  };
}

const digests = new WeakMap<Buffer, Readonly<Record<string, string>>>();

function digestsOf(content: Buffer): Readonly<Record<string, string>> {
  const known = digests.get(content);
  if (known !== undefined) return known;
  const hash = (kind: string): string => createHash(kind).update(content).digest("hex");
  const made = { md5Checksum: hash("md5"), sha1Checksum: hash("sha1"), sha256Checksum: hash("sha256") };
  digests.set(content, made);
  return made;
}

function isShared(store: DriveStore, item: Item): boolean {
  for (let at: Item | undefined = item; at !== undefined; at = store.items.get(at.parent ?? "")) {
    if (at.shares.size > 0) return true;
  }
  return false;
}

/** Names that a v3 field mask may hold. `etag` is no field of v3. */
export const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  ..."kind id name mimeType parents trashed explicitlyTrashed shared version createdTime modifiedTime appProperties ownedByMe owners".split(
    " ",
  ),
  ..."driveId capabilities canEdit canAddChildren shortcutDetails targetId size md5Checksum sha1Checksum sha256Checksum".split(
    " ",
  ),
  ..."headRevisionId emailAddress displayName nextPageToken incompleteSearch files newStartPageToken startPageToken changes".split(
    " ",
  ),
  ..."fileId removed time changeType file ids space user storageQuota limit usage".split(" "),
]);
