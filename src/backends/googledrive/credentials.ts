import { readFileSync } from "node:fs";
import { dumpPython, type PythonJson } from "../../lib/json.ts";
import { BackendError } from "../errors.ts";

/** The OAuth client, which identifies the app and not the person. */
export interface DriveClientId {
  readonly clientId: string;
  readonly clientSecret: string;
}

/** What the token file holds (reference 1.11); keys that we do not know are kept. */
export interface DriveToken extends DriveClientId {
  /** The access token, `""` when there is none. */
  readonly access: string;
  readonly refresh: string;
  /** When the access token ends, milliseconds since 1970; 0 when unknown. */
  readonly expiresMs: number;
  readonly scopes: readonly string[];
  /** Who signed in, `""` when unknown. */
  readonly account: string;
  readonly other: Readonly<Record<string, PythonJson>>;
}

export const DRIVE_SCOPE = "https://www.googleapis.com/auth/drive";
export const PUBSUB_SCOPE = "https://www.googleapis.com/auth/pubsub";

const DOWNLOAD_HINT =
  "In the Google Cloud console open APIs & Services, Credentials, and download the JSON of an OAuth client of the type Desktop app; docs/google-drive.md shows how.";

/** Reads the client file as Google's console gives it. Throws BackendError (AUTH) with the next step. */
export function readClientFile(file: string): DriveClientId {
  const fail = (found: string, hint: string, cause?: unknown) =>
    new BackendError(`Could not use the credentials file "${file}": ${found}`, { class: "AUTH", hint, cause });
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const found = code === "ENOENT" ? "it is not there" : `it cannot be read (${code})`;
    throw fail(found, `${DOWNLOAD_HINT} Name it with claude-mirror init --credentials-file.`, error);
  }
  const json = parseObject(text);
  if (json === undefined) throw fail("it is no JSON", DOWNLOAD_HINT);
  if (isObject(json["web"])) throw fail("it is of a web application, and a Desktop app is needed", DOWNLOAD_HINT);
  if (json["type"] === "service_account") {
    throw fail("it is of a service account, which has no Drive of its own", DOWNLOAD_HINT);
  }
  const installed = json["installed"];
  if (!isObject(installed) || !isText(installed["client_id"]) || !isText(installed["client_secret"])) {
    throw fail("it holds no OAuth client", DOWNLOAD_HINT);
  }
  return { clientId: installed["client_id"], clientSecret: installed["client_secret"] };
}

/** Reads a token file's text. Undefined for what is none of the form that `google-auth` writes. */
export function parseDriveToken(text: string): DriveToken | undefined {
  const json = parseObject(text);
  if (json === undefined) return undefined;
  const { token, refresh_token, client_id, client_secret, expiry, scopes, account, ...other } = json;
  if (!isText(refresh_token) || !isText(client_id) || !isText(client_secret)) return undefined;
  return {
    access: isText(token) ? token : "",
    refresh: refresh_token,
    clientId: client_id,
    clientSecret: client_secret,
    expiresMs: isText(expiry) ? parseExpiry(expiry) : 0,
    scopes: Array.isArray(scopes) ? scopes.filter(isText) : [],
    account: isText(account) ? account : "",
    other: other as Record<string, PythonJson>,
  };
}

/** The token file's text, as the Python tool's library writes and reads it. */
export function formatDriveToken(token: DriveToken): string {
  return dumpPython({
    token: token.access,
    refresh_token: token.refresh,
    token_uri: "https://oauth2.googleapis.com/token",
    client_id: token.clientId,
    client_secret: token.clientSecret,
    scopes: [...token.scopes],
    universe_domain: "googleapis.com",
    account: token.account,
    ...token.other,
    expiry: new Date(token.expiresMs).toISOString().replace(/\.(\d{3})Z$/, ".$1000Z"),
  });
}

/** A time without a zone is UTC; a fraction may be missing or have six digits. */
function parseExpiry(text: string): number {
  const match = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}:\d{2})/.exec(text);
  const time = match === null ? Number.NaN : Date.parse(`${match[1]}T${match[2]}Z`);
  return Number.isNaN(time) ? 0 : time;
}

/** The parser's own error is dropped: it quotes the text, which is a secret. */
function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}
