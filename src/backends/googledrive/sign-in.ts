import { randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { auth } from "googleapis/build/src/apis/drive/index.js";
import type { Clock } from "../../lib/clock.ts";
import type { HttpClient } from "../../lib/http-client.ts";
import { BackendError } from "../errors.ts";
import { fromHttp } from "../http-trouble.ts";
import type { Talk } from "../module.ts";
import { DRIVE_SCOPE, type DriveClientId, type DriveToken, PUBSUB_SCOPE } from "./credentials.ts";
import { type DriveHosts, hostOf } from "./hosts.ts";
import { parseTokenRefusal } from "./refresh-error.ts";

export interface SignInOptions {
  readonly client: DriveClientId;
  readonly hosts: DriveHosts;
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly talk: Talk;
  readonly signal?: AbortSignal | undefined;
}

/** Nobody takes longer to find a password. */
const PATIENCE_MS = 15 * 60 * 1000;
const MOST_ANSWER = 64 * 1024;

/**
 * Google's flow for installed apps: the person signs in at Google's page, which sends the browser back to a port of this
 * machine; PKCE and `state` make sure that the answer belongs to the question. Where the browser runs elsewhere the
 * person copies the address that it was sent to. https://developers.google.com/identity/protocols/oauth2/native-app
 */
export async function signInToGoogle(options: SignInOptions): Promise<DriveToken> {
  const { client, hosts, talk, signal } = options;
  const done = new AbortController();
  const stop = signal === undefined ? done.signal : AbortSignal.any([signal, done.signal]);
  const state = randomBytes(16).toString("hex");
  const { server, redirect, arrived } = await listenForAnswer(state);
  try {
    const google = new auth.OAuth2({
      clientId: client.clientId,
      redirectUri: redirect,
      endpoints: { oauth2AuthBaseUrl: hosts.consent },
    });
    const { codeVerifier, codeChallenge = "" } = await google.generateCodeVerifierAsync();
    const page = google.generateAuthUrl({
      access_type: "offline",
      prompt: "consent",
      scope: [DRIVE_SCOPE, PUBSUB_SCOPE],
      state,
      code_challenge: codeChallenge,
      // The SDK's enum is not exported by the one API.
      code_challenge_method: "S256" as never,
    });
    talk.print("Sign in with the Google account that may use the Drive folder:");
    talk.print(page);
    const opened = await talk.open(page);
    talk.print(opened ? "Your browser shows the page now." : "Open this address in a browser.");
    const answers = [arrived, patience(options, stop)];
    if (!opened && talk.ask !== undefined) answers.push(pasted(talk.ask, state, stop));
    const code = await Promise.race(answers);
    return await exchange(code, { ...options, redirect, codeVerifier });
  } finally {
    done.abort();
    server.close();
    server.closeAllConnections();
  }
}

async function patience({ clock }: SignInOptions, signal: AbortSignal): Promise<never> {
  await clock.sleep(PATIENCE_MS, signal);
  throw new BackendError("Could not sign in to Google: nobody did within 15 minutes", {
    class: "AUTH",
    hint: "Run claude-mirror auth again.",
  });
}

/** The address out of the address bar, or the code alone; asked for again when it is neither. */
async function pasted(ask: NonNullable<Talk["ask"]>, state: string, signal: AbortSignal): Promise<string> {
  for (;;) {
    const question =
      "If the browser runs on another machine, it ends at a page that cannot be reached: paste that page's whole address here";
    const text = (await ask(question, { signal })).trim();
    const url = URL.parse(text);
    if (url !== null && (url.searchParams.has("code") || url.searchParams.has("error"))) return codeFrom(url, state);
    if (/^4\/[\w-]+$/.test(text)) return text;
  }
}

function codeFrom(url: URL, state: string): string {
  const get = (name: string): string | null => url.searchParams.get(name);
  const fail = (found: string, hint: string) =>
    new BackendError(`Could not sign in to Google: ${found}`, { class: "AUTH", hint });
  if (get("state") !== state)
    throw fail(
      "the answer belongs to another attempt",
      "Run claude-mirror auth again and use the address that it prints then.",
    );
  const error = get("error");
  if (error === "access_denied")
    throw fail(
      "access was refused on the consent page",
      "Run claude-mirror auth again and allow it; an app in Testing lets only its test users in.",
    );
  if (error !== null) throw fail(`Google answered ${error}`, "Run claude-mirror auth again.");
  return get("code") ?? "";
}

interface Listening {
  readonly server: Server;
  /** What Google sends the browser to. */
  readonly redirect: string;
  /** The code that came with it. */
  readonly arrived: Promise<string>;
}

async function listenForAnswer(state: string): Promise<Listening> {
  const answer = Promise.withResolvers<string>();
  // Who pastes the address never waits for this one.
  answer.promise.catch(() => undefined);
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const isAnswer = url.searchParams.has("code") || url.searchParams.has("error");
    let text = "This is claude-mirror, waiting for Google.";
    if (isAnswer) {
      try {
        answer.resolve(codeFrom(url, state));
        text = "Signed in. You can close this page and go back to the terminal.";
      } catch (error) {
        text = error instanceof Error ? error.message : "";
        // Somebody else's request must not end the sign-in.
        if (url.searchParams.get("state") === state) answer.reject(error);
      }
    }
    response.writeHead(isAnswer ? 200 : 404, { "Content-Type": "text/plain; charset=utf-8", Connection: "close" });
    response.end(`${text}\n`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return { server, redirect: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, arrived: answer.promise };
}

interface Exchange extends SignInOptions {
  readonly redirect: string;
  readonly codeVerifier: string;
}

async function exchange(
  code: string,
  { client, hosts, http, clock, redirect, codeVerifier, signal }: Exchange,
): Promise<DriveToken> {
  const form = new URLSearchParams({
    grant_type: "authorization_code",
    code,
    client_id: client.clientId,
    client_secret: client.clientSecret,
    redirect_uri: redirect,
    code_verifier: codeVerifier,
  });
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  let answer: Record<string, unknown>;
  try {
    const response = await http.request({
      method: "POST",
      url: hosts.token,
      headers,
      body: Buffer.from(form.toString()),
      signal,
    });
    const text = await response.text(MOST_ANSWER);
    if (!response.ok) throw refusedCode(response.status, text);
    answer = JSON.parse(text) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new BackendError("Could not sign in to Google: its answer is no JSON", { class: "TRANSIENT" });
    throw fromHttp(error, { what: "sign in to Google", host: hostOf(hosts.token), changes: false });
  }
  return tokenFrom(answer, client, clock.now());
}

function refusedCode(status: number, text: string): BackendError {
  const { error, description } = parseTokenRefusal(status, text);
  const said = [error, description].filter((word) => word !== "").join(": ") || `status ${status}`;
  const hint =
    error === "invalid_client"
      ? "Download the OAuth client's JSON again (APIs & Services, Credentials), then run claude-mirror auth."
      : "Run claude-mirror auth again; the code is good for a few minutes and for one use.";
  return new BackendError(`Could not sign in to Google: ${said}`, {
    class: status >= 500 ? "TRANSIENT" : "AUTH",
    status,
    hint,
  });
}

function tokenFrom(answer: Record<string, unknown>, client: DriveClientId, nowMs: number): DriveToken {
  const { access_token, refresh_token, expires_in, scope } = answer;
  const scopes = typeof scope === "string" ? scope.split(" ") : [DRIVE_SCOPE, PUBSUB_SCOPE];
  if (!scopes.includes(DRIVE_SCOPE)) {
    throw new BackendError("Could not sign in to Google: the consent does not cover Google Drive", {
      class: "AUTH",
      hint: "Run claude-mirror auth again and tick every box of the consent page.",
    });
  }
  if (typeof access_token !== "string" || typeof refresh_token !== "string") {
    throw new BackendError("Could not sign in to Google: it gave no token that lasts", {
      class: "AUTH",
      hint: "Withdraw the app's access under myaccount.google.com, Security, then run claude-mirror auth again.",
    });
  }
  return {
    ...client,
    access: access_token,
    refresh: refresh_token,
    expiresMs: nowMs + (typeof expires_in === "number" ? expires_in : 3600) * 1000,
    scopes: scopes.filter((each) => each === DRIVE_SCOPE || each === PUBSUB_SCOPE),
    account: "",
    other: {},
  };
}
