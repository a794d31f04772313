import { BackendError } from "../errors.ts";

/** What the token endpoint answered, RFC 6749 section 5.2 with Google's additions. */
export interface TokenRefusal {
  readonly status: number;
  readonly error: string;
  readonly description: string;
  readonly subtype: string;
}

/** Reads an answer of the token endpoint that refuses. */
export function parseTokenRefusal(status: number, text: string): TokenRefusal {
  let json: Record<string, unknown> = {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) json = value as Record<string, unknown>;
  } catch {
    // A page of a proxy: the status says what there is to say.
  }
  const word = (key: string): string => (typeof json[key] === "string" ? (json[key] as string) : "");
  return { status, error: word("error"), description: word("error_description"), subtype: word("error_subtype") };
}

/** True when another attempt may succeed: nothing was said about the token itself. */
export function mayPass({ status, error }: TokenRefusal): boolean {
  return (
    status >= 500 ||
    status === 408 ||
    status === 429 ||
    error === "temporarily_unavailable" ||
    error === "internal_failure"
  );
}

const SIGN_IN_AGAIN = "Run claude-mirror auth.";

/** The causes in the order of their likelihood, for a token that Google has taken back. */
const REVOKED =
  "Run claude-mirror auth. When this comes back every day or week: publish the app (APIs & Services, OAuth consent screen, PUBLISH APP), for sign-ins of an app in Testing end after 7 days; otherwise access was withdrawn under myaccount.google.com, Security, or more than 50 sign-ins of this account pushed it out.";

/** The organisation, not the token, ends the sign-in: invalid_rapt is Google Cloud session control. */
const ORGANISATION =
  "Run claude-mirror auth. The organisation makes sign-ins end: ask its administrator to set Security, Authentication, Google Cloud session control to never expire, or to trust this app under API controls. With an Internal consent screen, check that the Cloud project belongs to the organisation (IAM & Admin, Settings).";

const MOST_SKEW_MS = 3 * 60 * 1000;

/** Why a refresh did not give a token, and the next step. `skewMs`: how far this machine's clock is from Google's. */
export function fromTokenRefusal(refusal: TokenRefusal, skewMs: number | undefined): BackendError {
  const { status, error, description, subtype } = refusal;
  const said = description === "" ? error || `status ${status}` : `${error}: ${description}`;
  const message = (found: string): string => `Could not refresh the Google sign-in: ${found} (${said})`;
  if (mayPass(refusal)) {
    return new BackendError(message("Google has trouble of its own"), { class: "TRANSIENT", status });
  }
  const auth = (found: string, hint: string) => new BackendError(message(found), { class: "AUTH", status, hint });
  if (/rapt|reauth/i.test(`${subtype} ${description}`)) return auth("Google asks for a new sign-in", ORGANISATION);
  if (error === "invalid_grant" && skewMs !== undefined && Math.abs(skewMs) > MOST_SKEW_MS) {
    const minutes = Math.round(Math.abs(skewMs) / 60_000);
    const off = `this machine's clock is ${minutes} minutes ${skewMs > 0 ? "ahead" : "behind"}`;
    return auth(off, "Set the clock (timedatectl set-ntp true, or sudo sntp -sS time.apple.com), then try again.");
  }
  if (/admin_policy|org_internal|access_denied/.test(`${error} ${subtype}`)) {
    return auth("a rule of the organisation forbids it", ORGANISATION);
  }
  if (error === "invalid_grant") return auth("the sign-in has expired or was revoked", REVOKED);
  if (error === "invalid_client" || error === "unauthorized_client" || error === "deleted_client") {
    const hint = "Download the OAuth client's JSON again (APIs & Services, Credentials), then run claude-mirror auth.";
    return auth("Google does not know the OAuth client any more", hint);
  }
  return auth("Google refused it", SIGN_IN_AGAIN);
}
