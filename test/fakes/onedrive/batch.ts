import type { FakeReply, FakeRequest } from "../fake-http.ts";
import { json } from "./identity.ts";
import { Refusal } from "./store.ts";

interface Inner {
  readonly id?: string;
  readonly method?: string;
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/**
 * `POST /$batch`: up to 20 requests, answered in any order, each with a status of its own inside a 200.
 * https://learn.microsoft.com/graph/json-batching
 */
export async function answerBatch(
  request: FakeRequest,
  perform: (inner: FakeRequest) => Promise<FakeReply>,
): Promise<FakeReply> {
  const { requests = [] } = JSON.parse((await request.body()).toString()) as { requests?: readonly Inner[] };
  const ids = new Set(requests.map(({ id }) => id?.toLowerCase()));
  if (requests.length === 0 || requests.length > 20 || ids.size !== requests.length || ids.has(undefined)) {
    throw new Refusal(
      400,
      "BadRequest",
      "Number of batch request steps exceeds the maximum value of 20, or ids repeat.",
    );
  }
  const responses = [];
  for (const inner of [...requests].reverse()) {
    const hasBody = inner.body !== undefined;
    if (hasBody && !Object.keys(inner.headers ?? {}).some((name) => name.toLowerCase() === "content-type")) {
      throw new Refusal(400, "BadRequest", "A body needs a Content-Type header.");
    }
    const reply = await perform(innerRequest(request, inner));
    const text = typeof reply.body === "string" && reply.body !== "" ? reply.body : undefined;
    responses.push({
      id: inner.id,
      status: reply.status,
      headers: reply.headers ?? {},
      ...(text === undefined ? {} : { body: JSON.parse(text) }),
    });
  }
  return json(200, { responses });
}

function innerRequest(outer: FakeRequest, inner: Inner): FakeRequest {
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(inner.headers ?? {})) headers[name.toLowerCase()] = value;
  const type = headers["content-type"] ?? "";
  const body =
    inner.body === undefined
      ? Buffer.alloc(0)
      : type.startsWith("application/json")
        ? Buffer.from(JSON.stringify(inner.body))
        : Buffer.from(String(inner.body), "base64");
  return {
    method: inner.method ?? "GET",
    url: new URL(`/v1.0/${(inner.url ?? "").replace(/^\//, "")}`, outer.url.origin),
    headers,
    body: async () => body,
    async *chunks() {
      yield body;
    },
  };
}
