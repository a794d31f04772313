import type { Clock } from "../../../lib/clock.ts";
import type { HttpClient } from "../../../lib/http-client.ts";
import type { HttpResponse } from "../../../lib/http-response.ts";
import { BackendError } from "../../errors.ts";
import { fromHttp } from "../../http-trouble.ts";
import { hostOf } from "../hosts.ts";
import type { DriveSession } from "../session.ts";
import { fromPubsubRefusal } from "./errors.ts";

export interface RestRequest {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** Below `/v1/`, each part encoded. */
  readonly path: string;
  readonly body?: object;
  /** What is attempted, with its subject quoted. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/** One call of Pub/Sub's REST interface; answers its JSON. Throws BackendError, NotFoundError for what is not there. */
export type PubsubRest = (request: RestRequest) => Promise<Readonly<Record<string, unknown>>>;

export interface RestOptions {
  readonly http: Pick<HttpClient, "request">;
  readonly session: DriveSession;
  readonly clock: Clock;
  /** Where Pub/Sub answers, without a slash at its end. */
  readonly host: string;
  /** The Cloud project. */
  readonly project: string;
}

const MOST_ANSWER = 1024 * 1024;

/** https://cloud.google.com/pubsub/docs/reference/rest */
export function pubsubRest(options: RestOptions): PubsubRest {
  const { session, clock, project } = options;
  return async (request) => {
    const access = await session.token(request.signal);
    const first = await send(request, access, options);
    const refused = first.response.status === 401;
    const { response, text } = refused
      ? await send(request, await session.renewed(access, request.signal), options)
      : first;
    if (response.ok) return parsed(text, request.what);
    const retryAfter = response.headers.get("retry-after");
    const asked = { what: request.what, project, account: session.account() };
    throw fromPubsubRefusal({ status: response.status, retryAfter, body: text }, asked, clock.now());
  };
}

async function send(
  { method, path, body, what, signal }: RestRequest,
  access: string,
  { http, host }: RestOptions,
): Promise<{ readonly response: HttpResponse; readonly text: string }> {
  try {
    const response = await http.request({
      method,
      url: `${host}/v1/${path}`,
      headers: { authorization: `Bearer ${access}`, "content-type": "application/json" },
      body: body === undefined ? undefined : Buffer.from(JSON.stringify(body)),
      signal,
    });
    return { response, text: await response.text(MOST_ANSWER) };
  } catch (error) {
    throw fromHttp(error, { what, host: hostOf(host), changes: method !== "GET" });
  }
}

function parsed(text: string, what: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text === "" ? "{}" : text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below, without the text: a page of a proxy.
  }
  throw new BackendError(`Could not ${what}: the answer is no JSON`, { class: "TRANSIENT" });
}
