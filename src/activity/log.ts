import { BackendError, NotFoundError, StaleError } from "../backends/errors.ts";
import { SYNC_LOG_PATH } from "../backends/layout.ts";
import type { Backend, Expect, Opened, Rev, Source } from "../backends/types.ts";
import type { Clock } from "../lib/clock.ts";
import { faultPoint } from "../lib/fault.ts";
import { dumpPython } from "../lib/json.ts";
import { fromBytes, TooLongError, toBytes } from "../lib/streams.ts";
import type { EventAction, LogEvent } from "./model.ts";

/** How many events the shared log keeps (reference 1.7). */
export const MAX_EVENTS = 200;

/** Bytes; 200 events of 101 paths stay far below. */
const MAX_LOG_BYTES = 64 * 1024 * 1024;
const MAX_TRIES = 5;
const RETRY_PAUSE_MS = 50;

export interface LogOptions {
  readonly signal?: AbortSignal;
}

export interface AppendOptions extends LogOptions {
  readonly clock: Clock;
  /** True when this machine has added to the log before: one that may have to be made is looked for without a lock. */
  readonly wasSeen?: boolean;
}

export type LogContent =
  /** Oldest first; `skipped` counts entries that are no event. */
  | { readonly kind: "ok"; readonly events: readonly LogEvent[]; readonly skipped: number }
  | { readonly kind: "missing" }
  | { readonly kind: "unreadable"; readonly reason: string };

/** An event as it stands in the file: the action may be a word of a later version. */
export interface StoredEvent extends Omit<LogEvent, "action"> {
  readonly action: string;
}

export type ParsedLog =
  | { readonly kind: "ok"; readonly events: readonly StoredEvent[]; readonly skipped: number }
  | { readonly kind: "unreadable"; readonly reason: string };

export type AppendResult =
  | { readonly kind: "appended" }
  /**
   * The entries are not in the log, which stayed as it was; `notice` says why in one sentence. `passing`: a later try may
   * well succeed.
   */
  | { readonly kind: "skipped"; readonly notice: string; readonly passing: boolean };

/**
 * Reads the shared log (reference 1.7): unknown keys are dropped, an entry that occurs twice is shown once, and one that
 * lacks a key or has an unknown action is counted and left out. Throws BackendError when the remote cannot be reached.
 */
export async function readLog(backend: Backend, options: LogOptions = {}): Promise<LogContent> {
  const found = await fetchLog(backend, options);
  if (found.kind !== "ok") return found;
  const events = found.events.filter(hasKnownAction);
  return { kind: "ok", events, skipped: found.skipped + found.events.length - events.length };
}

/**
 * Adds a run's entries at the end of the shared log, keeping the last 200, by one guarded write: when another machine was
 * faster its entries are read and kept. All entries are written with exactly the six keys that every version reads,
 * each once. A log that cannot be read is never overwritten. Throws only when the signal fires.
 */
export async function appendEvents(
  backend: Backend,
  events: readonly LogEvent[],
  options: AppendOptions,
): Promise<AppendResult> {
  try {
    const edited = await editLog(backend, events, options);
    if (edited !== undefined) return edited;
    for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
      const found = await fetchLog(backend, options);
      if (found.kind === "unreadable") {
        // A server that writes in place shows half a log for a moment.
        if (attempt === MAX_TRIES) return skipped(refusal(found.reason));
      } else {
        const body = extended(found.kind === "ok" ? found.events : [], events);
        if (body === undefined) return { kind: "appended" };
        const expect = found.kind === "ok" ? found.rev : "absent";
        if (await replaceLog(backend, body, expect, options)) return { kind: "appended" };
      }
      if (attempt < MAX_TRIES) await options.clock.sleep(RETRY_PAUSE_MS * attempt, options.signal);
    }
    return skipped(`cannot add to the sync log: other machines changed it ${MAX_TRIES} times meanwhile`, {
      passing: true,
    });
  } catch (error) {
    if (options.signal?.aborted || !(error instanceof Error)) throw error;
    const passing = error instanceof BackendError && error.class === "TRANSIENT";
    return skipped(`cannot add to the sync log: ${error.message}`, { passing });
  }
}

/**
 * Where a log is replaced under a lock, reading it under the same lock saves requests. Undefined where that is of no use, and
 * where the log could not be read.
 */
async function editLog(
  backend: Backend,
  events: readonly LogEvent[],
  options: AppendOptions,
): Promise<AppendResult | undefined> {
  if (backend.edit === undefined || options.wasSeen !== true) return undefined;
  let result: AppendResult | undefined;
  const change = async (opened: Opened): Promise<Source | undefined> => {
    const found = await parseOpened(opened, options);
    result = found.kind === "ok" ? { kind: "appended" } : undefined;
    const body = found.kind === "ok" ? extended(found.events, events) : undefined;
    if (body !== undefined) faultPoint("log-write");
    return body;
  };
  try {
    await backend.edit(SYNC_LOG_PATH, change, signalOf(options));
    return result;
  } catch (error) {
    if (error instanceof StaleError || error instanceof NotFoundError) return undefined;
    throw error;
  }
}

