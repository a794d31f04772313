import type { HttpClient } from "../../lib/http-client.ts";
import { redact } from "../../lib/redact.ts";
import { addressProblem, messageFor } from "./messages.ts";
import type { AnnouncedEvent, AnnounceRoute, AnnounceService } from "./model.ts";
import { filesFor } from "./routes.ts";

export interface AnnounceOptions {
  readonly http: Pick<HttpClient, "request">;
  readonly matches: (pattern: string, path: string) => boolean;
  /** The origin that stands in for a service's own, for tests. */
  readonly standIn?: (kind: AnnounceService["kind"]) => string | undefined;
  readonly signal: AbortSignal;
}

/** What one service may take at the most, milliseconds. */
const MOST_WAIT_MS = 5_000;

/** Bytes of an answer that are read. */
const MOST_ANSWER = 4096;

/**
 * Tells every service that wants to know, all at once. Never throws and never takes longer than 5 s: answers one
 * sentence for each that could not be told. No address is in it.
 */
export async function announce(
  events: readonly AnnouncedEvent[],
  services: readonly AnnounceService[],
  options: AnnounceOptions,
): Promise<readonly string[]> {
  const posts = services.flatMap((service) =>
    service.routes.flatMap((route) => events.flatMap((event) => postFor(event, { service, route }, options) ?? [])),
  );
  const troubles = await Promise.all(posts);
  return [...new Set(troubles.filter((trouble) => trouble !== undefined))];
}

interface Target {
  readonly service: AnnounceService;
  readonly route: AnnounceRoute;
}

function postFor(
  event: AnnouncedEvent,
  target: Target,
  options: AnnounceOptions,
): Promise<string | undefined> | undefined {
  const files = filesFor(event, target.route, options.matches);
  if (files.length === 0) return undefined;
  return post(messageFor({ ...event, files }, target.service), target, options);
}

async function post(body: object, { service, route }: Target, options: AnnounceOptions): Promise<string | undefined> {
  const { kind, headers } = service;
  const problem = addressProblem(kind, route.url);
  if (problem !== undefined) return `${kind} was not told: its webhook address cannot be used: ${problem}`;
  const url = new URL(route.url.trim());
  const origin = options.standIn?.(kind);
  const deadline = AbortSignal.any([options.signal, AbortSignal.timeout(MOST_WAIT_MS)]);
  try {
    const response = await options.http.request({
      method: "POST",
      url: origin === undefined ? url.href : `${origin}${url.pathname}${url.search}`,
      headers: { ...headers, "content-type": "application/json" },
      body: new TextEncoder().encode(JSON.stringify(body)),
      signal: deadline,
    });
    const text = await response.text(MOST_ANSWER);
    if (response.ok) return undefined;
    return `${kind} was not told: it answered ${response.status}${text.trim() === "" ? "" : ` (${shortened(text)})`}`;
  } catch (error) {
    const late = deadline.aborted && !options.signal.aborted;
    const state = late ? "it did not answer within 5 s" : error instanceof Error ? error.message : String(error);
    return `${kind} was not told: ${shortened(state)}`;
  }
}

function shortened(text: string): string {
  return redact(text).replace(/\s+/g, " ").trim().slice(0, 160);
}
