import { DropboxAuth, DropboxResponseError } from "dropbox";
import { createHttpClient } from "../../lib/http-client.ts";
import { BackendError } from "../errors.ts";
import { fromHttp } from "../http-trouble.ts";
import type { BackendConfig, BackendDeps, Talk } from "../module.ts";
import { tokenText } from "./access.ts";
import { grantedFrom, routeOf, sdkFetch } from "./client.ts";
import { refusedToken } from "./errors.ts";

/** What the app must be allowed to do. The right to see names comes with the right to read. */
const NEEDED = ["files.content.read", "files.content.write"];

/**
 * The authorization code flow with PKCE and without a secret: the person allows the app in a browser on any machine and
 * types the code that Dropbox shows. Writes the token when all is well.
 */
export async function signIn(config: BackendConfig, deps: BackendDeps, talk: Talk): Promise<void> {
  const appKey = requireAppKey(config);
  if (talk.ask === undefined) {
    throw new BackendError("Could not sign in to Dropbox: there is nobody to ask for the code", {
      class: "AUTH",
      hint: "Run claude-mirror auth in a terminal, or copy the token file from another machine.",
    });
  }
  const http = createHttpClient();
  try {
    const auth = new DropboxAuth({ clientId: appKey, fetch: sdkFetch(http, deps) });
    const address = await auth.getAuthenticationUrl("", "", "code", "offline", undefined, "none", true);
    // The SDK leaves out the www that the documentation has.
    const shown = routeOf(deps.env)(String(address).replace(/^https:\/\/dropbox\.com\//, "https://www.dropbox.com/"));
    talk.print("To let claude-mirror use your Dropbox, open this address, allow the app and copy the code it shows:");
    talk.print(`  ${shown}`);
    if (await talk.open(shown)) talk.print("It should be open in your browser now.");
    const code = (await talk.ask("Code from Dropbox")).trim();
    deps.signal?.throwIfAborted();
    const answer = await exchange(auth, code, deps);
    checkScopes(answer);
    const { refreshToken } = grantedFrom(answer);
    if (refreshToken === undefined) {
      throw new BackendError("Could not sign in to Dropbox: its answer holds no lasting token", { class: "AUTH" });
    }
    deps.tokens.write(tokenText({ appKey, refreshToken }));
  } finally {
    http.close();
  }
}

/** Throws for a config that names no app. */
export function requireAppKey({ dropboxAppKey }: Pick<BackendConfig, "dropboxAppKey">): string {
  if (dropboxAppKey !== "") return dropboxAppKey;
  throw new BackendError("Could not sign in to Dropbox: dropbox_app_key is not set", {
    class: "AUTH",
    hint: "Run claude-mirror init --dropbox-app-key KEY; the key is on the Settings tab of your app on dropbox.com/developers/apps.",
  });
}

async function exchange(
  auth: DropboxAuth,
  code: string,
  deps: BackendDeps,
): Promise<Readonly<Record<string, unknown>>> {
  const what = "sign in to Dropbox";
  if (code === "") throw noGoodCode("no code was given");
  try {
    const { result } = await auth.getAccessTokenFromCode("", encodeURIComponent(code));
    return result as unknown as Readonly<Record<string, unknown>>;
  } catch (error) {
    if (deps.signal?.aborted) throw deps.signal.reason;
    if (!(error instanceof DropboxResponseError)) throw fromHttp(error, { what, host: "Dropbox", changes: false });
    const answer = (error.error ?? {}) as Readonly<Record<string, unknown>>;
    if (answer["error"] === "invalid_grant") throw noGoodCode(String(answer["error_description"] ?? "invalid_grant"));
    throw refusedToken(what, { status: error.status, headers: error.headers }, answer, deps.clock.now());
  }
}

function noGoodCode(why: string): BackendError {
  return new BackendError(`Could not sign in to Dropbox: ${why}`, {
    class: "AUTH",
    hint: "A code is good once and for a few minutes: run claude-mirror auth again and paste the new code at once.",
  });
}

function checkScopes(answer: Readonly<Record<string, unknown>>): void {
  const { scope } = answer;
  if (typeof scope !== "string") return;
  const granted = new Set(scope.split(" "));
  const missing = NEEDED.filter((each) => !granted.has(each));
  if (missing.length === 0) return;
  throw new BackendError(`Could not use the Dropbox app: it lacks the permission ${missing.join(" and ")}`, {
    class: "AUTH",
    hint: `On dropbox.com/developers/apps enable ${missing.join(" and ")} on the app's Permissions tab, press Submit, then run claude-mirror auth.`,
  });
}