function skipped(notice: string, { passing } = { passing: false }): AppendResult {
  return { kind: "skipped", notice, passing };
}

/** The log with those events added that it lacks; undefined when it has them all. */
function extended(before: readonly StoredEvent[], events: readonly LogEvent[]): Source | undefined {
  const added = events.filter((event) => !before.some((other) => isTwin(other, event)));
  if (added.length === 0) return undefined;
  const body = new TextEncoder().encode(formatLog([...before, ...added].slice(-MAX_EVENTS)));
  return { size: body.length, open: () => fromBytes(body) };
}

/** The entries of a log's text that have all six keys, twins once, oldest first. */
export function parseLog(text: string): ParsedLog {
  const listed = listedEvents(text);
  if (typeof listed === "string") return { kind: "unreadable", reason: listed };
  const events = new Map<string, StoredEvent>();
  let skipped = 0;
  for (const entry of listed) {
    const event = parseEvent(entry);
    if (event === undefined) skipped++;
    else events.set(identity(event), event);
  }
  if (events.size === 0 && skipped > 0) return { kind: "unreadable", reason: "none of its entries is an event" };
  return { kind: "ok", events: [...events.values()], skipped };
}

/** The log's text, byte for byte as the Python tool 0.5.31 writes it. */
export function formatLog(events: readonly StoredEvent[]): string {
  const entries = events.map(({ machine, user, timestamp, files, action, project }) => {
    return { machine, user, timestamp, files, action, project };
  });
  return dumpPython({ events: entries }, { indent: 2 });
}

type FetchedLog =
  | {
      readonly kind: "ok";
      readonly events: readonly StoredEvent[];
      readonly skipped: number;
      readonly rev: Rev;
      readonly racy: boolean;
    }
  | { readonly kind: "missing" }
  | { readonly kind: "unreadable"; readonly reason: string };

/** The log with what it was read at, of the body at hand if there is one. Throws BackendError when the remote cannot be reached. */
export async function fetchLog(
  backend: Backend,
  { opened: atHand, ...options }: LogOptions & { readonly opened?: Opened | undefined },
): Promise<FetchedLog> {
  try {
    const opened = atHand ?? (await backend.read(SYNC_LOG_PATH, signalOf(options)));
    const parsed = await parseOpened(opened, options);
    const { rev, racy } = opened.file;
    return parsed.kind === "ok" ? { ...parsed, rev, racy } : parsed;
  } catch (error) {
    if (error instanceof NotFoundError) return { kind: "missing" };
    throw error;
  }
}

async function parseOpened({ body }: Opened, options: LogOptions): Promise<ParsedLog> {
  try {
    const text = decode(await toBytes(body, { limit: MAX_LOG_BYTES, ...signalOf(options) }));
    return text === undefined ? { kind: "unreadable", reason: "it is not UTF-8 text" } : parseLog(text);
  } catch (error) {
    if (error instanceof TooLongError)
      return { kind: "unreadable", reason: `it is larger than ${MAX_LOG_BYTES} bytes` };
    throw error;
  }
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** False when another machine wrote in between. */
async function replaceLog(backend: Backend, source: Source, expect: Expect, options: LogOptions): Promise<boolean> {
  faultPoint("log-write");
  try {
    await backend.write(SYNC_LOG_PATH, source, { expect, ...signalOf(options) });
    return true;
  } catch (error) {
    if (error instanceof StaleError || error instanceof NotFoundError) return false;
    throw error;
  }
}

function listedEvents(text: string): readonly unknown[] | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return text.trim() === "" ? "it is empty" : "it is not valid JSON";
  }
  const events = isObject(value) ? value["events"] : undefined;
  return Array.isArray(events) ? events : 'it has no list "events"';
}

/** Unknown keys are dropped; undefined where one is missing. */
export function parseEvent(entry: unknown): StoredEvent | undefined {
  if (!isObject(entry)) return undefined;
  const { machine, user, timestamp, files, action, project } = entry;
  if (typeof machine !== "string" || typeof user !== "string" || typeof timestamp !== "string") return undefined;
  if (typeof action !== "string" || typeof project !== "string" || !isTextList(files)) return undefined;
  return { machine, user, timestamp, files, action, project };
}

/** Equal for equal events. */
export function identity(event: StoredEvent): string {
  return JSON.stringify([event.machine, event.user, event.timestamp, event.files, event.action, event.project]);
}

function isTwin(a: StoredEvent, b: StoredEvent): boolean {
  return a.timestamp === b.timestamp && identity(a) === identity(b);
}

const KNOWN_ACTIONS: Readonly<Record<EventAction, true>> = { push: true, pull: true, sync: true, delete: true };

function hasKnownAction(event: StoredEvent): event is LogEvent {
  return Object.hasOwn(KNOWN_ACTIONS, event.action);
}

function refusal(reason: string): string {
  return `cannot add to the sync log "${SYNC_LOG_PATH}": ${reason}; it was left as it is, remove or repair it`;
}

function signalOf(options: LogOptions): LogOptions {
  return options.signal === undefined ? {} : { signal: options.signal };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
