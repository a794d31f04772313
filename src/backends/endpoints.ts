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
  const url = parseUrl(given);
  const trouble = troubleWith(url);
  if (url === undefined || trouble !== undefined) {
    throw new BackendError(`Could not use the address in ${name}: ${trouble}`, {
      class: "FILE_REJECTED",
      hint: `Unset ${name} to use the service itself.`,
    });
  }
  return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
}

function troubleWith(url: URL | undefined): string | undefined {
  if (url === undefined) return "it is no web address";
  if (url.username !== "" || url.password !== "") return "a username or password stands in it";
  if (url.search !== "" || url.hash !== "") return 'a "?" or "#" and more follows the path';
  if (url.protocol === "https:") return undefined;
  return url.protocol === "http:" && isLoopback(url.hostname)
    ? undefined
    : "it must be https, or http to this machine itself";
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

function parseUrl(text: string): URL | undefined {
  try {
    return new URL(text.trim());
  } catch {
    return undefined;
  }
}
