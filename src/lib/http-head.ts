import { HttpError } from "./http-error.ts";

export interface HttpHeaders {
  /** The value of a header, whatever the case of its name; several of one name joined with `, `. */
  get(name: string): string | null;
  /** Every header, its name in lower case; several of one name one after the other. */
  entries(): Iterable<[string, string]>;
}

/** What an answer says before its body. */
export interface ResponseHead {
  readonly status: number;
  readonly statusText: string;
  readonly headers: HttpHeaders;
  /** How the end of the body is found. */
  readonly framing: Framing;
  /** Whether the connection may serve another request afterwards. */
  readonly keepsConnection: boolean;
  /** Milliseconds that the server keeps it open unused, where it says so (`Keep-Alive: timeout=5`). */
  readonly keepMs: number | undefined;
}

/** RFC 9112 section 6.3. */
export type Framing =
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  /** Up to the end of the connection. */
  | { readonly kind: "rest" };

/** The request as it goes over the wire, up to its body. Throws HttpError for what cannot stand in a header. */
export function requestHead(method: string, url: URL, headers: Readonly<Record<string, string>>): string {
  let text = `${method} ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${url.host}\r\nConnection: keep-alive\r\n`;
  const lines = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (!TOKEN.test(name) || FORBIDDEN.test(value)) {
      const message = `cannot send the header "${name}": it has letters that no header may have`;
      throw new HttpError(message, { failure: "protocol", reached: false });
    }
    lines.set(name.toLowerCase(), `${name}: ${value}\r\n`);
  }
  for (const line of lines.values()) text += line;
  return `${text}\r\n`;
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const FORBIDDEN = /[^\t\x20-\x7e\x80-\xff]/;

/** Reads a head without its empty line. Throws HttpError when it is none of HTTP/1. */
export function parseHead(text: string, method: string): ResponseHead {
  const [first = "", ...lines] = text.split("\r\n");
  const start = /^HTTP\/1\.([01]) (\d{3})(?: (.*))?$/.exec(first);
  if (start === null) throw malformed(`it begins with "${printable(first)}"`);
  const headers = new ReceivedHeaders(lines);
  const status = Number(start[2]);
  const framing = framingOf(method, status, headers);
  const connection = (headers.get("connection") ?? "").toLowerCase();
  const stays = start[1] === "1" ? !/\bclose\b/.test(connection) : /\bkeep-alive\b/.test(connection);
  const seconds = /\btimeout=(\d{1,6})\b/i.exec(headers.get("keep-alive") ?? "")?.[1];
  return {
    status,
    statusText: start[3] ?? "",
    headers,
    framing,
    // An answer with both says two things about its end (RFC 9112 section 6.1): no further one is looked for behind it.
    keepsConnection:
      stays && framing.kind !== "rest" && !(framing.kind === "chunked" && headers.get("content-length") !== null),
    keepMs: seconds === undefined ? undefined : Number(seconds) * 1000,
  };
}

function framingOf(method: string, status: number, headers: HttpHeaders): Framing {
  if (method === "HEAD" || status === 204 || status === 304) return { kind: "length", bytes: 0 };
  const coding = headers.get("transfer-encoding");
  if (coding !== null) return /(^|,)\s*chunked\s*$/i.test(coding) ? { kind: "chunked" } : { kind: "rest" };
  const length = headers.get("content-length");
  if (length === null) return { kind: "rest" };
  const [size = "", ...others] = length.includes(",") ? length.split(",").map((one) => one.trim()) : [length];
  if (!/^\d{1,15}$/.test(size) || others.some((other) => other !== size))
    throw malformed(`it has the length "${printable(length)}"`);
  return { kind: "length", bytes: Number(size) };
}

export function malformed(what: string): HttpError {
  return new HttpError(`malformed answer: ${what}`, { failure: "protocol", reached: true });
}

function printable(text: string): string {
  return text.slice(0, 40).replace(/[^\x20-\x7e]/g, "?");
}

/** Of headers that can stand once only the first counts: two of them joined would be a value that nobody sent. */
const SINGLE: ReadonlySet<string> = new Set([
  "content-type",
  "date",
  "etag",
  "last-modified",
  "location",
  "retry-after",
]);

class ReceivedHeaders implements HttpHeaders {
  readonly #pairs: [string, string][] = [];

  constructor(lines: readonly string[]) {
    for (const line of lines) {
      const last = this.#pairs.at(-1);
      if (last !== undefined && /^[ \t]/.test(line)) {
        last[1] = `${last[1]} ${line.trim()}`;
        continue;
      }
      const colon = line.indexOf(":");
      const name = line.slice(0, Math.max(0, colon));
      if (!TOKEN.test(name)) throw malformed(`it has the header "${printable(line)}"`);
      this.#pairs.push([name.toLowerCase(), line.slice(colon + 1).trim()]);
    }
  }

  get(name: string): string | null {
    const wanted = name.toLowerCase();
    let found: string | null = null;
    for (const [each, value] of this.#pairs) {
      if (each !== wanted) continue;
      if (found === null) found = value;
      else if (!SINGLE.has(wanted)) found = `${found}, ${value}`;
    }
    return found;
  }

  entries(): Iterable<[string, string]> {
    return this.#pairs;
  }
}
