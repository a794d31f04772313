import type { FakeReply, FakeRequest } from "../fake-http.ts";

/** Somebody with a Microsoft account. */
export interface FakeUser {
  readonly name: string;
  readonly username: string;
  /** `9188040d-...` is where all personal accounts live. */
  readonly tenant: string;
  readonly oid: string;
}

export const PERSONAL_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad";
export const ALICE: FakeUser = {
  name: "Alice Example",
  username: "alice@outlook.example",
  tenant: PERSONAL_TENANT,
  oid: "00000000-0000-0000-a11c-e00000000001",
};

export interface FakeIdentity {
  /** Who types the next code in. */
  user: FakeUser;
  /** What the next polls of a device code are told before it is approved. */
  answers: (
    | "authorization_pending"
    | "slow_down"
    | "authorization_declined"
    | "expired_token"
    | "bad_verification_code"
  )[];
  /** Seconds between polls, as the server asks for. */
  interval: number;
  /** Seconds that an access token holds. */
  lifetime: number;
  /** Whether a refresh spends its refresh token, as single-page apps have it. */
  spends: boolean;
  readonly clientId: string;
  readonly refreshes: number;
  /** Every access token given so far stops working. */
  expireAccess(): void;
  /** Every refresh token stops working, with this error. */
  revoke(code: number): void;
  /** Signs `user` in without a conversation: what a token file holds afterwards. */
  tokens(): { readonly access: string; readonly refresh: string };
  userOf(access: string): FakeUser | undefined;
  handle(request: FakeRequest): Promise<FakeReply>;
}

const ERRORS: Readonly<Record<number, string>> = {
  50058: "A silent sign-in request was sent but no user is signed in.",
  70008: "The provided authorization code or refresh token has expired due to inactivity.",
  700082: "The refresh token has expired due to inactivity.",
  50173: "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
  65001: "The user or administrator has not consented to use the application.",
};

/**
 * Microsoft's identity platform, as far as the device-code flow and refreshing go:
 * https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code. Where document and library disagree:
 * - The document names the grant `urn:ietf:params:oauth:grant-type:device_code`; msal-node 7 sends `device_code`.
 * - `slow_down` is RFC 8628's and in no document of Microsoft; msal-node takes every error but `authorization_pending` for
 *   the end.
 * - Every refresh gives a new refresh token; the old one stays good, as the document says.
 * - msal-node asks neither for instance discovery nor for the OpenID configuration of hosts that it knows; both are served.
 */
