import type { HttpResponse } from "../../lib/http-response.ts";
import { BackendError, type BackendErrorOptions, type ErrorClass } from "../errors.ts";
import { type Attempted as AnyAttempted, fromHttp } from "../http-trouble.ts";
import { XmlError } from "./xml-reader.ts";

/** What an error message needs to know about a request. */
export interface Attempted extends AnyAttempted {
  /** Bytes of the body, when there is one. */
  readonly size?: number | undefined;
}

/** Turns what the HTTP client threw into a BackendError. The signal's reason and local file errors pass through. */
export function fromThrown(error: unknown, attempted: Attempted): unknown {
  if (!(error instanceof XmlError)) return fromHttp(error, { ...attempted, setting: "webdav_url" });
  return new BackendError(
    `Could not ${attempted.what}: ${attempted.host} did not answer as a WebDAV server: ${error.message}`,
    {
      class: "TRANSIENT",
      hint: "Check webdav_url and that no proxy or sign-in page answers in the server's place.",
      cause: error,
    },
  );
}

const CLASSES: Readonly<Record<number, ErrorClass>> = {
  401: "AUTH",
  403: "PERMISSION",
  408: "TRANSIENT",
  412: "FILE_REJECTED",
  423: "TRANSIENT",
  425: "TRANSIENT",
  429: "TRANSIENT",
  507: "QUOTA",
};

/** The error for an answer that refuses. The page that came with it is never shown. */
export function fromStatus(response: HttpResponse, attempted: Attempted, nowMs: number): BackendError {
  const { status } = response;
  const options: { -readonly [K in keyof BackendErrorOptions]: BackendErrorOptions[K] } = {
    class: CLASSES[status] ?? (status >= 500 ? "TRANSIENT" : "FILE_REJECTED"),
    status,
    // A gateway's 502 or 504 says nothing about what happened behind it.
    outcomeUnknown: attempted.changes && (status === 500 || status === 502 || status === 504),
  };
  const pauseMs = retryAfter(response.headers.get("retry-after"), nowMs);
  if (pauseMs !== undefined && (status === 429 || status === 503)) options.pauseMs = pauseMs;
  const { text, hint } = sayStatus(status, attempted);
  if (hint !== undefined) options.hint = hint;
  return new BackendError(`Could not ${attempted.what}: ${text}`, options);
}

function sayStatus(status: number, attempted: Attempted): { readonly text: string; readonly hint?: string } {
  switch (status) {
    case 401:
      return {
        text: `"${attempted.host}" does not accept the username and password (401)`,
        hint: "Run claude-mirror auth. With two-factor sign-in, Nextcloud and ownCloud need an app password.",
      };
    case 403:
      return { text: "the server forbids it (403)", hint: "Check the account's rights on this folder." };
    case 404:
      return { text: "it is not there (404)" };
    case 413:
      return {
        text: `the server takes no file of ${attempted.size ?? "this many"} bytes (413)`,
        hint: "Raise the server's body limit: client_max_body_size (nginx), LimitRequestBody (Apache).",
      };
    case 423:
      return { text: "it is locked by another program (423)" };
    case 429:
    case 503:
      return { text: `the server asks to slow down (${status})` };
    case 507:
      return { text: "the server has no space left (507)", hint: "Free space on the server." };
    default:
      return { text: `the server answered ${status}` };
  }
}

/** Both forms of Retry-After (RFC 9110 section 10.2.3) as milliseconds from now; undefined for anything else. */
export function retryAfter(value: string | null, nowMs: number): number | undefined {
  if (value === null) return undefined;
  if (/^\s*\d{1,9}\s*$/.test(value)) return Number(value) * 1000;
  // Date.parse makes a year of "-5".
  const time = /^\s*[A-Z][a-z]{2}/.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(time) ? undefined : Math.max(0, time - nowMs);
}
