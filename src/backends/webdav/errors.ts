import { BodyLengthError } from "../../lib/http-client.ts";
import { HttpError, type HttpFailure } from "../../lib/http-error.ts";
import type { HttpResponse } from "../../lib/http-response.ts";
import { BackendError, type BackendErrorOptions, type ErrorClass, LocalFileError } from "../errors.ts";
import { XmlError } from "./xml-reader.ts";

/** What an error message needs to know about a request. */
export interface Attempted {
  /** What was attempted, with its subject quoted: `write "notes/a.md"`. */
  readonly what: string;
  /** Host and port. */
  readonly host: string;
  /** True when the request changes something, so that a lost answer leaves its outcome open. */
  readonly changes: boolean;
  /** Bytes of the body, when there is one. */
  readonly size?: number | undefined;
}

/** Turns what the HTTP client threw into a BackendError. The signal's reason and local file errors pass through. */
export function fromThrown(error: unknown, attempted: Attempted): unknown {
  if (error instanceof HttpError) return fromHttpError(error, attempted);
  if (error instanceof BodyLengthError) {
    return new BackendError(`Could not ${attempted.what}: the file changed while it was read, ${error.message}`, {
      class: "FILE_REJECTED",
      cause: error,
    });
  }
  if (error instanceof XmlError) {
    return new BackendError(
      `Could not ${attempted.what}: ${attempted.host} did not answer as a WebDAV server: ${error.message}`,
      {
        class: "TRANSIENT",
        hint: "Check webdav_url and that no proxy or sign-in page answers in the server's place.",
        cause: error,
      },
    );
  }
  return error;
}

/** An error of the body to send, in the only shape that a backend may throw. */
export function fromSource(error: unknown, what: string): unknown {
  if (error instanceof BackendError || error instanceof LocalFileError) return error;
  if (error instanceof HttpError || error instanceof BodyLengthError) return error;
  if (error instanceof Error && error.name === "AbortError") return error;
  const text = error instanceof Error ? error.message : String(error);
  return new LocalFileError(`Could not ${what}: reading what to send failed: ${text}`, { cause: error });
}

function fromHttpError(error: HttpError, attempted: Attempted): BackendError {
  const { text, hint } = describe(error.failure, attempted.host, error.message);
  return new BackendError(`Could not ${attempted.what}: ${text}`, {
    class: "TRANSIENT",
    ...(hint === undefined ? {} : { hint }),
    outcomeUnknown: attempted.changes && error.reached,
    cause: error,
  });
}

function describe(failure: HttpFailure, host: string, message: string): { text: string; hint?: string } {
  switch (failure) {
    case "name":
      return { text: `the server "${host}" is not known`, hint: "Check the network and the name in webdav_url." };
    case "refused":
      return {
        text: `"${host}" cannot be reached${codeIn(message)}`,
        hint: "Check that the server runs and the network is up.",
      };
    case "tls":
      return certificateTrouble(host, message);
    case "timeout":
      return { text: `"${host}" is too slow: ${message}` };
    case "cut":
      return { text: `the connection to "${host}" broke: ${message}` };
    case "protocol":
      return protocolTrouble(host, message);
    default:
      return failure satisfies never;
  }
}

function certificateTrouble(host: string, message: string): { text: string; hint: string } {
  const subject = `the certificate of "${host}"`;
  if (/expired/i.test(message))
    return { text: `${subject} has expired`, hint: "Have it renewed on the server, and check this machine's clock." };
  if (/altname|not valid for|CERT_COMMON/i.test(message))
    return { text: `${subject} is for another host name`, hint: "Check the host name in webdav_url." };
  const own = "For a certificate of your own, set NODE_EXTRA_CA_CERTS to a PEM file with its authority.";
  if (/self.signed/i.test(message)) return { text: `${subject} is self-signed`, hint: own };
  return { text: `${subject} is not accepted: ${message}`, hint: own };
}

function protocolTrouble(host: string, message: string): { text: string; hint: string } {
  if (/WRONG_VERSION_NUMBER|packet length too long|InvalidContentType|corrupt message/i.test(message))
    return { text: `"${host}" does not speak https on this port`, hint: "Check the port and https:// in webdav_url." };
  return { text: `"${host}" does not speak HTTP: ${message}`, hint: "Check the port and https:// in webdav_url." };
}

/** ` (ECONNREFUSED)`: what to look for, without the sentence around it that says it all again. */
function codeIn(message: string): string {
  const code = /\bE[A-Z]{4,}\b/.exec(message)?.[0];
  return code === undefined ? `: ${message}` : ` (${code})`;
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
