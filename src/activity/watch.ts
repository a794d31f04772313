import { BackendError } from "../backends/errors.ts";
import { SYNC_LOG_PATH } from "../backends/layout.ts";
import type { Backend, CallOptions, Opened } from "../backends/types.ts";
import type { Clock } from "../lib/clock.ts";
import { bring, type Feed, type Following, followFeed } from "./feed.ts";
import { collectHints } from "./hints.ts";
import { fetchLog, type StoredEvent } from "./log.ts";
import { type LogMark, newsIn } from "./log-mark.ts";
import type { Beat } from "./model.ts";

/** What one project's watcher works with. */
export interface WatchDeps {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** From 0 up to 1. */
  readonly random: () => number;
  /** Between two looks where the remote does not tell by itself, milliseconds. */
  readonly intervalMs: number;
  /** Opens the remote anew: a connection that broke and a sign-in that ran out are not used again. */
  open(): Promise<Backend>;
  readMark(): LogMark | undefined;
  writeMark(mark: LogMark): void;
  /** Asked at each look that found something new: which of it is brought; `id` tells events apart. */
  wanted(): (event: StoredEvent, id: string) => boolean;
  /** Takes what is new, oldest first. Throws when it could not be kept: it is then brought again. */
  deliver(news: readonly StoredEvent[]): void | Promise<void>;
  /** Told of what is kept for good: whatever happens now, it is not brought again. Nobody waits for it. */
  tell?(news: readonly StoredEvent[]): void;
  /** Where there is one, looks are needed seldom while it stands. */
  readonly feed?: Feed;
  /** Told after every look and every failure. */
  beat(beat: Beat): void;
  /** Called every few seconds while it waits. */
  alive?(): void;
}

/** A remote that surely tells by itself is looked at all the same, now and then. */
const SAFETY_MS = 300_000;
/** Waiting is cut into slices, so that a machine that slept is noticed soon after it wakes. */
const SLICE_MS = 3_000;
const LONGEST_PAUSE_MS = 60_000;
const FIRST_PAUSE_MS = 1_000;
/** So old the cursor on disk may get before it is written anew. */
const CURSOR_MS = 3_600_000;

/**
 * Brings what others add to the shared log, until the signal fires; then it returns. Whatever fails (the network, the
 * sign-in, a log that cannot be read) is tried again after a growing pause, and after a sleep of the machine at once.
 */
export async function watchLog(given: WatchDeps): Promise<void> {
  const deps = { ...given, ...thrifty(given) };
  let failures = 0;
  while (!deps.signal.aborted) {
    try {
      await follow(deps, () => {
        failures = 0;
      });
    } catch (error) {
      if (deps.signal.aborted) return;
      failures++;
      deps.beat({ state: "failing", error: error instanceof Error ? error.message : String(error), failures });
      await pauseAfter(failures, deps);
    }
  }
}

/** One connection. Returns when the machine has slept; throws when anything fails. */
async function follow(deps: WatchDeps, onLook: () => void): Promise<void> {
  const opening = deps.open();
  const backend = await unlessSlept(opening, deps);
  if (backend === "slept") {
    // Nobody waits for it any more.
    opening.then((late) => late.close()).catch(() => undefined);
    return;
  }
  const ended = new AbortController();
  const signal = AbortSignal.any([deps.signal, ended.signal]);
  const hints = collectHints(backend, ended.signal);
  const inTurn = oneAtATime();
  let feed: Following | undefined;
  try {
    for (;;) {
      hints.taken();
      const looked = await unlessSlept(
        inTurn(async () => {
          const found = await look(backend, { ...deps, signal });
          if (found.length > 0) deps.tell?.(found);
        }),
        deps,
      );
      if (looked === "slept") return;
      onLook();
      deps.beat({ state: "ok", told: backend.waitForChange !== undefined || feed?.isOpen() === true });
      feed ??= follows(deps, { signal, inTurn, hint: hints.give });
      const dueMs = deps.clock.now() + longestWait(backend, deps.intervalMs, feed);
      if ((await waitUntil(dueMs, { ...deps, hint: hints.next() })) === "slept") return;
    }
  } finally {
    ended.abort();
    // What is under way may still write the mark. A stream that a sleep of the machine has broken takes its time to close.
    await Promise.all([inTurn(async () => undefined), deps.signal.aborted ? feed?.ended : undefined]);
    await backend.close().catch(() => undefined);
  }
}

type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** Looks and messages write one mark. */
function oneAtATime(): InTurn {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}

/** Begins after the first look, which takes note of what there was before anybody watched. */
function follows(
  deps: WatchDeps,
  { signal, inTurn, hint }: { readonly signal: AbortSignal; readonly inTurn: InTurn; readonly hint: () => void },
): Following | undefined {
  const { feed, clock, random } = deps;
  if (feed === undefined) return undefined;
  const take = async (event: StoredEvent) => {
    const news = await inTurn(() => bring(event, deps));
    if (news.length > 0) deps.tell?.(news);
  };
  return followFeed({ feed, clock, random, signal, take, hint });
}

