import { parseRetryAfter } from "../../lib/http.ts";
import { BackendError, type BackendErrorOptions, type ErrorClass, NotFoundError } from "../errors.ts";
import type { Attempted } from "../http-trouble.ts";

/** An answer of the API that refuses, whatever it came through. */
export interface Refused {
  readonly status: number;
  /** The `Retry-After` header. */
  readonly retryAfter?: string | null | undefined;
  /** The body, parsed or as text. */
  readonly body: unknown;
}

/** Google's own word for why: `errors[0].reason`, else the status of the newer form. */
export function reasonOf(body: unknown): string {
  const error = objectIn(parsed(body), "error");
  const list = error?.["errors"];
  const first: unknown = Array.isArray(list) ? list[0] : undefined;
  const reason = isObject(first) ? first["reason"] : undefined;
  if (typeof reason === "string") return reason;
  const details = error?.["details"];
  const detail = Array.isArray(details)
    ? details.find((each) => isObject(each) && typeof each["reason"] === "string")
    : undefined;
  if (isObject(detail)) return String(detail["reason"]);
  return typeof error?.["status"] === "string" ? error["status"] : "";
}

interface Known {
  readonly class: ErrorClass;
  readonly text: string;
  readonly hint?: string;
}

const SPACE: Known = {
  class: "QUOTA",
  text: "the account's storage is full",
  hint: "Free space in Google Drive, its trash included, or buy more.",
};
const RIGHTS: Known = {
  class: "PERMISSION",
  text: "the account has no right to do that",
  hint: "Have the folder's owner share it with you as Editor; what somebody else owns only they can move to the trash.",
};
const NOT_ENABLED: Known = {
  class: "PERMISSION",
  text: "the Google Drive API is not enabled in the Cloud project",
  hint: "In the Google Cloud console open APIs & Services, Library, and enable the Google Drive API; it takes a few minutes.",
};
const SCOPE: Known = {
  class: "AUTH",
  text: "the sign-in does not cover Google Drive",
  hint: "Run claude-mirror auth and tick every box of the consent page.",
};
const FULL_FOLDER: Known = {
  class: "QUOTA",
  text: "Google Drive takes no more items there",
  hint: "Remove items that are not needed, the trash included.",
};

/** https://developers.google.com/drive/api/guides/handle-errors */
const REASONS: Readonly<Record<string, Known>> = {
  storageQuotaExceeded: SPACE,
  quotaExceeded: SPACE,
  teamDriveFileLimitExceeded: FULL_FOLDER,
  activeItemCreationLimitExceeded: FULL_FOLDER,
  numChildrenInNonRootLimitExceeded: FULL_FOLDER,
  dailyLimitExceeded: {
    class: "QUOTA",
    text: "the Cloud project has used up its requests of the day",
    hint: "Try again tomorrow, or raise the quota of the Google Drive API in the Cloud console.",
  },
  insufficientFilePermissions: RIGHTS,
  insufficientParentPermissions: RIGHTS,
  forbidden: RIGHTS,
  domainPolicy: {
    class: "PERMISSION",
    text: "a rule of the organisation forbids it",
    hint: "Ask the administrator of the Google Workspace to allow this app to use Drive.",
  },
  accessNotConfigured: NOT_ENABLED,
  SERVICE_DISABLED: NOT_ENABLED,
  insufficientPermissions: SCOPE,
  ACCESS_TOKEN_SCOPE_INSUFFICIENT: SCOPE,
  appNotAuthorizedToFile: SCOPE,
  authError: { class: "AUTH", text: "the sign-in is no longer valid", hint: "Run claude-mirror auth." },
  myDriveHierarchyDepthLimitExceeded: { class: "FILE_REJECTED", text: "folders would lie more than 100 deep" },
  teamDriveHierarchyTooDeep: { class: "FILE_REJECTED", text: "folders would lie more than 100 deep" },
  cannotDownloadAbusiveFile: { class: "FILE_REJECTED", text: "Google holds the file for malware or spam" },
  uploadTooLarge: { class: "FILE_REJECTED", text: "the file is too large" },
};

const SLOW_DOWN =
  /^(userRateLimitExceeded|rateLimitExceeded|sharingRateLimitExceeded|RATE_LIMIT_EXCEEDED|RESOURCE_EXHAUSTED)$/;

/** True for the wish that the account slows down: 429, or 403 with a reason. */
export function isSlowDown({ status, body }: Refused): boolean {
  return status === 429 || (status === 403 && SLOW_DOWN.test(reasonOf(body)));
}

const CLASSES: Readonly<Record<number, ErrorClass>> = {
  401: "AUTH",
  403: "PERMISSION",
  408: "TRANSIENT",
  429: "TRANSIENT",
};

/**
 * The error for an answer that refuses (reference 2.12). `pauseMs` is how long the account is to wait where the answer
 * asks it to slow down and names no time.
 */
export function fromRefusal(
  refused: Refused,
  attempted: Attempted,
  at: { readonly nowMs: number; readonly pauseMs: number },
): BackendError {
  const { status, body } = refused;
  const reason = reasonOf(body);
  if (isSlowDown(refused)) {
    const pauseMs = parseRetryAfter(refused.retryAfter, at.nowMs) ?? at.pauseMs;
    const text = `Google Drive asks to slow down (${status}${reason === "" ? "" : `, ${reason}`})`;
    return new BackendError(`Could not ${attempted.what}: ${text}`, { class: "TRANSIENT", status, pauseMs });
  }
  const known = REASONS[reason];
  if (status === 404 && known === undefined) {
    return new NotFoundError(`Could not ${attempted.what}: it is not there (404)`, { status });
  }
  const options: { -readonly [K in keyof BackendErrorOptions]: BackendErrorOptions[K] } = {
    class: known?.class ?? CLASSES[status] ?? (status >= 500 ? "TRANSIENT" : "FILE_REJECTED"),
    status,
    outcomeUnknown: attempted.changes && status >= 500,
  };
  const pauseMs = parseRetryAfter(refused.retryAfter, at.nowMs);
  if (pauseMs !== undefined && status === 503) options.pauseMs = pauseMs;
  const hint = known?.hint ?? (status === 401 ? "Run claude-mirror auth." : undefined);
  if (hint !== undefined) options.hint = hint;
  const text = known?.text ?? `Google Drive answered ${status}${saidBy(body)}`;
  return new BackendError(`Could not ${attempted.what}: ${text}${reason === "" ? "" : ` (${reason})`}`, options);
}

/** Google's own sentence, for answers that we have no better one for. */
export function saidBy(body: unknown): string {
  const message = objectIn(parsed(body), "error")?.["message"];
  return typeof message === "string" && message !== "" ? `: ${message.slice(0, 160)}` : "";
}

function parsed(body: unknown): unknown {
  if (typeof body !== "string") return body;
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

function objectIn(value: unknown, key: string): Record<string, unknown> | undefined {
  const inner = isObject(value) ? value[key] : undefined;
  return isObject(inner) ? inner : undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
