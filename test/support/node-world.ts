import { CursorLostError, type NodeChange, type NodePage, type NodeSource } from "../../src/backends/nodes/model.ts";
import type { Random } from "./random.ts";

/** What a remote shows below a folder: every path with what is there. */
export type Picture = ReadonlyMap<string, string>;

/** A remote with a history, and the stream that its vendor gives of it. */
export interface NodeWorld {
  /** One random deed of somebody. */
  act(): void;
  /** What is really there. */
  picture(): Picture;
  /** A page; cursors of before `forget` are lost. */
  readonly source: NodeSource;
  forget(): void;
  /** Called before each page: may act, may throw. */
  beforePage: () => void;
}

interface Item {
  parent: string;
  name: string;
  readonly is: "file" | "folder";
  rev: number;
  trashed: boolean;
  changed: number;
}

const NAMES = ["a", "b", "c", "d"];
const PAGE = 3;

/** Items with ids that stay: pages hold the present state of what changed, in any order, some of it twice. */
export function idWorld(random: Random): NodeWorld {
  const items = new Map<string, Item>();
  /** When what is gone for good went. */
  const gone = new Map<string, number>();
  const moved = new Set<string>();
  let seq = 0;
  let made = 0;
  let era = 0;
  let pages = 0;
  const streams = new Map<string, { readonly ids: readonly string[]; readonly end: string }>();
  const put = (id: string, item: Omit<Item, "changed" | "trashed">) =>
    items.set(id, { ...item, trashed: false, changed: ++seq });
  put("top", { parent: "", name: "", is: "folder", rev: 0 });
  put("root", { parent: "top", name: "mirror", is: "folder", rev: 0 });
  put("other", { parent: "top", name: "other", is: "folder", rev: 0 });

  const children = (id: string) => [...items].filter(([, item]) => item.parent === id).map(([child]) => child);
  const descendants = (id: string): string[] => children(id).flatMap((child) => [child, ...descendants(child)]);
  const free = (parent: string): string | undefined => {
    const taken = new Set(children(parent).map((id) => (items.get(id) as Item).name));
    const names = NAMES.filter((name) => !taken.has(name));
    return names.length === 0 ? undefined : random.pick(names);
  };
  const folders = () => [...items].filter(([, { is }]) => is === "folder").map(([id]) => id);
  const movable = () => [...items.keys()].filter((id) => id !== "top" && id !== "other");
  const touch = (id: string, change: Partial<Item>) => {
    items.set(id, { ...(items.get(id) as Item), ...change, changed: ++seq });
  };

  function remove(id: string): void {
    const below = descendants(id);
    for (const each of [...below, id]) {
      items.delete(each);
      // Some vendors name what went with a folder, others leave that to be understood of what was always in it.
      if (each === id || moved.has(each) || random.below(2) === 0) gone.set(each, ++seq);
    }
  }

  function move(id: string): void {
    const inside = new Set([id, ...descendants(id)]);
    const target = random.pick(folders().filter((folder) => !inside.has(folder)));
    const name = free(target);
    if (name === undefined) return;
    touch(id, { parent: target, name });
    moved.add(id);
  }

  function create(): void {
    const parent = random.pick(folders());
    const name = free(parent);
    if (name === undefined) return;
    put(`i${++made}`, { parent, name, is: random.below(3) === 0 ? "folder" : "file", rev: 0 });
  }

  function changeOf(id: string): NodeChange | undefined {
    const item = items.get(id);
    if (item === undefined) return gone.has(id) ? { is: "gone", id } : undefined;
    const { parent, name } = item;
    if (item.trashed) return { is: "hidden", id, parent, name };
    if (item.is === "folder") return { is: "folder", id, parent, name };
    return { is: "file", id, parent, name, size: item.rev, rev: `r${item.rev}`, hash: `h${item.rev}` };
  }

  function stream(since: number): string {
    const ids = [...items].filter(([, { changed }]) => changed > since).map(([id]) => id);
    if (since > 0) for (const [id, at] of gone) if (at > since) ids.push(id);
    const mixed = ids.flatMap((id) => (random.below(4) === 0 ? [id, id] : [id]));
    for (let i = mixed.length - 1; i > 0; i--) {
      const j = random.below(i + 1);
      [mixed[i], mixed[j]] = [mixed[j] as string, mixed[i] as string];
    }
    const key = `s${streams.size}`;
    streams.set(key, { ids: mixed, end: `d${era}:${seq}` });
    return key;
  }

  const world: NodeWorld = {
    beforePage: () => {},
    act() {
      const deed = random.below(10);
      const some = movable();
      if (deed < 4 || some.length < 4) create();
      else if (deed < 6) {
        const files = some.filter((id) => items.get(id)?.is === "file");
        if (files.length > 0) {
          const id = random.pick(files);
          touch(id, { rev: (items.get(id) as Item).rev + 1 });
        }
      } else if (deed < 8) move(random.pick(some));
      else if (deed < 9) {
        const id = random.pick(some);
        const isRoot = items.get(id)?.name === "mirror";
        if (!isRoot || random.below(5) === 0) remove(id);
        if (random.below(2) === 0 && !children("top").some((child) => items.get(child)?.name === "mirror")) {
          put(`root${++made}`, { parent: "top", name: "mirror", is: "folder", rev: 0 });
        }
      } else {
        const id = random.pick(some);
        touch(id, { trashed: !(items.get(id) as Item).trashed });
      }
    },
    picture() {
      const shown = new Map<string, string>();
      const look = (id: string, path: string): void => {
        for (const child of children(id)) {
          const item = items.get(child) as Item;
          if (item.trashed) continue;
          const at = path === "" ? item.name : `${path}/${item.name}`;
          shown.set(at, item.is === "folder" ? "folder" : `r${item.rev}`);
          if (item.is === "folder") look(child, at);
        }
      };
      const root = children("top").find((id) => {
        const item = items.get(id) as Item;
        return item.name === "mirror" && item.is === "folder" && !item.trashed;
      });
      if (root === undefined) return new Map([["", "missing"]]);
      look(root, "");
      return shown;
    },
    forget: () => void era++,
    source: {
      async page(cursor): Promise<NodePage> {
        world.beforePage();
        let [key, from] = ["", 0];
        if (cursor === undefined) key = stream(0);
        else if (cursor.startsWith("d")) {
          const [made, since] = cursor.slice(1).split(":").map(Number);
          if (made !== era) throw new CursorLostError();
          key = stream(since as number);
        } else {
          const parts = cursor.split(":");
          if (Number(parts[2]) !== era) throw new CursorLostError();
          [key, from] = [parts[0] as string, Number(parts[1])];
        }
        const { ids, end } = streams.get(key) as { ids: readonly string[]; end: string };
        const to = from + random.below(PAGE + 1);
        const changes = ids.slice(from, to).flatMap((id, at) => {
          const change = changeOf(id);
          if (change === undefined) return [];
          // Of an item that comes again later an older state may come first.
          const again = ids.indexOf(id, from + at + 1) >= 0;
          return again && change.is === "file" ? [{ ...change, rev: "old", name: "old" }] : [change];
        });
        const more = to < ids.length;
        return { changes, cursor: more ? `${key}:${to}:${era}:${++pages}` : end, more };
      },
    },
  };
  return world;
}