/** `watch --once`, and each look of `watch`: one request while the log is unchanged. */
export async function look(
  backend: Backend,
  deps: Pick<WatchDeps, "readMark" | "writeMark" | "wanted" | "deliver" | "signal">,
): Promise<readonly StoredEvent[]> {
  const { signal } = deps;
  const mark = deps.readMark();
  const before = mark?.seen ?? [];
  const { changed, opened, place } = await lookForChange(backend, mark, { signal });
  if (!changed) {
    if (mark === undefined || mark.cursor !== place.cursor) deps.writeMark({ ...place, seen: before });
    return [];
  }
  const log = await fetchLog(backend, { signal, opened });
  if (log.kind === "missing") {
    deps.writeMark({ ...place, rev: null, seen: before });
    return [];
  }
  if (log.kind === "unreadable")
    throw new BackendError(`cannot read the sync log "${SYNC_LOG_PATH}": ${log.reason}`, { class: "UNKNOWN" });
  const { news, seen } = newsIn(log.events, mark, deps.wanted());
  if (news.length > 0) await deps.deliver(news);
  // Another machine may have written after the look. A cursor stays the one of the look: nobody tells of a newer one.
  const rev = backend.poll === undefined && !log.racy ? log.rev : null;
  deps.writeMark({ ...place, rev, seen });
  return news;
}

interface Look {
  readonly changed: boolean;
  readonly opened?: Opened | undefined;
  /** What the mark says of the log once it has been read. */
  readonly place: Pick<LogMark, "rev" | "cursor">;
}

async function lookForChange(backend: Backend, mark: LogMark | undefined, call: CallOptions): Promise<Look> {
  if (backend.poll !== undefined) {
    const polled = await backend.poll(SYNC_LOG_PATH, mark?.cursor, call);
    const place = { rev: null, cursor: polled.cursor };
    return polled.kind === "same" ? { changed: false, place } : { changed: true, opened: polled.opened, place };
  }
  const file = await backend.stat(SYNC_LOG_PATH, call);
  if (file === undefined) return { changed: false, place: { rev: null } };
  const rev = file.racy ? null : file.rev;
  return { changed: rev === null || rev !== mark?.rev, place: { rev } };
}

/**
 * The mark in memory, written down whenever something was read. A cursor alone is written now and then: some vendors give
 * another one at each poll, and an older one leads to the same place.
 */
function thrifty({
  readMark,
  writeMark,
  clock,
}: Pick<WatchDeps, "readMark" | "writeMark" | "clock">): Pick<WatchDeps, "readMark" | "writeMark"> {
  let kept: LogMark | undefined;
  let keptAtMs = clock.now();
  return {
    readMark() {
      kept ??= readMark();
      return kept;
    },
    writeMark(mark) {
      const isMove = kept !== undefined && kept.seen === mark.seen && kept.rev === mark.rev;
      if (!isMove || clock.now() - keptAtMs >= CURSOR_MS) {
        writeMark(mark);
        keptAtMs = clock.now();
      }
      kept = mark;
    },
  };
}

/** How long it may take until a change is seen that nobody tells of, milliseconds. */
function longestWait(backend: Backend, intervalMs: number, feed: Following | undefined): number {
  const surely = feed?.isOpen() === true || (backend.waitForChange !== undefined && backend.can.tellsSurely === true);
  return surely ? Math.max(intervalMs, SAFETY_MS) : intervalMs;
}

async function pauseAfter(failures: number, deps: WatchDeps): Promise<void> {
  const ceiling = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 16));
  await waitUntil(deps.clock.now() + ceiling * (0.5 + deps.random() / 2), deps).catch(() => undefined);
}

/** What the work comes to; "slept" when the machine slept meanwhile: what was asked before may never be answered. */
async function unlessSlept<T>(work: Promise<T>, deps: WatchDeps): Promise<T | "slept"> {
  const done = new AbortController();
  const signal = AbortSignal.any([deps.signal, done.signal]);
  const { clock, intervalMs } = deps;
  const sleep = waitUntil(Number.POSITIVE_INFINITY, { clock, intervalMs, signal }).then(() => "slept" as const);
  try {
    return await Promise.race([work, sleep]);
  } finally {
    sleep.catch(() => undefined);
    done.abort();
  }
}

/** Waits for the time, a hint, or the end of a sleep of the machine over two intervals, whichever comes first. */
async function waitUntil(
  atMs: number,
  {
    clock,
    signal,
    intervalMs,
    alive,
    hint,
  }: Pick<WatchDeps, "clock" | "signal" | "intervalMs" | "alive"> & { readonly hint?: Promise<void> | undefined },
): Promise<"due" | "slept"> {
  const told = hint?.then(() => "told" as const);
  for (;;) {
    const before = clock.now();
    if (before >= atMs) return "due";
    const slice = Math.min(SLICE_MS, atMs - before);
    const stop = new AbortController();
    const slept = clock.sleep(slice, AbortSignal.any([signal, stop.signal])).then(() => "slice" as const);
    const woke = await Promise.race(told === undefined ? [slept] : [slept, told]).finally(() => {
      slept.catch(() => undefined);
      stop.abort();
    });
    if (woke === "told") return "due";
    alive?.();
    const passed = clock.now() - before;
    if (passed < 0 || passed > slice + 2 * intervalMs) return "slept";
  }
}
