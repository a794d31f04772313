import { afterEach, expect, test } from "bun:test";
import { BodyLengthError, createHttpClient, type HttpClient } from "../../../src/lib/http-client.ts";
import { HttpError, httpErrorFrom } from "../../../src/lib/http-error.ts";
import { failingSource, lyingSource, sourceOf } from "../../support/bodies.ts";
import { answerOf, type RawServer, rawServer } from "../../support/raw-server.ts";

const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function serve(answer: Parameters<typeof rawServer>[0]): Promise<RawServer> {
  const server = await rawServer(answer);
  cleanups.push(() => server.stop());
  return server;
}

function client(idleMs = 30_000): HttpClient {
  const made = createHttpClient({ timeouts: { connectMs: 10_000, idleMs } });
  cleanups.push(() => made.close());
  return made;
}

async function failure(promise: Promise<unknown>): Promise<unknown> {
  const nothing = Symbol("none");
  const found = await promise.then(
    () => nothing,
    (error: unknown) => error,
  );
  if (found === nothing) throw new Error("it succeeded");
  return found;
}

test("request: keeps its connection for the next one", async () => {
  const ports = new Set<number | undefined>();
  const server = await serve((_request, socket) => {
    ports.add(socket.remotePort);
    return answerOf("200 OK", "body");
  });
  const http = client();
  for (let i = 0; i < 5; i++) {
    const response = await http.request({ method: "GET", url: `${server.origin}/${i}` });
    expect(await response.text(100)).toBe("body");
  }
  expect(ports.size).toBe(1);
});

test("request: says who asks", async () => {
  const server = await serve(() => answerOf("200 OK", ""));
  await (await client().request({ method: "GET", url: server.origin })).drain();
  expect(server.requests[0]?.headers["user-agent"]).toMatch(/^claude-mirror\/\S+$/);
});

test("request: a body above every buffer arrives whole, with its exact length and never chunked", async () => {
  const server = await serve(() => answerOf("201 Created"));
  const body = sourceOf("x".repeat(3_000_000));
  await (await client().request({ method: "PUT", url: `${server.origin}/a`, body })).drain();
  expect(server.requests[0]?.body.length).toBe(3_000_000);
  expect(server.requests[0]?.headers["content-length"]).toBe("3000000");
  expect(server.requests[0]?.headers["transfer-encoding"]).toBeUndefined();
});

test("request: an empty PUT says that it has no bytes", async () => {
  const server = await serve(() => answerOf("201 Created"));
  await (await client().request({ method: "PUT", url: `${server.origin}/a`, body: sourceOf("") })).drain();
  expect(server.requests[0]?.headers["content-length"]).toBe("0");
});

test("request: a body of another length than announced never becomes a request that is complete", async () => {
  const server = await serve(() => answerOf("201 Created"));
  const http = client();
  for (const [held, announced] of [
    [10, 20],
    [20, 10],
    [400_000, 500_000],
    [500_000, 400_000],
  ] as const) {
    const body = lyingSource("x".repeat(held), announced);
    expect(await failure(http.request({ method: "PUT", url: `${server.origin}/a`, body }))).toBeInstanceOf(
      BodyLengthError,
    );
  }
  expect(server.requests).toEqual([]);
});

test("request: what the body's stream throws comes out unchanged", async () => {
  const server = await serve(() => answerOf("201 Created"));
  for (const size of [100, 1_000_000]) {
    const error = new Error("disk on fire");
    const body = failingSource("some", size, error);
    expect(await failure(client().request({ method: "PUT", url: `${server.origin}/a`, body }))).toBe(error);
  }
  expect(server.requests).toEqual([]);
});