export function createIdentity(now: () => number): FakeIdentity {
  const codes = new Map<string, { readonly user: () => FakeUser; readonly until: number }>();
  const access = new Map<string, { readonly user: FakeUser; readonly until: number }>();
  const refresh = new Map<string, FakeUser>();
  let made = 0;
  let revoked: number | undefined;
  let refreshes = 0;

  const issue = (user: FakeUser) => {
    const tokens = { access: `access-${++made}`, refresh: `refresh-${made}` };
    access.set(tokens.access, { user, until: now() + identity.lifetime * 1000 });
    refresh.set(tokens.refresh, user);
    return tokens;
  };
  const grant = (user: FakeUser): FakeReply => {
    const tokens = issue(user);
    return json(200, {
      token_type: "Bearer",
      scope: "Files.ReadWrite openid profile",
      expires_in: identity.lifetime,
      ext_expires_in: identity.lifetime,
      access_token: tokens.access,
      refresh_token: tokens.refresh,
      id_token: idToken(user, now()),
      client_info: encode({ uid: user.oid, utid: user.tenant }),
    });
  };
  const poll = (form: URLSearchParams): FakeReply => {
    const code = codes.get(form.get("device_code") ?? "");
    if (code === undefined) return refusal("bad_verification_code", 70018);
    if (now() > code.until) return refusal("expired_token", 70020);
    const told = identity.answers.shift();
    if (told !== undefined) return refusal(told, told === "authorization_declined" ? 70019 : 70016);
    codes.delete(form.get("device_code") ?? "");
    return grant(code.user());
  };
  const renew = (form: URLSearchParams): FakeReply => {
    if (revoked !== undefined) return refusal("invalid_grant", revoked);
    const given = form.get("refresh_token") ?? "";
    const user = refresh.get(given);
    if (user === undefined) return refusal("invalid_grant", 50173);
    if (identity.spends) refresh.delete(given);
    refreshes++;
    return grant(user);
  };

  const identity: FakeIdentity = {
    user: ALICE,
    answers: [],
    interval: 0,
    lifetime: 3600,
    spends: false,
    clientId: "11111111-2222-3333-4444-555555555555",
    get refreshes() {
      return refreshes;
    },
    expireAccess: () => access.clear(),
    revoke: (code) => {
      revoked = code;
      access.clear();
    },
    tokens: () => issue(identity.user),
    userOf(token) {
      const known = access.get(token);
      return known === undefined || now() > known.until ? undefined : known.user;
    },
    async handle(request) {
      const path = request.url.pathname;
      const origin = "https://login.microsoftonline.com";
      if (path.endsWith("/discovery/instance")) return discovery(origin);
      if (path.endsWith("/.well-known/openid-configuration")) return configuration(origin, path.split("/")[1] ?? "");
      const form = new URLSearchParams((await request.body()).toString());
      if (form.get("client_id") !== identity.clientId) return refusal("unauthorized_client", 700016);
      if (path.endsWith("/devicecode")) {
        if (!/(^| )Files\.ReadWrite( |$)/.test(form.get("scope") ?? "")) return refusal("invalid_scope", 70011);
        const device = `device-${++made}`;
        codes.set(device, { user: () => identity.user, until: now() + 900_000 });
        return json(200, {
          user_code: "ABCD2345",
          device_code: device,
          verification_uri: "https://microsoft.com/devicelogin",
          expires_in: 900,
          interval: identity.interval,
          message: "To sign in, open the page https://microsoft.com/devicelogin and enter the code ABCD2345.",
        });
      }
      if (!path.endsWith("/token")) return json(404, { error: "not_found" });
      const kind = form.get("grant_type") ?? "";
      if (kind === "device_code" || kind === "urn:ietf:params:oauth:grant-type:device_code") return poll(form);
      return kind === "refresh_token" ? renew(form) : refusal("unsupported_grant_type", 70003);
    },
  };
  return identity;
}

function refusal(error: string, code: number): FakeReply {
  const text = ERRORS[code] ?? error;
  return json(400, {
    error,
    error_description: `AADSTS${code}: ${text} Trace ID: 0 Correlation ID: 0 Timestamp: 2026-01-01 00:00:00Z`,
    error_codes: [code],
    timestamp: "2026-01-01 00:00:00Z",
    trace_id: "0",
    correlation_id: "0",
  });
}

function discovery(origin: string): FakeReply {
  const host = new URL(origin).host;
  return json(200, {
    tenant_discovery_endpoint: `${origin}/common/v2.0/.well-known/openid-configuration`,
    "api-version": "1.1",
    metadata: [{ preferred_network: host, preferred_cache: "login.windows.net", aliases: [host, "login.windows.net"] }],
  });
}

function configuration(origin: string, tenant: string): FakeReply {
  return json(200, {
    token_endpoint: `${origin}/${tenant}/oauth2/v2.0/token`,
    device_authorization_endpoint: `${origin}/${tenant}/oauth2/v2.0/devicecode`,
    authorization_endpoint: `${origin}/${tenant}/oauth2/v2.0/authorize`,
    jwks_uri: `${origin}/${tenant}/discovery/v2.0/keys`,
    issuer: `${origin}/{tenantid}/v2.0`,
  });
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function idToken(user: FakeUser, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1000);
  const claims = {
    ver: "2.0",
    iss: `https://login.microsoftonline.com/${user.tenant}/v2.0`,
    aud: "11111111-2222-3333-4444-555555555555",
    sub: user.oid,
    oid: user.oid,
    tid: user.tenant,
    name: user.name,
    preferred_username: user.username,
    iat: seconds,
    nbf: seconds,
    exp: seconds + 86_400,
  };
  return `${encode({ typ: "JWT", alg: "none" })}.${encode(claims)}.`;
}

export function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): FakeReply {
  return { status, headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(value) };
}
