import { type BackendError, type ErrorClass, LocalFileError } from "../backends/errors.ts";
import { redact } from "../lib/redact.ts";
import { isDiskFull, isSystemError, systemState } from "../lib/system-error.ts";

/** What the process answers its caller (design 10). */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  partial: 3,
  conflicts: 4,
  refused: 5,
  needsAction: 6,
  locked: 7,
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Of what was done item by item: what needs a person wins over what the next run tries again (decision 2). */
export function exitOfItems(items: readonly { readonly status: string; readonly needsPerson?: boolean }[]): ExitCode {
  if (items.some(({ needsPerson }) => needsPerson)) return EXIT.needsAction;
  return items.some(({ status }) => status === "failed") ? EXIT.partial : EXIT.ok;
}

/** One failure as it is told: to a person as `message` and `hint`, to a script as `type` and `message`. */
export interface Failure {
  readonly code: ExitCode;
  /** Stable word for scripts: `usage`, `locked`, `auth` ... */
  readonly type: string;
  readonly message: string;
  readonly hint?: string;
  /** Say nothing: the reader of our output has gone. */
  readonly quiet?: boolean;
}

/**
 * Turns whatever was thrown into one sentence and an exit code, nothing secret in either. Errors are known by name, so
 * that no room is loaded for it.
 */
export function describeFailure(error: unknown): Failure {
  const failure = classify(error);
  const message = redact(failure.message);
  return failure.hint === undefined ? { ...failure, message } : { ...failure, message, hint: redact(failure.hint) };
}

function classify(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: EXIT.failed, type: "error", message: String(error) };
  if (codeOf(error) === "EPIPE") return { code: EXIT.ok, type: "pipe", message: error.message, quiet: true };
  const known = BY_NAME[error.name];
  if (known) return withHint({ ...known, message: error.message || known.type }, error);
  if (error.name === "BackendError") return describeBackend(error as BackendError);
  if (error instanceof LocalFileError) return { code: localCode(error), type: "local-file", message: error.message };
  if (isSystemError(error)) return { code: localCode(error), type: "system", message: systemMessage(error) };
  return withHint({ code: EXIT.failed, type: "error", message: firstLine(error.message || error.name) }, error);
}

/** Somebody has to free space before anything else can help. */
function localCode(error: Error): ExitCode {
  return isDiskFull(error) ? EXIT.needsAction : EXIT.failed;
}

const BY_NAME: Readonly<Record<string, { readonly code: ExitCode; readonly type: string }>> = {
  UsageError: { code: EXIT.usage, type: "usage" },
  SettingsError: { code: EXIT.failed, type: "settings" },
  RefusedError: { code: EXIT.refused, type: "refused" },
  NeedsActionError: { code: EXIT.needsAction, type: "needs-action" },
  LockedError: { code: EXIT.locked, type: "locked" },
  Interrupted: { code: EXIT.interrupted, type: "interrupted" },
  AbortError: { code: EXIT.interrupted, type: "interrupted" },
  StaleError: { code: EXIT.failed, type: "stale" },
  MissingError: { code: EXIT.failed, type: "not-found" },
  NotFoundError: { code: EXIT.failed, type: "not-found" },
};

const BY_CLASS: Readonly<Record<ErrorClass, { readonly code: ExitCode; readonly type: string }>> = {
  AUTH: { code: EXIT.needsAction, type: "auth" },
  QUOTA: { code: EXIT.needsAction, type: "quota" },
  PERMISSION: { code: EXIT.needsAction, type: "permission" },
  TRANSIENT: { code: EXIT.failed, type: "transient" },
  FILE_REJECTED: { code: EXIT.failed, type: "file-rejected" },
  UNKNOWN: { code: EXIT.failed, type: "unknown" },
};

function describeBackend(error: BackendError): Failure {
  return withHint({ ...BY_CLASS[error.class], message: error.message }, error);
}

function withHint(failure: Failure, error: Error): Failure {
  const hint = (error as { readonly hint?: unknown }).hint;
  return typeof hint === "string" && hint !== "" ? { ...failure, hint } : failure;
}

function codeOf(error: Error): string | undefined {
  const code = (error as { readonly code?: unknown }).code;
  return typeof code === "string" ? code : undefined;
}

/** With the path that a system error is about, where it says one. */
function systemMessage(error: Error): string {
  const path = (error as { readonly path?: unknown }).path;
  return typeof path === "string" ? `cannot use "${path}": ${systemState(error)}` : firstLine(systemState(error));
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
