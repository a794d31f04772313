import { DropboxResponseError } from "dropbox";
import { parseRetryAfter } from "../../lib/http.ts";
import { SENT_TWICE_HEADER } from "../../lib/http-fetch.ts";
import { BackendError, type BackendErrorOptions, type ErrorClass, NotFoundError, StaleError } from "../errors.ts";
import { type Attempted, fromHttp } from "../http-trouble.ts";

/** Without a word about how long: long enough for the lock on the account's files to come free. */
const LOCK_PAUSE_MS = 2000;

/** A member of one of the API's unions, as parsed from the wire. */
export interface Tagged {
  readonly ".tag": string;
  readonly [member: string]: unknown;
}

/** The tags from the outside in: `["path", "conflict", "file"]`. */
export function tagsOf(error: unknown): readonly string[] {
  const tags: string[] = [];
  for (let at: unknown = error; isTagged(at); ) {
    const name = at[".tag"];
    tags.push(name);
    // upload keeps the reason beside the tag of its path error.
    at = at[name] ?? at["reason"];
  }
  return tags;
}

function isTagged(value: unknown): value is Tagged {
  return typeof value === "object" && value !== null && typeof (value as Partial<Tagged>)[".tag"] === "string";
}

/** The tags of an error that an endpoint of its own gives; none for other errors. */
export function endpointTags(error: unknown): readonly string[] {
  return error instanceof DropboxResponseError && error.status === 409 ? tagsOf(errorOf(error)) : [];
}

function errorOf({ error }: DropboxResponseError<unknown>): unknown {
  return typeof error === "object" && error !== null && "error" in error ? error.error : error;
}

/** Whether a new access token may help. */
export function wantsNewToken(error: unknown): boolean {
  if (!(error instanceof DropboxResponseError) || error.status !== 401) return false;
  const [tag] = tagsOf(errorOf(error));
  return tag === "expired_access_token" || tag === "invalid_access_token";
}

/** Turns what a call through the SDK threw into what a backend may throw. */
export function fromCall(error: unknown, attempted: Attempted, nowMs: number): unknown {
  if (error instanceof DropboxResponseError) {
    const refused = fromResponse(error, attempted, nowMs);
    const twice = attempted.changes && headerOf(error, SENT_TWICE_HEADER) !== null;
    return twice ? doubtful(refused) : refused;
  }
  return fromHttp(error, attempted);
}

/** The same error, of a call that an earlier sending may have carried out. */
export function doubtful(error: BackendError): BackendError {
  const { status, pauseMs, hint, message } = error;
  const options = {
    outcomeUnknown: true,
    cause: error,
    ...(status === undefined ? {} : { status }),
    ...(pauseMs === undefined ? {} : { pauseMs }),
    ...(hint === undefined ? {} : { hint }),
  };
  if (error instanceof StaleError) return new StaleError(message, options);
  if (error instanceof NotFoundError) return new NotFoundError(message, options);
  return new BackendError(message, { ...options, class: error.class });
}

function fromResponse(error: DropboxResponseError<unknown>, attempted: Attempted, nowMs: number): BackendError {
  const { status } = error;
  const tags = tagsOf(errorOf(error));
  const could = `Could not ${attempted.what}`;
  if (status === 409 && tags.length > 0) return fromTags(tags, attempted, error);
  if (status === 401) return unauthorised(tags, errorOf(error), attempted);
  if (status === 429) {
    return new BackendError(`${could}: Dropbox asks to slow down (${tags[0] ?? reasonOf(error) ?? "429"})`, {
      class: "TRANSIENT",
      status,
      pauseMs: retryAfter(error, nowMs),
    });
  }
  const text = typeof error.error === "string" ? `: ${firstLine(error.error)}` : "";
  const options: { -readonly [K in keyof BackendErrorOptions]: BackendErrorOptions[K] } = {
    class: status === 403 ? "PERMISSION" : status >= 500 ? "TRANSIENT" : "FILE_REJECTED",
    status,
    outcomeUnknown: attempted.changes && status >= 500,
  };
  if (status === 403) options.hint = "Check that the account may use this app and this folder.";
  const pauseMs = status === 503 ? parseRetryAfter(headerOf(error, "retry-after"), nowMs) : undefined;
  if (pauseMs !== undefined) options.pauseMs = pauseMs;
  return new BackendError(`${could}: Dropbox answered ${status}${text}`, options);
}

function retryAfter(error: DropboxResponseError<unknown>, nowMs: number): number {
  const asked = parseRetryAfter(headerOf(error, "retry-after"), nowMs);
  if (asked !== undefined) return asked;
  const inner = errorOf(error);
  const seconds = typeof inner === "object" && inner !== null && "retry_after" in inner ? inner.retry_after : undefined;
  return typeof seconds === "number" ? seconds * 1000 : LOCK_PAUSE_MS;
}

