import { endpointOverride } from "../endpoints.ts";

/** Where Google answers, or what stands in for it. Without a slash at the end. */
export interface DriveHosts {
  readonly api: string;
  readonly upload: string;
  /** The page where a person signs in. */
  readonly consent: string;
  /** Where codes and refresh tokens are exchanged. */
  readonly token: string;
  /** Pub/Sub. */
  readonly notify: string;
}

const GOOGLE = "https://www.googleapis.com";

export function driveHosts(env: Readonly<Record<string, string | undefined>>): DriveHosts {
  const api = endpointOverride(env, "GOOGLEDRIVE", "API");
  const auth = endpointOverride(env, "GOOGLEDRIVE", "AUTH");
  return {
    api: api ?? GOOGLE,
    upload: endpointOverride(env, "GOOGLEDRIVE", "UPLOAD") ?? api ?? GOOGLE,
    consent: auth === undefined ? "https://accounts.google.com/o/oauth2/v2/auth" : `${auth}/o/oauth2/v2/auth`,
    token: auth === undefined ? "https://oauth2.googleapis.com/token" : `${auth}/token`,
    notify: endpointOverride(env, "GOOGLEDRIVE", "NOTIFY") ?? "https://pubsub.googleapis.com",
  };
}

/** Host and port of an address, for messages. */
export function hostOf(address: string): string {
  return new URL(address).host;
}
