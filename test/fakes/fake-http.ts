import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";

/** One request as a fake service sees it. */
export interface FakeRequest {
  readonly method: string;
  readonly url: URL;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The whole body. Fails when the connection ends before it does. */
  body(): Promise<Buffer>;
  /** The body as it arrives. */
  chunks(): AsyncIterable<Uint8Array>;
}

export interface FakeReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | undefined;
}

export interface Fault {
  /** How many requests in a row; 1 when left out. */
  readonly times?: number;
  /** Only requests for which this holds use the fault up. */
  readonly when?: (request: FakeRequest) => boolean;
  /** Answered in place of the service. */
  readonly reply?: FakeReply;
  /** `request`: the connection ends and nothing is done. `reply`: it is done and its answer is lost. */
  readonly cut?: "request" | "reply";
  /** Awaited before the service acts: the hand of somebody else, or a gate. */
  readonly before?: () => unknown;
}

export interface FakeHttp {
  /** `http://127.0.0.1:PORT` */
  readonly origin: string;
  /** HTTP requests that came, by endpoint. */
  readonly requests: ReadonlyMap<string, number>;
  /** Endpoints in the order in which they were asked. */
  readonly history: readonly string[];
  /** HTTP requests since the start or the last `reset`, of one endpoint or of all but `token`. */
  count(endpoint?: string): number;
  reset(): void;
  /** Queues a fault for the next requests of an endpoint; `*` is any. */
  fault(endpoint: string, fault: Fault): void;
  /** Drops what is queued. */
  endFaults(): void;
  /** Requests that are being answered right now. */
  open(): number;
  /** Queued faults that no request has met. */
  unmet(): readonly string[];
  stop(): Promise<void>;
}

export interface FakeHttpOptions {
  /** The endpoint's name for counters and faults. */
  name(request: FakeRequest): string;
  handle(request: FakeRequest, endpoint: string): Promise<FakeReply>;
  /** `host`: the name that the certificate is for. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly host?: string } | undefined;
  /** The server's clock, milliseconds since 1970. */
  readonly now?: () => number;
}

interface Queued extends Fault {
  readonly endpoint: string;
  left: number;
}

/** Thrown by a handler to end the connection without an answer. */
export class CutConnection extends Error {}

/** An HTTP server on a port of its own at 127.0.0.1, with a counter and a queue of faults for each endpoint. */
export async function startFakeHttp(options: FakeHttpOptions): Promise<FakeHttp> {
  const requests = new Map<string, number>();
  const history: string[] = [];
  const faults: Queued[] = [];
  let origin = "";
  let open = 0;
  const now = options.now ?? (() => Date.now());

  const answer = async (request: FakeRequest): Promise<FakeReply> => {
    const endpoint = options.name(request);
    requests.set(endpoint, (requests.get(endpoint) ?? 0) + 1);
    history.push(endpoint);
    const fault = takeFault(faults, endpoint, request);
    if (fault === undefined) return options.handle(request, endpoint);
    await fault.before?.();
    if (fault.cut === "request") throw new CutConnection("cut");
    if (fault.reply !== undefined) {
      await request.body().catch(() => undefined);
      return fault.reply;
    }
    const reply = await options.handle(request, endpoint);
    if (fault.cut === "reply") throw new CutConnection("cut");
    return reply;
  };
  const listener = (incoming: IncomingMessage, outgoing: ServerResponse): void => {
    const { socket } = incoming;
    open++;
    const answered = answer(requestOf(incoming, origin)).finally(() => open--);
    answered.then(
      (reply) => send(outgoing, reply, now()),
      (error: unknown) => {
        if (error instanceof CutConnection || incoming.destroyed) socket.destroy();
        else send(outgoing, { status: 599, body: error instanceof Error ? (error.stack ?? "") : String(error) }, now());
      },
    );
  };
  const server: Server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `${options.tls === undefined ? "http" : "https"}://${options.tls?.host ?? "127.0.0.1"}:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    requests,
    history,
    count: (endpoint) =>
      history.filter((name) => (endpoint === undefined ? name !== "token" && name !== "authorize" : name === endpoint))
        .length,
    reset() {
      requests.clear();
      history.length = 0;
    },
    fault: (endpoint, fault) => void faults.push({ ...fault, endpoint, left: fault.times ?? 1 }),
    endFaults: () => void faults.splice(0),
    open: () => open,
    unmet: () => faults.filter(({ left }) => left > 0).map(({ endpoint }) => endpoint),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function takeFault(faults: readonly Queued[], endpoint: string, request: FakeRequest): Queued | undefined {
  const fault = faults.find(
    (each) =>
      each.left > 0 &&
      (each.endpoint === endpoint || each.endpoint === "*") &&
      (each.when === undefined || each.when(request)),
  );
  if (fault !== undefined) fault.left--;
  return fault;
}

function requestOf(incoming: IncomingMessage, origin: string): FakeRequest {
  let whole: Promise<Buffer> | undefined;
  const headers: Record<string, string | undefined> = {};
  for (const [name, value] of Object.entries(incoming.headers)) {
    headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return {
    method: incoming.method ?? "GET",
    url: new URL(incoming.url ?? "/", origin),
    headers,
    body() {
      whole ??= collect(incoming);
      return whole;
    },
    chunks: () => incoming,
  };
}

async function collect(incoming: IncomingMessage): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  if (!incoming.complete) throw new CutConnection("the body ended early");
  return Buffer.concat(chunks);
}

function send(outgoing: ServerResponse, reply: FakeReply, nowMs: number): void {
  if (outgoing.destroyed) return;
  const body = reply.body ?? "";
  const bytes = typeof body === "string" ? Buffer.from(body) : body;
  const length: Record<string, string> = reply.status === 204 ? {} : { "Content-Length": String(bytes.length) };
  outgoing.writeHead(reply.status, { ...length, Date: new Date(nowMs).toUTCString(), ...reply.headers });
  outgoing.end(bytes);
}
