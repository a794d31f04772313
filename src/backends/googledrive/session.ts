import type { Clock } from "../../lib/clock.ts";
import { parseHttpDate } from "../../lib/http.ts";
import type { HttpClient } from "../../lib/http-client.ts";
import { type Access, type AccessToken, openAccess } from "../access-token.ts";
import { BackendError } from "../errors.ts";
import { fromHttp } from "../http-trouble.ts";
import type { TokenStore } from "../module.ts";
import { type DriveToken, formatDriveToken, parseDriveToken } from "./credentials.ts";
import { hostOf } from "./hosts.ts";
import { fromTokenRefusal, mayPass, parseTokenRefusal } from "./refresh-error.ts";

/** The sign-in of one project. */
export interface DriveSession extends Access {
  /** Who signed in, `""` when the token file does not say. */
  account(): string;
}

export interface SessionOptions {
  readonly tokens: TokenStore;
  readonly http: HttpClient;
  /** The token endpoint. */
  readonly address: string;
  readonly clock: Clock;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  readonly log?: ((line: string) => void) | undefined;
}

const ATTEMPTS = 4;
const FIRST_WAIT_MS = 800;
const MOST_ANSWER = 64 * 1024;

export function createSession(options: SessionOptions): DriveSession {
  const { tokens, clock, log } = options;
  const access = openAccess({
    tokens,
    clock,
    stored: () => accessOf(readToken(tokens)),
    async renew({ signal }) {
      const stored = readToken(tokens);
      const fresh = await requestToken(stored, options, signal);
      save(options, stored, fresh);
      log?.("googledrive: the sign-in was refreshed");
      return { token: fresh.access, endsMs: fresh.expiresMs };
    },
  });
  return { ...access, account: () => readToken(tokens).account };
}

function accessOf({ access, expiresMs }: DriveToken): AccessToken | undefined {
  return access === "" ? undefined : { token: access, endsMs: expiresMs };
}

function readToken(tokens: TokenStore): DriveToken {
  const text = tokens.read();
  if (text === undefined) {
    throw new BackendError("Not authenticated. Run claude-mirror auth first.", {
      class: "AUTH",
      hint: "Run claude-mirror auth.",
    });
  }
  const token = parseDriveToken(text);
  if (token !== undefined) return token;
  throw new BackendError("Could not use the token file: it holds no Google sign-in", {
    class: "AUTH",
    hint: "Run claude-mirror auth to write it anew.",
  });
}

/** A token that could not be kept serves this run; one that replaces the refresh token must be kept. */
function save({ tokens, log }: SessionOptions, old: DriveToken, fresh: DriveToken): void {
  try {
    tokens.write(formatDriveToken(fresh));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    log?.(`googledrive: the refreshed sign-in could not be saved: ${why}`);
    if (fresh.refresh === old.refresh) return;
    throw new BackendError(`Could not save the refreshed Google sign-in: ${why}`, {
      class: "AUTH",
      hint: "Make the token file writable, then run claude-mirror auth.",
      cause: error,
    });
  }
}

async function requestToken(
  old: DriveToken,
  options: SessionOptions,
  signal: AbortSignal | undefined,
): Promise<DriveToken> {
  const { clock, random, log } = options;
  for (let attempt = 1; ; attempt++) {
    try {
      return await requestOnce(old, options, signal);
    } catch (error) {
      const passing = error instanceof BackendError && error.class === "TRANSIENT";
      if (!passing || attempt >= ATTEMPTS) throw error;
      log?.(`googledrive: attempt ${attempt} to refresh the sign-in failed: ${error.message}`);
      await clock.sleep(FIRST_WAIT_MS * 2 ** (attempt - 1) * (0.5 + random() / 2), signal);
    }
  }
}

async function requestOnce(
  old: DriveToken,
  options: SessionOptions,
  signal: AbortSignal | undefined,
): Promise<DriveToken> {
  const { http, address, clock } = options;
  const form = new URLSearchParams({
    grant_type: "refresh_token",
    client_id: old.clientId,
    client_secret: old.clientSecret,
    refresh_token: old.refresh,
  });
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  try {
    const response = await http.request({
      method: "POST",
      url: address,
      headers,
      body: Buffer.from(form.toString()),
      signal,
    });
    const text = await response.text(MOST_ANSWER);
    if (!response.ok) {
      const date = parseHttpDate(response.headers.get("date") ?? "", clock.now());
      const refusal = parseTokenRefusal(response.status, text);
      throw fromTokenRefusal(refusal, mayPass(refusal) || date === undefined ? undefined : clock.now() - date);
    }
    return withAnswer(old, text, clock.now());
  } catch (error) {
    throw fromHttp(error, { what: "refresh the Google sign-in", host: hostOf(address), changes: false });
  }
}

function withAnswer(old: DriveToken, text: string, nowMs: number): DriveToken {
  let json: Record<string, unknown> = {};
  try {
    json = JSON.parse(text) as Record<string, unknown>;
  } catch {
    // Told below: an answer without a token. The parser's own words would quote it.
  }
  const { access_token, expires_in, refresh_token } = json;
  if (typeof access_token !== "string") {
    throw new BackendError("Could not refresh the Google sign-in: the answer holds no token", { class: "TRANSIENT" });
  }
  return {
    ...old,
    access: access_token,
    refresh: typeof refresh_token === "string" && refresh_token !== "" ? refresh_token : old.refresh,
    expiresMs: nowMs + (typeof expires_in === "number" ? expires_in : 3600) * 1000,
  };
}
