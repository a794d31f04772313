import type { FakeReply, FakeRequest } from "../fake-http.ts";
import { refusalReply } from "./calls.ts";
import { Refusal } from "./store.ts";
import { splitParts } from "./uploads.ts";

const MOST_CALLS = 100;

/**
 * `POST /batch/drive/v3`: up to 100 calls of one API, done in any order, answered in the order of the parts, each
 * with its own status. https://developers.google.com/drive/api/guides/performance#batch-requests
 */
export async function answerBatch(
  request: FakeRequest,
  perform: (inner: FakeRequest) => Promise<FakeReply>,
): Promise<FakeReply> {
  const type = request.headers["content-type"] ?? "";
  const boundary = /boundary="?([^";]+)"?/.exec(type)?.[1];
  if (!type.startsWith("multipart/mixed") || boundary === undefined) {
    return refusalReply(new Refusal(400, "badRequest", "Failed to parse batch request, error: no boundary."));
  }
  const parts = splitParts(await request.body(), boundary);
  if (parts.length === 0) return refusalReply(new Refusal(400, "badRequest", "The batch request is empty."));
  if (parts.length > MOST_CALLS) {
    return refusalReply(new Refusal(400, "batchSizeTooLarge", "The batch request contains too many calls."));
  }
  const replies: (FakeReply | undefined)[] = parts.map(() => undefined);
  for (const at of shuffled(parts.length)) {
    const part = parts[at];
    if (part !== undefined) replies[at] = await perform(innerRequest(request, part.body));
  }
  const mark = "batch_fake";
  const body = replies.map((reply, at) => {
    const id = (parts[at]?.headers["content-id"] ?? "").replace(/^<?(.*?)>?$/, "<response-$1>");
    const headers = Object.entries(reply?.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`);
    const text = reply?.body === undefined ? "" : Buffer.from(reply.body as string).toString();
    const first = `--${mark}\r\nContent-Type: application/http\r\nContent-ID: ${id}\r\n\r\n`;
    return `${first}HTTP/1.1 ${reply?.status} Status\r\n${headers.join("")}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}\r\n`;
  });
  return {
    status: 200,
    headers: { "Content-Type": `multipart/mixed; boundary=${mark}` },
    body: `${body.join("")}--${mark}--\r\n`,
  };
}

/** Not the order in which they came, and the same at every run. */
function shuffled(count: number): number[] {
  const order = Array.from({ length: count }, (_, at) => at);
  return [...order.filter((at) => at % 2 === 1), ...order.filter((at) => at % 2 === 0).reverse()];
}

function innerRequest(outer: FakeRequest, part: Buffer): FakeRequest {
  const end = part.indexOf("\r\n\r\n");
  const [first = "", ...lines] = (end < 0 ? part : part.subarray(0, end)).toString().split("\r\n");
  const body = end < 0 ? Buffer.alloc(0) : part.subarray(end + 4);
  const [method = "GET", path = "/"] = first.split(" ");
  const headers: Record<string, string | undefined> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers[line.slice(0, colon).trim().toLowerCase()] = line.slice(colon + 1).trim();
  }
  return {
    method,
    url: new URL(path, outer.url.origin),
    headers,
    body: async () => body,
    async *chunks() {
      yield body;
    },
  };
}
