import { type AccountInfo, type INetworkModule, PublicClientApplication } from "@azure/msal-node";
import { parseRetryAfter } from "../../lib/http.ts";
import { createHttpClient, type HttpClient } from "../../lib/http-client.ts";
import { endpointOverride } from "../endpoints.ts";
import { BackendError } from "../errors.ts";
import { fromHttp } from "../http-trouble.ts";
import type { BackendConfig, BackendDeps, SignedIn, Talk } from "../module.ts";
import type { TokenFile } from "./access.ts";

/** `offline_access` comes with it; asking for that by name makes the library throw (decision 28). */
const SCOPES = ["Files.ReadWrite"];
const LOGIN_HOST = "https://login.microsoftonline.com";
const MOST_JSON = 1024 * 1024;
/** RFC 8628 section 3.5: so much more between polls after each slow_down, milliseconds. */
const SLOWER_MS = 5000;

/** The device-code flow: works without a browser on this machine and over SSH. Writes the token when all is well. */
export async function signIn(config: BackendConfig, deps: BackendDeps, talk: Talk): Promise<SignedIn> {
  return withLibrary(config, deps, async (app) => {
    const request = {
      scopes: SCOPES,
      cancel: false,
      deviceCodeCallback({
        userCode,
        verificationUri,
      }: {
        readonly userCode: string;
        readonly verificationUri: string;
      }) {
        talk.print("To sign in to OneDrive, open this address in a browser on any machine and type the code:");
        talk.print(`  ${verificationUri}`);
        talk.print(`  code: ${userCode}`);
        void talk.open(verificationUri).catch(() => false);
      },
    };
    const stop = () => {
      request.cancel = true;
    };
    deps.signal?.addEventListener("abort", stop, { once: true });
    try {
      const result = await app.acquireTokenByDeviceCode(request);
      deps.signal?.throwIfAborted();
      deps.tokens.write(fileText({ client_id: config.onedriveClientId }, app));
      const account = result?.account?.username;
      return account === undefined ? {} : { account };
    } finally {
      deps.signal?.removeEventListener("abort", stop);
    }
  });
}

export interface Refreshed {
  readonly token: string;
  readonly endsMs: number;
  /** What the token file says from now on. */
  readonly text: string;
}

/** A new access token by the refresh token of the file, which the server may replace. */
export async function refreshTokenFile(file: TokenFile, config: BackendConfig, deps: BackendDeps): Promise<Refreshed> {
  return withLibrary(config, deps, async (app) => {
    app.getTokenCache().deserialize(file.cache);
    const [account] = (await app.getAllAccounts()) as readonly (AccountInfo | undefined)[];
    if (account === undefined) throw signInTrouble("no account is in the token file (no cached accounts found)");
    const { accessToken, expiresOn } = await app.acquireTokenSilent({ account, scopes: SCOPES, forceRefresh: true });
    const { client_id = config.onedriveClientId } = file.value;
    const endsMs = expiresOn?.getTime() ?? deps.clock.now();
    return { token: accessToken, endsMs, text: fileText({ ...file.value, client_id }, app) };
  });
}

function fileText(value: Readonly<Record<string, unknown>>, app: PublicClientApplication): string {
  return JSON.stringify({ ...value, token_cache: app.getTokenCache().serialize() });
}

async function withLibrary<T>(
  config: BackendConfig,
  deps: BackendDeps,
  use: (app: PublicClientApplication) => Promise<T>,
): Promise<T> {
  const { onedriveClientId: clientId, onedriveAuthority } = config;
  if (clientId === "") {
    throw new BackendError("Could not sign in to OneDrive: onedrive_client_id is not set", {
      class: "AUTH",
      hint: "Register an app on portal.azure.com, then run claude-mirror init --onedrive-client-id ID.",
    });
  }
  const http = createHttpClient();
  const trouble: { error?: unknown } = {};
  try {
    const networkClient = network(http, deps, trouble);
    const authority = `${LOGIN_HOST}/${onedriveAuthority}`;
    const app = new PublicClientApplication({ auth: { clientId, authority }, system: { networkClient } });
    return await use(app);
  } catch (error) {
    deps.signal?.throwIfAborted();
    throw explain(trouble.error ?? error);
  } finally {
    http.close();
  }
}

/**
 * The library's requests by our HTTP client, to other hosts where a variable says so. What went wrong is kept in
 * `trouble`, because the library wraps it beyond recognition.
 */
