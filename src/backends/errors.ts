import { isDiskFull } from "../lib/system-error.ts";

/** How an error is reacted to (reference 2.12). */
export type ErrorClass = "TRANSIENT" | "AUTH" | "QUOTA" | "PERMISSION" | "FILE_REJECTED" | "UNKNOWN";

export interface BackendErrorOptions {
  readonly class: ErrorClass;
  /** HTTP status, when there was one. */
  readonly status?: number;
  /** The server asked for this pause, milliseconds; the whole account waits. */
  readonly pauseMs?: number;
  /** What the user can do about it: one sentence. */
  readonly hint?: string;
  readonly cause?: unknown;
  /** True when the request may have taken effect although no answer came. */
  readonly outcomeUnknown?: boolean;
}

/** What a backend throws. The message says what was attempted on what, then the state found. */
export class BackendError extends Error {
  readonly class: ErrorClass;
  readonly status: number | undefined;
  readonly pauseMs: number | undefined;
  readonly hint: string | undefined;
  readonly outcomeUnknown: boolean;

  constructor(message: string, options: BackendErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "BackendError";
    this.class = options.class;
    this.status = options.status;
    this.pauseMs = options.pauseMs;
    this.hint = options.hint;
    this.outcomeUnknown = options.outcomeUnknown ?? false;
  }
}

/** A guarded write, remove, copy or read met another version than the one named. Nothing was changed. */
export class StaleError extends BackendError {
  constructor(message: string, options: Omit<BackendErrorOptions, "class"> = {}) {
    super(message, { ...options, class: "FILE_REJECTED" });
    this.name = "StaleError";
  }
}

/** The path is surely not there. */
export class NotFoundError extends BackendError {
  constructor(message: string, options: Omit<BackendErrorOptions, "class"> = {}) {
    super(message, { ...options, class: "FILE_REJECTED" });
    this.name = "NotFoundError";
  }
}

/** Something on this machine failed while a transfer was under way: never the remote's fault, never retried as such. */
export class LocalFileError extends Error {
  readonly code: string | undefined;
  constructor(message: string, options: { readonly code?: string; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "LocalFileError";
    this.code = options.code;
  }
}

/** True for what somebody has to put right: sign in, make room here or there, get the right to do it. */
export function needsPerson(error: unknown): boolean {
  if (error instanceof LocalFileError) return isDiskFull(error);
  return error instanceof BackendError && NEEDS_PERSON.has(error.class);
}

const NEEDS_PERSON: ReadonlySet<ErrorClass> = new Set<ErrorClass>(["AUTH", "QUOTA", "PERMISSION"]);

/** Whether a server that would not copy a file may still take its body; a guard that held, or an unclear end, is final. */
export function mayWriteInstead(error: unknown): boolean {
  if (error instanceof NotFoundError) return true;
  if (!(error instanceof BackendError) || error instanceof StaleError || error.outcomeUnknown) return false;
  return error.class === "FILE_REJECTED" || error.class === "UNKNOWN";
}
