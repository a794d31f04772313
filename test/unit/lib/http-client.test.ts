import { afterEach, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import { BodyLengthError } from "../../../src/lib/http-body.ts";
import { createHttpClient, type HttpClient } from "../../../src/lib/http-client.ts";
import { HttpError, httpErrorFrom } from "../../../src/lib/http-error.ts";
import { failingSource, lyingSource, sourceOf } from "../../support/bodies.ts";
import { selfSigned } from "../../support/certificate.ts";
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

test("request: an answer comes whole in whatever form and pieces it is sent", async () => {
  const forms: Readonly<Record<string, readonly string[]>> = {
    "/length": ["HTTP/1.1 200 OK\r\nContent-Le", "ngth: 8\r\n\r", "\nthe ", "body"],
    "/chunked": ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nthe", " \r\n4\r\nbody\r\n0\r\n\r\n"],
    "/interim": [
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n",
      answerOf("200 OK", "the body"),
    ],
    "/rest": ["HTTP/1.0 200 OK\r\n\r\nthe ", "body", "end"],
  };
  const server = await serve((request, socket) => {
    const pieces = [...(forms[request.url] ?? [])];
    const next = () => {
      const piece = pieces.shift();
      if (piece === "end") socket.end();
      else if (piece !== undefined) socket.write(piece, () => setImmediate(next));
    };
    next();
    return undefined;
  });
  const http = client();
  for (const form of Object.keys(forms)) {
    const asText = await http.request({ method: "GET", url: server.origin + form });
    expect([form, await asText.text(100)]).toEqual([form, "the body"]);
    const asStream = await http.request({ method: "GET", url: server.origin + form });
    expect([form, await new Response(asStream.stream()).text()]).toEqual([form, "the body"]);
  }
});

test("request: what comes behind an answer is nobody's answer", async () => {
  let first = true;
  const server = await serve(() => {
    const surplus = first ? answerOf("200 OK", "planted") : "";
    first = false;
    return answerOf("200 OK", "asked") + surplus;
  });
  const http = client();
  for (let i = 0; i < 3; i++) {
    expect(await (await http.request({ method: "GET", url: server.origin })).text(100)).toBe("asked");
  }
});

test("request: a connection that the server closed meanwhile costs a second sending, which is told", async () => {
  let last: import("node:net").Socket | undefined;
  const server = await serve((request, socket) => {
    if (request.url === "/again" && socket === last) {
      socket.destroy();
      return undefined;
    }
    last = socket;
    return answerOf("201 Created", "done");
  });
  const http = client();
  expect(await (await http.request({ method: "GET", url: `${server.origin}/first` })).text(10)).toBe("done");
  const body = sourceOf("the body");
  const response = await http.request({ method: "PUT", url: `${server.origin}/again`, body });
  expect([response.status, response.repeated]).toEqual([201, true]);
  expect(server.requests.filter(({ url }) => url === "/again").map((request) => request.body)).toEqual([
    "the body",
    "the body",
  ]);
});

test("request: a new connection that breaks without an answer is not tried again", async () => {
  const server = await serve((_request, socket) => {
    socket.destroy();
    return undefined;
  });
  const error = await failure(client().request({ method: "PUT", url: server.origin, body: sourceOf("a") }));
  expect(error).toMatchObject({ name: "HttpError", failure: "cut", reached: true });
  expect(server.requests).toHaveLength(1);
});

test("request: no more connections than allowed, in the order of asking", async () => {
  let open = 0;
  let most = 0;
  const waiting: (() => void)[] = [];
  const ports = new Set<number | undefined>();
  const server = await serve((request, socket) => {
    ports.add(socket.remotePort);
    most = Math.max(most, ++open);
    waiting.push(() => {
      open--;
      socket.write(answerOf("200 OK", request.url));
    });
    if (waiting.length === 2) for (const answer of waiting.splice(0)) answer();
    return undefined;
  });
  const http = createHttpClient({ connections: 2 });
  cleanups.push(() => http.close());
  const order: string[] = [];
  const ask = async (name: string) => {
    const response = await http.request({ method: "GET", url: `${server.origin}/${name}` });
    order.push(await response.text(10));
  };
  await Promise.all(["1", "2", "3", "4", "5", "6"].map(ask));
  expect([ports.size, most]).toEqual([2, 2]);
  expect(order.slice(0, 2).sort()).toEqual(["/1", "/2"]);
  expect(order.slice(4).sort()).toEqual(["/5", "/6"]);
});

test("request: one that waits for a connection ends with its signal, and the others go on", async () => {
  let release: (() => void) | undefined;
  const server = await serve((request, socket) => {
    if (request.url !== "/first") return answerOf("200 OK", request.url);
    release = () => socket.write(answerOf("200 OK", "first"));
    return undefined;
  });
  const http = createHttpClient({ connections: 1 });
  cleanups.push(() => http.close());
  const first = http.request({ method: "GET", url: `${server.origin}/first` });
  const stop = new AbortController();
  const second = http.request({ method: "GET", url: `${server.origin}/second`, signal: stop.signal });
  const third = http.request({ method: "GET", url: `${server.origin}/third` });
  const reason = new Error("enough");
  stop.abort(reason);
  expect(await failure(second)).toBe(reason);
  while (release === undefined) await new Promise((resolve) => setImmediate(resolve));
  release();
  expect(await (await first).text(10)).toBe("first");
  expect(await (await third).text(10)).toBe("/third");
  expect(server.requests.map(({ url }) => url)).toEqual(["/first", "/third"]);
});

test("request: a large body that is read slowly makes the server wait, and comes whole", async () => {
  const bytes = 20_000_000;
  const server = await serve((_request, socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${bytes}\r\n\r\n`);
    socket.write(Buffer.alloc(bytes, 97));
    return undefined;
  });
  const response = await client().request({ method: "GET", url: server.origin });
  const reader = response.stream().getReader();
  let seen = 0;
  for (let step = await reader.read(); !step.done; step = await reader.read()) {
    seen += step.value.length;
    if (seen < 4_000_000) await new Promise((resolve) => setImmediate(resolve));
  }
  expect(seen).toBe(bytes);
});

test("request: what speaks another protocol is told at once", async () => {
  const server = await serve((_request, socket) => {
    socket.write("SSH-2.0-OpenSSH_9.2\r\n");
    return undefined;
  });
  const error = await failure(client().request({ method: "GET", url: server.origin }));
  expect(error).toMatchObject({ name: "HttpError", failure: "protocol" });
});

test("request: over https, the name in the certificate counts", async () => {
  const { certificate, key } = selfSigned();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: { cert: Bun.file(certificate), key: Bun.file(key) },
    fetch: () => new Response("safe"),
  });
  cleanups.push(() => server.stop(true));
  const error = await failure(client().request({ method: "GET", url: `https://localhost:${server.port}/` }));
  expect(error).toMatchObject({ name: "HttpError", failure: "tls", reached: false });
  expect((error as Error).message).toMatch(/self.signed/i);
});

test("request: over https, a server whose certificate is not accepted is sent nothing", async () => {
  const { certificate, key } = selfSigned();
  let heard = 0;
  const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key) }, (socket) => {
    socket.on("data", (bytes) => {
      heard += bytes.length;
    });
    socket.on("error", () => undefined);
  });
  const gone = new Promise((resolve) => server.on("connection", (socket) => socket.on("close", resolve)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => void server.close());
  const url = `https://localhost:${(server.address() as AddressInfo).port}/`;
  const error = await failure(client().request({ method: "GET", url, headers: { Authorization: "Basic c2VjcmV0" } }));
  expect(error).toMatchObject({ failure: "tls" });
  await gone;
  expect(heard).toBe(0);
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
