import { parseRetryAfter } from "../../lib/http.ts";
import { BackendError, type BackendErrorOptions, type ErrorClass, NotFoundError, StaleError } from "../errors.ts";
import type { Attempted } from "../http-trouble.ts";

/** What a refusal of Graph says, be it an answer of its own or one inside a batch. */
export interface GraphRefusal {
  readonly status: number;
  /** https://learn.microsoft.com/graph/errors; `""` where the answer has no such form. */
  readonly code: string;
  readonly retryAfter: string | null;
  /** True when the request went out twice, so that this may be the answer to what the first one did. */
  readonly repeated?: boolean;
}

/** Reference 2.12, with one difference: 507 is a matter of space like the 403 of the same meaning, and does not pass. */
const CLASSES: Readonly<Record<number, ErrorClass>> = {
  401: "AUTH",
  403: "PERMISSION",
  408: "TRANSIENT",
  423: "TRANSIENT",
  425: "TRANSIENT",
  429: "TRANSIENT",
  507: "QUOTA",
};
const QUOTA_CODES = new Set(["quotaLimitReached", "insufficientStorage", "quotaExceeded"]);
const THROTTLED = new Set([429, 503, 509]);

/** The error for an answer that refuses. A 404 is a NotFoundError only where Graph itself says so of the item. */
export function refused({ status, code, retryAfter, repeated }: GraphRefusal, attempted: Attempted, nowMs: number) {
  const isQuota = status === 507 || (status === 403 && QUOTA_CODES.has(code));
  const { text, hint } = say(status, code, isQuota);
  const message = `Could not ${attempted.what}: ${text}`;
  const pauseMs = THROTTLED.has(status) ? parseRetryAfter(retryAfter, nowMs) : undefined;
  const options: BackendErrorOptions = {
    class: isQuota ? "QUOTA" : (CLASSES[status] ?? (status >= 500 ? "TRANSIENT" : "FILE_REJECTED")),
    status,
    ...(hint === undefined ? {} : { hint }),
    ...(pauseMs === undefined ? {} : { pauseMs }),
    outcomeUnknown: attempted.changes && (repeated === true || status === 500 || status === 502 || status === 504),
  };
  if (status === 404 && code === "itemNotFound") return new NotFoundError(message, options);
  if (status === 412 || (status === 409 && code === "nameAlreadyExists")) return new StaleError(message, options);
  return new BackendError(message, options);
}

function say(status: number, code: string, isQuota: boolean): { readonly text: string; readonly hint?: string } {
  const named = code === "" ? `${status}` : `${status} ${code}`;
  if (isQuota)
    return { text: `OneDrive has no space left (${named})`, hint: "Free space, or buy more, on onedrive.com." };
  switch (status) {
    case 401:
      return { text: `OneDrive does not accept the sign-in (${named})`, hint: "Run claude-mirror auth." };
    case 403:
      return { text: `OneDrive forbids it (${named})`, hint: "Check that the folder is shared with you for editing." };
    case 404:
      return { text: `it is not there (${named})` };
    case 409:
      return { text: `something of this name is there already (${named})` };
    case 412:
      return { text: `it is another version by now (${named})` };
    case 413:
      return { text: `OneDrive takes no file of this size (${named})` };
    case 423:
      return { text: `it is locked, perhaps open in an Office program (${named})` };
    case 429:
    case 503:
    case 509:
      return { text: `OneDrive asks to slow down (${named})` };
    default:
      return { text: `OneDrive answered ${named}` };
  }
}
