import { createHash } from "node:crypto";
import type { FakeReply, FakeRequest } from "../fake-http.ts";

export const CLIENT = { client_id: "1234-abc.apps.googleusercontent.com", client_secret: "GOCSPX-not-so-secret" };

/** Google's authorisation server for installed apps. https://developers.google.com/identity/protocols/oauth2/native-app */
export interface FakeOauth {
  /** Who is signed in in the browser. */
  user: string;
  /** What the person does on the consent page. */
  consent: "all" | "deny" | "first scope only";
  /** Gives a new refresh token at every refresh and takes the old one back. Google does not; others do. */
  rotates: boolean;
  /** How a refresh fails, in place of a token. */
  refreshError:
    | { readonly error: string; readonly error_description?: string; readonly error_subtype?: string }
    | undefined;
  /** Seconds. */
  lifetime: number;
  authorize(request: FakeRequest): FakeReply;
  token(request: FakeRequest): Promise<FakeReply>;
  /** Whose access token this is; undefined for one that has expired or never was. */
  userOf(accessToken: string): string | undefined;
  /** A refresh token of an earlier consent. */
  grant(user: string): string;
  revoke(refreshToken: string): void;
  /** Every access token issued so far stops working. */
  expireAccess(): void;
}

interface Code {
  readonly user: string;
  readonly challenge: string | null;
  readonly redirect: string;
  readonly offline: boolean;
  readonly scope: string;
}

export function createOauth(now: () => number): FakeOauth {
  const codes = new Map<string, Code>();
  const access = new Map<string, { readonly user: string; readonly until: number }>();
  const refresh = new Map<string, { readonly user: string; readonly scope: string }>();
  let serial = 0;
  const issue = (user: string, scope: string) => {
    const token = `ya29.access-${++serial}`;
    access.set(token, { user, until: now() + oauth.lifetime * 1000 });
    return { access_token: token, expires_in: oauth.lifetime, scope, token_type: "Bearer" };
  };
  const oauth: FakeOauth = {
    user: "owner@example.com",
    consent: "all",
    rotates: false,
    refreshError: undefined,
    lifetime: 3599,
    authorize({ url }) {
      const get = (name: string): string | null => url.searchParams.get(name);
      const redirect = get("redirect_uri") ?? "";
      if (get("client_id") !== CLIENT.client_id) return page(401, "Error 401: invalid_client");
      if (!/^http:\/\/(127\.0\.0\.1|\[::1\]|localhost)(:\d+)?(\/|$)/.test(redirect)) {
        return page(400, "Error 400: redirect_uri_mismatch");
      }
      if (get("response_type") !== "code" || !get("scope")) return page(400, "Error 400: invalid_request");
      const back = new URL(redirect);
      const state = get("state");
      if (state !== null) back.searchParams.set("state", state);
      if (oauth.consent === "deny") back.searchParams.set("error", "access_denied");
      else {
        const scopes = get("scope") ?? "";
        const scope = oauth.consent === "all" ? scopes : (scopes.split(" ")[0] ?? "");
        const code = `4/0A${++serial}`;
        const offline = get("access_type") === "offline" && get("prompt") === "consent";
        codes.set(code, { user: oauth.user, challenge: get("code_challenge"), redirect, offline, scope });
        back.searchParams.set("code", code);
        back.searchParams.set("scope", scope);
      }
      return { status: 302, headers: { Location: back.href } };
    },
    async token(request) {
      const form = new URLSearchParams((await request.body()).toString());
      if (form.get("client_id") !== CLIENT.client_id || form.get("client_secret") !== CLIENT.client_secret) {
        return json(401, { error: "invalid_client", error_description: "The OAuth client was not found." });
      }
      if (form.get("grant_type") === "refresh_token") return refreshed(form.get("refresh_token") ?? "");
      const given = form.get("code") ?? "";
      const code = codes.get(given);
      codes.delete(given);
      const verifier = createHash("sha256")
        .update(form.get("code_verifier") ?? "")
        .digest("base64url");
      if (code === undefined || code.redirect !== form.get("redirect_uri")) {
        return json(400, { error: "invalid_grant", error_description: "Bad Request" });
      }
      if (code.challenge !== null && code.challenge !== verifier) {
        return json(400, { error: "invalid_grant", error_description: "Invalid code verifier." });
      }
      const tokens = issue(code.user, code.scope);
      if (!code.offline) return json(200, tokens);
      return json(200, { ...tokens, refresh_token: grant(code.user, code.scope) });
    },
    userOf(token) {
      const found = access.get(token);
      return found !== undefined && found.until > now() ? found.user : undefined;
    },
    grant: (user) => grant(user, "https://www.googleapis.com/auth/drive https://www.googleapis.com/auth/pubsub"),
    revoke: (token) => void refresh.delete(token),
    expireAccess: () => access.clear(),
  };
  const grant = (user: string, scope: string): string => {
    const token = `1//refresh-${++serial}`;
    refresh.set(token, { user, scope });
    return token;
  };
  const refreshed = (token: string): FakeReply => {
    if (oauth.refreshError !== undefined) return json(400, oauth.refreshError);
    const found = refresh.get(token);
    if (found === undefined) {
      return json(400, { error: "invalid_grant", error_description: "Token has been expired or revoked." });
    }
    const tokens = issue(found.user, found.scope);
    if (!oauth.rotates) return json(200, tokens);
    refresh.delete(token);
    return json(200, { ...tokens, refresh_token: grant(found.user, found.scope) });
  };
  return oauth;
}

function page(status: number, text: string): FakeReply {
  return { status, headers: { "Content-Type": "text/html" }, body: `<html>${text}</html>` };
}

function json(status: number, value: unknown): FakeReply {
  return { status, headers: { "Content-Type": "application/json; charset=utf-8" }, body: JSON.stringify(value) };
}
