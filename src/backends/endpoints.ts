import { addressTrouble, parseAddress } from "../lib/web-address.ts";
import { BackendError } from "./errors.ts";

/** Services whose hosts can be replaced, as the variables' names spell them. */
export type EndpointOwner = "GOOGLEDRIVE" | "DROPBOX" | "ONEDRIVE" | "SLACK" | "DISCORD" | "TEAMS" | "WEBHOOK";

/** `API`: metadata; `UPLOAD`: contents in either direction; `AUTH`: sign-in and tokens; `NOTIFY`: waiting for changes. */
export type EndpointRole = "API" | "UPLOAD" | "AUTH" | "NOTIFY";

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The address that stands in for a vendor's host: `CLAUDE_MIRROR_ENDPOINT_<BACKEND>_<ROLE>`, without a slash at its end,
 * or undefined where the vendor's own is to be used. Throws BackendError for an address that would send a token in the
 * clear: it must be https, or http to this machine itself.
 */
export function endpointOverride(env: Env, owner: EndpointOwner, role: EndpointRole): string | undefined {
  const name = `CLAUDE_MIRROR_ENDPOINT_${owner}_${role}`;
  const given = env[name];
  if (!given) return undefined;
  const url = parseAddress(given);
  const trouble = addressTrouble(url);
  if (url === undefined || trouble !== undefined) {
    throw new BackendError(`Could not use the address in ${name}: ${trouble}`, {
      class: "FILE_REJECTED",
      hint: `Unset ${name} to use the service itself.`,
    });
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}
