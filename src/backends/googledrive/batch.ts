import type { Refused } from "./errors.ts";

/** One call of the API inside a batch; contents cannot be part of one. */
export interface BatchCall {
  readonly method: "GET" | "POST" | "PATCH" | "DELETE";
  /** Path and query: `/drive/v3/files/ID?fields=id`. */
  readonly path: string;
  readonly body?: unknown;
  /** What is attempted, its subject quoted. */
  readonly what: string;
}

export interface BatchAnswer extends Refused {
  readonly status: number;
  /** Parsed; undefined when there is none. */
  readonly body: unknown;
}

/** Calls of one batch. https://developers.google.com/drive/api/guides/performance#batch-requests */
export const MOST_BATCHED = 100;
const BOUNDARY = "batch_claude_mirror";

/** The request's body and type: multipart/mixed with one application/http part for each call. */
export function formatBatch(calls: readonly BatchCall[]): { readonly body: Uint8Array; readonly type: string } {
  const parts = calls.map(({ method, path, body }, at) => {
    const text = body === undefined ? "" : JSON.stringify(body);
    const type =
      body === undefined
        ? ""
        : `Content-Type: application/json; charset=UTF-8\r\nContent-Length: ${Buffer.byteLength(text)}\r\n`;
    return `--${BOUNDARY}\r\nContent-Type: application/http\r\nContent-ID: <item${at}>\r\n\r\n${method} ${path} HTTP/1.1\r\n${type}\r\n${text}\r\n`;
  });
  return { body: Buffer.from(`${parts.join("")}--${BOUNDARY}--\r\n`), type: `multipart/mixed; boundary=${BOUNDARY}` };
}

/** The answers by the number of their call; a number that is missing was not answered. */
export function parseBatch(text: string, type: string): readonly (BatchAnswer | undefined)[] {
  const boundary = /boundary="?([^";]+)"?/.exec(type)?.[1];
  const answers: (BatchAnswer | undefined)[] = [];
  if (boundary === undefined) return answers;
  for (const part of text.split(`--${boundary}`).slice(1)) {
    const match = /content-id:\s*<?response-item(\d+)>?/i.exec(part);
    const inner = /HTTP\/[\d.]+ (\d{3})[^\r\n]*\r?\n([\s\S]*?)\r?\n\r?\n([\s\S]*)$/.exec(part);
    if (match?.[1] === undefined || inner?.[1] === undefined) continue;
    const retryAfter = /^retry-after:\s*(.+?)\s*$/im.exec(inner[2] ?? "")?.[1];
    const [status, body] = [Number(inner[1]), jsonIn(inner[3] ?? "")];
    // A success that tells nothing is none of the API's: what it does not hold is not absent.
    if (status < 300 && status !== 204 && (typeof body !== "object" || body === null)) continue;
    answers[Number(match[1])] = { status, retryAfter, body };
  }
  return answers;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
