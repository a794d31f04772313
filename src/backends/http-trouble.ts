import { BodyLengthError } from "../lib/http-body.ts";
import { HttpError } from "../lib/http-error.ts";
import { BackendError, LocalFileError } from "./errors.ts";

/** What an error message needs to know about a request. */
export interface Attempted {
  /** What was attempted, with its subject quoted: `write "notes/a.md"`. */
  readonly what: string;
  /** Host and port. */
  readonly host: string;
  /** True when the request changes something, so that a lost answer leaves its outcome open. */
  readonly changes: boolean;
  /** Where the host's name comes from, for hints: a setting, a variable; left out for a vendor's own host. */
  readonly setting?: string;
}

/**
 * Turns what the HTTP client threw into a BackendError. The signal's reason, local file errors and whatever else pass
 * through.
 */
export function fromHttp(error: unknown, attempted: Attempted): unknown {
  if (error instanceof HttpError) return fromHttpError(error, attempted);
  if (error instanceof BodyLengthError) {
    return new BackendError(`Could not ${attempted.what}: the file changed while it was read, ${error.message}`, {
      class: "FILE_REJECTED",
      cause: error,
    });
  }
  return error;
}

/** An error of the body to send, in the only shape that a backend may throw. */
export function fromSource(error: unknown, what: string): unknown {
  if (error instanceof BackendError || error instanceof LocalFileError) return error;
  if (error instanceof HttpError || error instanceof BodyLengthError) return error;
  if (error instanceof Error && error.name === "AbortError") return error;
  const text = error instanceof Error ? error.message : String(error);
  return new LocalFileError(`Could not ${what}: reading what to send failed: ${text}`, { cause: error });
}

function fromHttpError(error: HttpError, attempted: Attempted): BackendError {
  const { text, hint } = describe(error, attempted);
  return new BackendError(`Could not ${attempted.what}: ${text}`, {
    class: "TRANSIENT",
    ...(hint === undefined ? {} : { hint }),
    outcomeUnknown: attempted.changes && error.reached,
    cause: error,
  });
}

interface Trouble {
  readonly text: string;
  readonly hint?: string;
}

function describe({ failure, message }: HttpError, attempted: Attempted): Trouble {
  const { host, setting } = attempted;
  switch (failure) {
    case "name": {
      const hint = setting === undefined ? "Check the network." : `Check the network and the name in ${setting}.`;
      return { text: `the server "${host}" is not known`, hint };
    }
    case "refused":
      return { text: `"${host}" cannot be reached${codeIn(message)}`, hint: unreachable(setting) };
    case "tls":
      return certificateTrouble(message, attempted);
    case "timeout":
      return { text: `"${host}" is too slow: ${message}` };
    case "cut":
      return { text: `the connection to "${host}" broke: ${message}` };
    case "protocol":
      return protocolTrouble(message, attempted);
    default:
      return failure satisfies never;
  }
}

function unreachable(setting: string | undefined): string {
  return setting === undefined ? "Check the network." : "Check that the server runs and the network is up.";
}

/** A vendor's own host has the right certificate: somebody stands in between. */
const MIDDLEMAN = "Check whether a proxy or a sign-in page of the network answers in its place.";

/** The error for an answer that says success and is none of the service's: what it does not hold is not absent. */
export function notTheService({ what, host, changes }: Attempted, service: string): BackendError {
  return new BackendError(`Could not ${what}: "${host}" did not answer as ${service} does`, {
    class: "TRANSIENT",
    hint: MIDDLEMAN,
    outcomeUnknown: changes,
  });
}

function certificateTrouble(message: string, { host, setting }: Attempted): Trouble {
  const subject = `the certificate of "${host}"`;
  if (/expired/i.test(message))
    return { text: `${subject} has expired`, hint: "Have it renewed on the server, and check this machine's clock." };
  if (/altname|not valid for|CERT_COMMON/i.test(message)) {
    const hint = setting === undefined ? MIDDLEMAN : `Check the host name in ${setting}.`;
    return { text: `${subject} is for another host name`, hint };
  }
  const own = "For a certificate of your own, set NODE_EXTRA_CA_CERTS to a PEM file with its authority.";
  if (/self.signed/i.test(message)) return { text: `${subject} is self-signed`, hint: own };
  return { text: `${subject} is not accepted: ${message}`, hint: own };
}

function protocolTrouble(message: string, { host, setting }: Attempted): Trouble {
  const hint = setting === undefined ? MIDDLEMAN : `Check the port and https:// in ${setting}.`;
  if (/WRONG_VERSION_NUMBER|packet length too long|InvalidContentType|corrupt message/i.test(message))
    return { text: `"${host}" does not speak https on this port`, hint };
  return { text: `"${host}" does not speak HTTP: ${message}`, hint };
}

/** ` (ECONNREFUSED)`: what to look for, without the sentence around it that says it all again. */
function codeIn(message: string): string {
  const code = /\bE[A-Z]{4,}\b/.exec(message)?.[0];
  return code === undefined ? `: ${message}` : ` (${code})`;
}