/** A log of paths, in the order in which things happened: a removal takes what is below, a file replaces a folder. */
export function pathWorld(random: Random): NodeWorld {
  const items = new Map<string, { readonly is: "file" | "folder"; readonly rev: number }>();
  const log: NodeChange[] = [];
  let era = 0;
  let revs = 0;
  let pages = 0;
  const top = "/mirror";

  const parentOf = (path: string) => path.slice(0, path.lastIndexOf("/"));
  const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);
  const tell = (path: string): NodeChange => {
    const item = items.get(path) as { is: "file" | "folder"; rev: number };
    const place = { id: path, parent: parentOf(path), name: nameOf(path).toUpperCase() };
    if (item.is === "folder") return { is: "folder", ...place };
    return { is: "file", ...place, size: item.rev, rev: `r${item.rev}`, hash: `h${item.rev}` };
  };
  const below = (path: string) => [...items.keys()].filter((other) => other.startsWith(`${path}/`));
  const clear = (path: string) => {
    for (const other of below(path)) items.delete(other);
    items.delete(path);
  };
  const set = (path: string, is: "file" | "folder") => {
    if (is === "file") clear(path);
    items.set(path, { is, rev: ++revs });
    log.push(tell(path));
  };
  set(top, "folder");

  const folders = () => [...items].filter(([, { is }]) => is === "folder").map(([path]) => path);
  const target = () => `${folders().length === 0 ? "" : random.pick(folders())}/${random.pick(NAMES)}`;

  function drop(path: string): void {
    clear(path);
    log.push({ is: "gone", id: path });
  }

  function move(from: string, to: string): void {
    const moved = [from, ...below(from)].map((path) => [path, items.get(path)?.is ?? "file"] as const);
    if (to === from || to.startsWith(`${from}/`) || from.startsWith(`${to}/`) || items.has(to)) return;
    drop(from);
    for (const [path, is] of moved) set(to + path.slice(from.length), is);
  }

  const world: NodeWorld = {
    beforePage: () => {},
    act() {
      const all = [...items.keys()];
      const deed = random.below(10);
      if (!items.has(top) && random.below(2) === 0) set(top, "folder");
      else if (deed < 5 || all.length < 3) {
        const path = target();
        if (items.get(path)?.is !== "folder" || random.below(3) === 0)
          set(path, random.below(3) === 0 ? "folder" : "file");
      } else if (deed < 7) move(random.pick(all), target());
      else {
        const path = random.pick(all);
        if (path !== top || random.below(6) === 0) drop(path);
      }
    },
    picture() {
      if (items.get(top)?.is !== "folder") return new Map([["", "missing"]]);
      return new Map(
        below(top).map((path) => {
          const item = items.get(path) as { is: "file" | "folder"; rev: number };
          return [path.slice(top.length + 1).toUpperCase(), item.is === "folder" ? "folder" : `r${item.rev}`];
        }),
      );
    },
    forget: () => void era++,
    source: {
      async page(cursor): Promise<NodePage> {
        world.beforePage();
        if (cursor === undefined) {
          // Everything, told without the folders that the files below them imply.
          const end = log.length;
          const all = [...items.keys()].sort().map(tell);
          const changes = all.filter(({ is, id }) => is === "file" || below(id).length === 0 || random.below(2) === 0);
          return { changes, cursor: `${era}:${end}:${++pages}`, more: random.below(2) === 0 };
        }
        const [made, from] = cursor.split(":").map(Number) as [number, number];
        if (made !== era) throw new CursorLostError();
        const to = Math.min(log.length, from + random.below(PAGE + 1));
        const changes = log.slice(from, to).flatMap((change) => (random.below(4) === 0 ? [change, change] : [change]));
        return { changes, cursor: `${era}:${to}:${++pages}`, more: to < log.length };
      },
    },
  };
  return world;
}
