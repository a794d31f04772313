import type { Clock } from "../../lib/clock.ts";
import type { RelPath } from "../../lib/path.ts";
import { BackendError } from "../errors.ts";
import type { ListOptions } from "../types.ts";
import { applyNet, newStream, type Settle, type Stream, settle, takeIn } from "./changes.ts";
import {
  CursorLostError,
  type IdKind,
  type Node,
  type NodeChange,
  type NodeSource,
  type Nodes,
  type SourceNode,
} from "./model.ts";
import { notedStore } from "./noted.ts";
import { type Kept, nodeStore } from "./store.ts";
import { type NodeListing, type NodeView, type ViewOptions, viewNodes } from "./view.ts";

export interface NodeIndexOptions extends Omit<ViewOptions, "root"> {
  /** Absolute path of the file that keeps nodes and cursor between runs. */
  readonly file: string;
  /** Whose nodes these are (account, drive, folder): what was kept under another key is not believed. */
  readonly key: string;
  readonly source: NodeSource;
  readonly ids: IdKind;
  readonly clock: Clock;
  /** Finds the node that is the remote root. */
  readonly root: (nodes: Nodes) => string | undefined;
  /** The rule by which streams are applied. */
  readonly settle?: Settle;
  /** True when what this process noted is later than what the stream says of the same item; false when left out. */
  readonly isLater?: (noted: SourceNode, streamed: NodeChange) => boolean;
}

/**
 * The items of a remote, kept up to date by the vendor's own stream of changes: one request when nothing has changed, a
 * full stream when there is no cursor. Losing the file costs that full stream and nothing else.
 */
export interface NodeIndex {
  /** A complete listing as of the end of the stream. Throws what the source throws, and then nothing was taken over. */
  list(under: RelPath | "", options?: ListOptions): Promise<NodeListing>;
  /** What the last stream left at a path, best first: no request, and no proof of anything. */
  at(path: RelPath | ""): readonly Node[];
  /** What the last stream, or a note since, left of an item: no request, and no proof of anything. */
  node(id: string): Node | undefined;
  /**
   * What this process did itself or was told by the way, ahead of the stream, which may be slow to tell: seen by all
   * that follows until the stream speaks of the item, in the next processes too when `save` is called.
   */
  note(changes: readonly NodeChange[]): void;
  /** Keeps the notes that no stream has confirmed yet; writes nothing when there are none and were none. */
  save(): void;
}

/** An unchanged remote leaves the kept cursor alone until it is so old that the vendor may soon forget it. */
const CURSOR_AGE_MS = 7 * 24 * 3600 * 1000;
/** So many cursors are lost in one listing before it gives up. */
const MOST_RESTARTS = 3;

export function nodeIndex(options: NodeIndexOptions): NodeIndex {
  const store = nodeStore(options.file, options.key);
  const rule = options.settle ?? settle;
  const notes = notedStore(`${options.file}.noted`, options);
  let kept: Kept | undefined;
  let loaded = false;
  let view: NodeView | undefined;
  /** A stream whose pages were cut off; it goes on where it stopped. */
  let open: Progress | undefined;
  let queue: Promise<unknown> = Promise.resolve();
  /** The run leaves caches alone. */
  let isQuiet = false;
  let hasNoted = false;

  const present = (): NodeView => {
    const nodes: Nodes = kept?.nodes ?? new Map();
    if (view === undefined) {
      view = viewNodes(nodes, { ...options, root: options.root(nodes) });
      for (const change of notes.all()) view.set(change.id, change.is === "gone" ? undefined : change);
    }
    return view;
  };

  async function refresh(list: ListOptions): Promise<NodeView> {
    // What happened since a stream began need not be in it: one of an earlier call is followed by one of this call.
    if (open !== undefined) await readStream(list);
    return readStream(list);
  }

  async function readStream(list: ListOptions): Promise<NodeView> {
    isQuiet ||= list.remember === false;
    if (!loaded) {
      kept = store.load();
      // One that was looked at before anything was loaded shows nothing.
      view = undefined;
    }
    loaded = true;
    open ??= { stream: newStream(kept === undefined), cursor: kept?.cursor };
    await readOn(open, options, list);
    const { stream, cursor } = open;
    open = undefined;
    if (notes.settle(stream.last.values())) view = undefined;
    if (cursor === undefined) throw new RangeError("a stream ended without a cursor");
    const net = rule(kept?.nodes ?? new Map(), stream, options.ids);
    const changed = stream.full || net.put.length > 0 || net.drop.length > 0;
    const atMs = Math.round(options.clock.now());
    const aged = kept === undefined || atMs - kept.atMs > CURSOR_AGE_MS;
    if (!changed && !aged) return present();
    const nodes = changed ? applyNet(kept?.nodes ?? new Map(), net, stream.full) : (kept as Kept).nodes;
    kept = { nodes, cursor, atMs };
    if (changed) view = undefined;
    if (list.remember !== false) {
      if (stream.full) store.replace(kept);
      else store.append(net, kept);
    } else loaded = false;
    return present();
  }

  return {
    async list(under, list = {}) {
      // One stream at a time; who comes later gets a stream that began later.
      const turn = queue.then(() => refresh(list));
      queue = turn.catch(() => {});
      return (await turn).list(under, list);
    },
    at: (path) => present().at(path),
    node: (id) => present().node(id),
    note(changes) {
      hasNoted ||= changes.length > 0;
      for (const change of changes) {
        notes.add(change);
        view?.set(change.id, change.is === "gone" ? undefined : change);
      }
    },
    save() {
      if (hasNoted || !isQuiet) notes.save();
    },
  };
}

interface Progress {
  stream: Stream;
  cursor: string | undefined;
}

/** Takes in pages until the last one. What was taken in stays in `progress` when a page fails. */
async function readOn(progress: Progress, options: NodeIndexOptions, list: ListOptions): Promise<void> {
  const call = list.signal === undefined ? {} : { signal: list.signal };
  for (let restarts = 0; ; ) {
    list.signal?.throwIfAborted();
    try {
      const page = await options.source.page(progress.cursor, call);
      if (page.more && page.cursor === progress.cursor) throw looping("a page leads to itself");
      takeIn(progress.stream, page.changes, options.ids);
      progress.cursor = page.cursor;
      list.onCount?.(progress.stream.last.size);
      if (!page.more) return;
    } catch (error) {
      if (!(error instanceof CursorLostError)) throw error;
      if (++restarts > MOST_RESTARTS) throw looping("the server loses every cursor that it gives");
      progress.stream = newStream(true);
      progress.cursor = error.restart;
    }
  }
}

function looping(why: string): BackendError {
  return new BackendError(`Could not list the remote: ${why}`, { class: "TRANSIENT" });
}
