import type { Channel, ReceivedMessage } from "../backends/channel.ts";
import { BackendError } from "../backends/errors.ts";
import type { Clock } from "../lib/clock.ts";
import { identity, type StoredEvent } from "./log.ts";
import { type LogMark, newsIn } from "./log-mark.ts";

/** Where other machines tell at once what they did. */
export interface Feed {
  /** Opens it anew; undefined where there is none. */
  open(): Promise<Channel | undefined>;
  /** What a message says; "look": the log may have news. */
  read(message: ReceivedMessage): StoredEvent | "look" | "nothing";
  /** Takes one line for a person, when it begins to fail for longer and when it is well again. */
  note(line: string): void;
}

export interface FeedDeps {
  readonly feed: Feed;
  readonly clock: Clock;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** Keeps what a message says. Throws when that could not be done: the message is then handed over again. */
  take(event: StoredEvent): Promise<void>;
  /** Asks for a look at the log: it opened, it closed, or a message said so. */
  hint(): void;
}

/** A channel that is followed. */
export interface Following {
  /** Whether what others do is told as they do it. */
  isOpen(): boolean;
  /** Resolves when the signal has fired and all is closed, or when there is no channel. Never rejects. */
  readonly ended: Promise<void>;
}

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** Where a person has to do something first. */
const LONGEST_HOPELESS_MS = 300_000;
/** A service closes streams now and then. */
const QUIET_FAILURES = 3;

/**
 * Follows the channel until the signal fires. Whatever ends it is followed by another attempt after a growing pause; a
 * person is told once of what lasts.
 */
export function followFeed(deps: FeedDeps): Following {
  const state = { isOpen: false };
  return { isOpen: () => state.isOpen, ended: supervise(deps, state) };
}

async function supervise(deps: FeedDeps, state: { isOpen: boolean }): Promise<void> {
  const { signal, feed, hint } = deps;
  const trouble = { failures: 0, told: "" };
  const setOpen = (isOpen: boolean) => {
    if (state.isOpen === isOpen) return;
    state.isOpen = isOpen;
    hint();
  };
  const opened = () => {
    if (trouble.told !== "") feed.note("Changes are told as they happen again.");
    Object.assign(trouble, { failures: 0, told: "" });
    setOpen(true);
  };
  while (!signal.aborted) {
    let pauseMs = FIRST_PAUSE_MS;
    try {
      if ((await listen(deps, opened)) === "none") return;
    } catch (error) {
      if (signal.aborted) break;
      pauseMs = afterFailure(error, trouble, deps);
    }
    setOpen(false);
    await deps.clock.sleep(pauseMs, signal).catch(() => undefined);
  }
}

async function listen({ feed, signal, take, hint }: FeedDeps, onOpen: () => void): Promise<"ended" | "none"> {
  const channel = await feed.open();
  if (channel === undefined) return "none";
  let skipped = 0;
  try {
    await channel.listen({
      signal,
      onOpen,
      async take(message) {
        const said = feed.read(message);
        if (said === "look") hint();
        else if (said !== "nothing") await take(said);
        else if (++skipped === 1) feed.note("A message was skipped: it tells of nothing that this version knows.");
      },
    });
    return "ended";
  } finally {
    channel.close();
  }
}

/** How long to wait before the next attempt, milliseconds. */
function afterFailure(
  error: unknown,
  trouble: { failures: number; told: string },
  { feed, random }: Pick<FeedDeps, "feed" | "random">,
): number {
  trouble.failures++;
  const mayPass = error instanceof BackendError && error.class === "TRANSIENT";
  const hint = error instanceof BackendError && error.hint !== undefined ? ` ${error.hint}` : "";
  const said = `${error instanceof Error ? error.message : String(error)}.${hint}`;
  if (said !== trouble.told && (!mayPass || (trouble.failures >= QUIET_FAILURES && trouble.told === ""))) {
    trouble.told = said;
    feed.note(`Changes are not told as they happen, the log is looked at every poll_interval instead: ${said}`);
  }
  const longest = mayPass ? LONGEST_PAUSE_MS : LONGEST_HOPELESS_MS;
  const ceiling = Math.min(longest, FIRST_PAUSE_MS * 2 ** Math.min(trouble.failures - 1, 16));
  return ceiling * (0.5 + random() / 2);
}

/** Brings one event, unless it was brought before; answers it where it is news. Throws when it could not be kept. */
export async function bring(
  event: StoredEvent,
  deps: {
    readMark(): LogMark | undefined;
    writeMark(mark: LogMark): void;
    wanted(): (event: StoredEvent, id: string) => boolean;
    deliver(news: readonly StoredEvent[]): void | Promise<void>;
  },
): Promise<readonly StoredEvent[]> {
  const mark = deps.readMark() ?? { rev: null, seen: [] };
  if (mark.seen.includes(identity(event))) return [];
  const { news, seen } = newsIn([event], mark, deps.wanted());
  if (news.length > 0) await deps.deliver(news);
  deps.writeMark({ ...mark, seen });
  return news;
}