function network(http: HttpClient, deps: BackendDeps, trouble: { error?: unknown }): INetworkModule {
  const override = endpointOverride(deps.env, "ONEDRIVE", "AUTH");
  let slowerMs = 0;

  async function send(method: string, address: string, options: { headers?: Record<string, string>; body?: string }) {
    const url = override === undefined ? address : override + address.slice(new URL(address).origin.length);
    const attempted = { what: "sign in to OneDrive", host: new URL(url).host, changes: false };
    const { headers = {}, body } = options;
    const isPoll = body?.includes("device_code=") === true;
    if (isPoll && slowerMs > 0) await deps.clock.sleep(slowerMs, deps.signal);
    try {
      const response = await http.request({
        method,
        url,
        headers: { Accept: "application/json", ...headers },
        body: body === undefined ? undefined : Buffer.from(body),
        signal: deps.signal,
      });
      const { status } = response;
      const value = parseObject(await response.text(MOST_JSON));
      if (status === 429 || status >= 500) {
        const pauseMs = parseRetryAfter(response.headers.get("retry-after"), deps.clock.now());
        const error = new BackendError(`Could not sign in to OneDrive: "${attempted.host}" answered ${status}`, {
          class: "TRANSIENT",
          status,
          ...(pauseMs === undefined ? {} : { pauseMs }),
        });
        throw error;
      }
      if (value === undefined) {
        throw new BackendError(`Could not sign in to OneDrive: "${attempted.host}" did not answer as Microsoft does`, {
          class: "TRANSIENT",
          hint: "Check whether a proxy or a sign-in page of the network answers in its place.",
        });
      }
      if (value["error"] === "slow_down") {
        slowerMs += SLOWER_MS;
        value["error"] = "authorization_pending";
      } else if (value["error"] !== undefined && value["error"] !== "authorization_pending") {
        throw refusedSignIn(String(value["error"]), String(value["error_description"] ?? ""));
      }
      return { status, headers: Object.fromEntries(response.headers.entries()), body: value };
    } catch (error) {
      trouble.error = deps.signal?.aborted ? deps.signal.reason : fromHttp(error, attempted);
      throw trouble.error;
    }
  }

  return {
    sendGetRequestAsync: (url: string, options = {}) => send("GET", url, options),
    sendPostRequestAsync: (url: string, options = {}) => send("POST", url, options),
  } as INetworkModule;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

const PORTAL = "In the app registration on portal.azure.com";

/** What to do about errors of Microsoft's by number: https://learn.microsoft.com/entra/identity-platform/reference-error-codes */
const HINTS: Readonly<Record<string, string>> = {
  AADSTS700016: "Check onedrive_client_id: it is the Application (client) ID on the app's overview page.",
  AADSTS7000218: `${PORTAL}, under Authentication, allow public client flows; then run claude-mirror auth.`,
  AADSTS9002331: "The app is for personal accounts: run claude-mirror init --onedrive-authority consumers.",
  AADSTS9002346: "The app is for personal accounts: run claude-mirror init --onedrive-authority consumers.",
  AADSTS50194: "The app belongs to one organisation: run claude-mirror init --onedrive-authority TENANT-ID.",
  AADSTS65001: `${PORTAL}, under API permissions, add Files.ReadWrite; in an organisation have it consented to.`,
  AADSTS70011: `${PORTAL}, under API permissions, add Microsoft Graph's delegated Files.ReadWrite.`,
};

/** An error in an answer of the identity platform. */
function refusedSignIn(error: string, description: string): BackendError {
  const number = /AADSTS\d+/.exec(description)?.[0] ?? "";
  const code = number === "" ? error : `${error}, ${number}`;
  if (error === "authorization_declined") return signInTrouble(`it was declined in the browser (${code})`);
  if (error === "expired_token" || error === "code_expired") {
    return signInTrouble(
      `the code was not used in time (${code})`,
      "Run claude-mirror auth again and type the new code.",
    );
  }
  if (error === "invalid_grant" || error === "interaction_required" || error === "login_required") {
    return signInTrouble(`Microsoft no longer accepts the saved sign-in (${code})`, HINTS[number]);
  }
  return signInTrouble(`Microsoft refuses (${code})`, HINTS[number]);
}

function signInTrouble(why: string, hint = "Run claude-mirror auth."): BackendError {
  return new BackendError(`Could not sign in to OneDrive: ${why}`, { class: "AUTH", hint });
}

function explain(error: unknown): unknown {
  if (error instanceof BackendError) return error;
  const code = error instanceof Error && "errorCode" in error ? String(error.errorCode) : "";
  if (code === "device_code_expired" || code === "user_timeout_reached") return refusedSignIn("expired_token", "");
  if (code === "no_tokens_found" || code === "no_account_found" || code === "no_account_in_silent_request") {
    return signInTrouble(`the token file holds no sign-in for this app (${code})`);
  }
  if (code !== "") return signInTrouble(`the sign-in library reports ${code}`);
  return error;
}