function reasonOf(error: DropboxResponseError<unknown>): string | undefined {
  const inner = errorOf(error);
  return typeof inner === "object" && inner !== null && "reason" in inner ? tagsOf(inner.reason)[0] : undefined;
}

function headerOf({ headers }: DropboxResponseError<unknown>, name: string): string | null {
  const from = headers as Headers | undefined;
  return typeof from?.get === "function" ? from.get(name) : null;
}

function unauthorised(tags: readonly string[], error: unknown, { what }: Attempted): BackendError {
  const could = `Could not ${what}`;
  if (tags[0] === "missing_scope") {
    const scope = String((error as Tagged)["required_scope"] ?? "files.content.write");
    return new BackendError(`${could}: the Dropbox app lacks the permission ${scope}`, {
      class: "AUTH",
      status: 401,
      hint: `On dropbox.com/developers/apps enable ${scope} on the app's Permissions tab, press Submit, then run claude-mirror auth.`,
    });
  }
  const why = tags[0] === "user_suspended" ? "the account is suspended" : "the sign-in is not accepted any more";
  return new BackendError(`${could}: ${why}`, { class: "AUTH", status: 401, hint: "Run claude-mirror auth." });
}

/** The error for a refusal of the token endpoint (RFC 6749 5.2). Only `invalid_grant` means that the sign-in is over. */
export function refusedToken(
  what: string,
  response: { readonly status: number; readonly headers: { get(name: string): string | null } },
  answer: Readonly<Record<string, unknown>>,
  nowMs: number,
): BackendError {
  const { status } = response;
  const [code, text] = [answer["error"], answer["error_description"]];
  const could = `Could not ${what}`;
  if (status === 429 || status >= 500) {
    const pauseMs = parseRetryAfter(response.headers.get("retry-after"), nowMs);
    const options = { class: "TRANSIENT" as const, status, ...(pauseMs === undefined ? {} : { pauseMs }) };
    return new BackendError(`${could}: Dropbox answered ${status}`, options);
  }
  const because = typeof text === "string" ? firstLine(text) : String(code ?? status);
  const hint =
    code === "invalid_grant"
      ? "Run claude-mirror auth."
      : "Check the app key: claude-mirror init --dropbox-app-key KEY, then claude-mirror auth.";
  return new BackendError(`${could}: ${because}`, { class: "AUTH", status, hint });
}

const SPACE = /insufficient_(space|quota)|upload_traffic_limit_reached/;
const RIGHTS = /no_write_permission|access_restricted|team_folder$|cant_|access_error|route_access_denied/;

/** The error that tags stand for, be it the answer's own or that of one item in a batch. */
export function fromTags(tags: readonly string[], { what, changes }: Attempted, cause?: unknown): BackendError {
  const could = `Could not ${what}`;
  const has = (tag: string): boolean => tags.includes(tag);
  if (has("not_found")) return new NotFoundError(`${could}: it is not there`, { status: 409, cause });
  if (has("conflict") && !has("file_ancestor")) {
    return new StaleError(`${could}: ${has("folder") ? "a folder" : "another version"} is there`, {
      status: 409,
      cause,
    });
  }
  const last = tags.at(-1) ?? "unknown";
  const fail = (errorClass: ErrorClass, text: string, more: Partial<BackendErrorOptions> = {}): BackendError =>
    new BackendError(`${could}: ${text}`, { class: errorClass, status: 409, cause, ...more });
  if (has("too_many_write_operations")) {
    return fail("TRANSIENT", "Dropbox is busy with other changes to these files", {
      status: 429,
      pauseMs: LOCK_PAUSE_MS,
    });
  }
  if (tags.some((tag) => SPACE.test(tag))) {
    return fail("QUOTA", "the Dropbox is full", { hint: "Free space in the account; see dropbox.com/account/plan." });
  }
  if (tags.some((tag) => RIGHTS.test(tag))) {
    return fail("PERMISSION", `Dropbox does not allow it (${last})`, {
      hint: "Check the account's rights on this folder: it may be shared as view-only.",
    });
  }
  if (has("file_ancestor")) return fail("FILE_REJECTED", "a file stands where a folder is needed");
  if (has("malformed_path") || has("disallowed_name")) {
    return fail("FILE_REJECTED", "Dropbox does not take this name", { hint: "Rename the file." });
  }
  if (has("internal_error") || has("locked"))
    return fail("TRANSIENT", `Dropbox could not do it (${last})`, { outcomeUnknown: changes });
  if (has("not_file")) return fail("FILE_REJECTED", "it is a folder");
  if (has("not_folder")) return fail("FILE_REJECTED", "it is a file, not a folder");
  const known = /restricted_content|unsupported|too_large|payload_too_large|duplicated_or_nested|operation_suppressed/;
  return fail(tags.some((tag) => known.test(tag)) ? "FILE_REJECTED" : "UNKNOWN", `Dropbox answered ${tags.join("/")}`);
}

function firstLine(text: string): string {
  return (text.split("\n", 1)[0] ?? "").slice(0, 200);
}