test("request: silence instead of an answer is a timeout, unless the answer was given longer", async () => {
  let late: (() => void) | undefined;
  const server = await serve((request, socket) => {
    if (request.method === "COPY") late = () => socket.write(answerOf("201 Created"));
    return undefined;
  });
  const http = client(40);
  const error = await failure(http.request({ method: "GET", url: `${server.origin}/a` }));
  expect(error).toMatchObject({ name: "HttpError", failure: "timeout", reached: true });
  const slow = http.request({ method: "COPY", url: `${server.origin}/a`, answerMs: 600_000 });
  await failure(http.request({ method: "GET", url: `${server.origin}/outlasts-the-short-limit` }));
  late?.();
  expect((await slow).status).toBe(201);
});

test("request: a body that stops coming is a timeout, one that nobody reads is not", async () => {
  const server = await serve((_request, socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    return undefined;
  });
  const response = await client(40).request({ method: "GET", url: `${server.origin}/a` });
  const error = await failure(new Response(response.stream()).text());
  expect(error).toMatchObject({ name: "HttpError", failure: "timeout" });
});

test("request: an answer cut short fails for text and for streams", async () => {
  const server = await serve((_request, socket) => {
    socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    return undefined;
  });
  const http = client();
  for (const read of ["text", "stream"] as const) {
    const response = await http.request({ method: "GET", url: `${server.origin}/a` });
    const body = read === "text" ? response.text(100) : new Response(response.stream()).text();
    expect(await failure(body)).toBeInstanceOf(HttpError);
  }
});

test("request: an answer before the body is sent is taken, the rest of the body is not waited for", async () => {
  const { createServer } = await import("node:net");
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.write(answerOf("413 Too Large", "no", ["Connection: close"])));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => void server.close());
  const address = server.address();
  const port = address && typeof address === "object" ? address.port : 0;
  const body = sourceOf(new Uint8Array(30_000_000));
  const response = await client().request({ method: "PUT", url: `http://127.0.0.1:${port}/a`, body });
  expect(response.status).toBe(413);
});

test("request: a signal ends it with the signal's own reason, before, during and after the headers", async () => {
  const server = await serve((request, socket) => {
    if (request.url === "/half") socket.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    return undefined;
  });
  const http = client();
  const reason = new Error("enough");
  const aborted = AbortSignal.abort(reason);
  expect(await failure(http.request({ method: "GET", url: `${server.origin}/a`, signal: aborted }))).toBe(reason);
  const during = new AbortController();
  const waiting = http.request({ method: "GET", url: `${server.origin}/a`, signal: during.signal });
  during.abort(reason);
  expect(await failure(waiting)).toBe(reason);
  const after = new AbortController();
  const response = await http.request({ method: "GET", url: `${server.origin}/half`, signal: after.signal });
  const text = response.text(100);
  after.abort(reason);
  expect(await failure(text)).toBe(reason);
});

test("request: text keeps to its limit", async () => {
  const server = await serve(() => answerOf("200 OK", "x".repeat(500_000)));
  const response = await client().request({ method: "GET", url: `${server.origin}/a` });
  expect((await response.text(1000)).length).toBe(1000);
});

test("httpErrorFrom: sorts by code, and by message where there is none", () => {
  const sorted: Readonly<Record<string, string>> = {
    "getaddrinfo ENOTFOUND x": "name",
    "dns error: failed to lookup address information": "name",
    "connect ECONNREFUSED 127.0.0.1:1": "refused",
    "tcp connect error: Connection refused (os error 111)": "refused",
    "self-signed certificate in certificate chain": "tls",
    "invalid peer certificate: UnknownIssuer": "tls",
    "SSL routines:ssl3_get_record:wrong version number WRONG_VERSION_NUMBER": "protocol",
    "connect ETIMEDOUT": "timeout",
    "Parse Error: Expected HTTP/": "protocol",
    "socket hang up": "cut",
  };
  for (const [message, kind] of Object.entries(sorted)) {
    expect([message, httpErrorFrom(new Error(message), true).failure]).toEqual([message, kind as HttpError["failure"]]);
  }
  expect(httpErrorFrom(Object.assign(new Error("no"), { code: "ECONNREFUSED" }), true).reached).toBe(false);
});
