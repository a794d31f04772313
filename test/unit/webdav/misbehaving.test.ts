import { afterEach, expect, test } from "bun:test";
import { BackendError, StaleError } from "../../../src/backends/errors.ts";
import type { Backend, Rev } from "../../../src/backends/types.ts";
import { type ServerFacts, UNPROVEN } from "../../../src/backends/webdav/facts.ts";
import { relPath } from "../../../src/lib/path.ts";
import { drain, sourceOf } from "../../support/bodies.ts";
import { answerOf, type RawServer, rawServer } from "../../support/raw-server.ts";
import { webdavClient } from "../../support/webdav-setup.ts";

const SECRET = { username: "me", password: "hunter2" };
const FILE = relPath("a.md");
const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function serve(answer: Parameters<typeof rawServer>[0]): Promise<RawServer> {
  const server = await rawServer(answer);
  cleanups.push(() => server.stop());
  return server;
}

function client(server: RawServer, facts: Partial<ServerFacts> = {}): Backend {
  const backend = webdavClient(`${server.origin}/dav`, { ...UNPROVEN, ...facts }, SECRET);
  cleanups.push(() => backend.close());
  return backend;
}

async function failure(promise: Promise<unknown>): Promise<BackendError> {
  const error = await promise.then(
    () => new Error("it succeeded"),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof BackendError)) throw error;
  return error;
}

function entry(href: string, folder: boolean): string {
  const type = folder ? "<d:collection/>" : "";
  const size = folder ? "" : "<d:getcontentlength>1</d:getcontentlength>";
  return `<d:response><d:href>${href}</d:href><d:propstat><d:prop><d:resourcetype>${type}</d:resourcetype>${size}<d:getetag>"e"</d:getetag></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>`;
}

function multistatus(...entries: string[]): string {
  return `<d:multistatus xmlns:d="DAV:">${entries.join("")}</d:multistatus>`;
}

test("list: a redirect to another port is not followed, and the password stays here", async () => {
  const thief = await serve(() => answerOf("207 Multi-Status", multistatus(entry("/dav/", true))));
  const server = await serve(() => answerOf("302 Found", "", [`Location: ${thief.origin}/dav/`]));
  const error = await failure(client(server).list(""));
  expect(error.message).toContain(thief.origin);
  expect(error.hint).toContain("webdav_url");
  expect(server.requests[0]?.headers["authorization"]).toStartWith("Basic ");
  expect(thief.requests).toEqual([]);
  expect(`${error.message} ${error.hint}`).not.toContain("hunter2");
});

test("write: a redirect is never followed with a body", async () => {
  const server = await serve((request) =>
    request.method === "PUT" && request.url === "/dav/a.md"
      ? answerOf("307 Temporary Redirect", "", ["Location: /dav/b.md"])
      : answerOf("201 Created"),
  );
  await failure(client(server).write(FILE, sourceOf("x"), { expect: "any" }));
  expect(server.requests.map((request) => request.url)).toEqual(["/dav/a.md"]);
});

test("list: a redirect inside the remote folder is followed, an endless one is not", async () => {
  const server = await serve((request) =>
    request.url === "/dav/"
      ? answerOf("301 Moved", "", ["Location: /dav/x/"])
      : answerOf("301 Moved", "", ["Location: /dav/"]),
  );
  expect((await failure(client(server).list(""))).status).toBe(301);
  expect(server.requests.length).toBe(6);
});

test("list: an answer that ends too early fails, announced length or not", async () => {
  const whole = multistatus(entry("/dav/", true), entry("/dav/a.md", false), entry("/dav/b.md", false));
  const half = whole.slice(0, whole.indexOf("/dav/b.md"));
  const server = await serve((_request, socket, count) => {
    if (count === 1) return answerOf("207 Multi-Status", half);
    const length = count === 2 ? `Content-Length: ${whole.length}` : "Connection: close";
    socket.end(`HTTP/1.1 207 Multi-Status\r\n${length}\r\n\r\n${half}`);
    return undefined;
  });
  const backend = client(server);
  for (let i = 0; i < 3; i++) expect((await failure(backend.list(""))).class).toBe("TRANSIENT");
});

test("list: an answer without the folder itself, or with an entry refused, fails", async () => {
  const refused = "<d:response><d:href>/dav/x/</d:href><d:status>HTTP/1.1 403 Forbidden</d:status></d:response>";
  const server = await serve((_request, _socket, count) =>
    answerOf(
      "207 Multi-Status",
      count === 1 ? multistatus(entry("/dav/a.md", false)) : multistatus(entry("/dav/", true), refused),
    ),
  );
  const backend = client(server);
  expect((await failure(backend.list(""))).message).toContain("does not name the folder");
  expect((await failure(backend.list(""))).class).toBe("PERMISSION");
});

test("list: a folder that goes away during the walk fails it", async () => {
  const server = await serve((request) =>
    request.url === "/dav/"
      ? answerOf("207 Multi-Status", multistatus(entry("/dav/", true), entry("/dav/x/", true)))
      : answerOf("404 Not Found"),
  );
  expect((await failure(client(server).list(""))).class).toBe("TRANSIENT");
});

test("list: names that lead out of the folder are reported, not listed", async () => {
  const body = multistatus(
    entry("/dav/", true),
    entry("/dav/../etc/x", false),
    entry("/dav/a%2Fb", false),
    entry("/dav/ok", false),
  );
  const server = await serve(() => answerOf("207 Multi-Status", body));
  const listing = await client(server).list("");
  expect(listing.files.map((file) => String(file.path))).toEqual(["ok"]);
  expect(listing.unusable.length).toBe(2);
});

test("list: a page with status 200 is an error, and the page is not shown", async () => {
  const server = await serve(() => answerOf("200 OK", "<html>Welcome to the hotel</html>"));
  const error = await failure(client(server).list(""));
  expect(error.message).toContain("did not answer as a WebDAV server");
  expect(`${error.message} ${error.hint}`).not.toContain("hotel");
});

test("stat: both forms of Retry-After become a pause", async () => {
  const later = new Date(Date.now() + 90_000).toUTCString();
  const server = await serve((_request, _socket, count) =>
    count === 1
      ? answerOf("429 Too Many", "", ["Retry-After: 7"])
      : answerOf("503 Unavailable", "<html>busy</html>", [`Retry-After: ${later}`]),
  );
  const backend = client(server);
  const first = await failure(backend.stat(FILE));
  expect(first).toMatchObject({ class: "TRANSIENT", status: 429, pauseMs: 7000 });
  const second = await failure(backend.stat(FILE));
  expect(second.pauseMs).toBeGreaterThan(80_000);
  expect(second.pauseMs).toBeLessThanOrEqual(90_000);
});

test("write: a connection that breaks before the answer leaves the outcome unknown", async () => {
  const server = await serve((_request, socket) => {
    socket.destroy();
    return undefined;
  });
  const error = await failure(client(server).write(FILE, sourceOf("x"), { expect: "any" }));
  expect(error).toMatchObject({ class: "TRANSIENT", outcomeUnknown: true });
  expect(server.requests.length).toBe(1);
});

test("write: on a kept connection that broke the body is sent once more, whole", async () => {
  const server = await serve((request, socket, count) => {
    if (request.method === "PUT" && count === 2) {
      socket.destroy();
      return undefined;
    }
    return request.method === "PUT" ? answerOf("201 Created") : answerOf("404 Not Found");
  });
  const backend = client(server, { create: "if-none-match" });
  await backend.stat(FILE);
  await backend.write(FILE, sourceOf("content"), { expect: "absent" });
  expect(server.requests.map((request) => `${request.method} ${request.body.slice(0, 7)}`)).toEqual([
    "PROPFIND <?xml v",
    "PUT content",
    "PUT content",
  ]);
});

test("write: refused after it was sent twice, it is not known who wrote what is there", async () => {
  const server = await serve((request, socket, count) => {
    if (request.method === "PUT" && count === 2) {
      socket.destroy();
      return undefined;
    }
    return request.method === "PUT" ? answerOf("412 Precondition Failed") : answerOf("404 Not Found");
  });
  const backend = client(server, { create: "if-none-match" });
  await backend.stat(FILE);
  const error = await failure(backend.write(FILE, sourceOf("content"), { expect: "absent" }));
  expect(error).not.toBeInstanceOf(StaleError);
  expect(error.outcomeUnknown).toBe(true);
});

test("read: more or fewer bytes than announced fail", async () => {
  const server = await serve((_request, socket) => {
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 50\r\nETag: "e"\r\n\r\nshort');
    return undefined;
  });
  const { body } = await client(server).read(FILE);
  expect((await failure(new Response(body).text())).class).toBe("TRANSIENT");
});

test("read: asks for the bytes as they are, and refuses them re-encoded", async () => {
  const server = await serve(() => answerOf("200 OK", "xx", ['ETag: "e-gzip"', "Content-Encoding: gzip"]));
  await failure(client(server).read(FILE));
  expect(server.requests[0]?.headers["accept-encoding"]).toBe("identity");
});

test("write: every status that refuses has its class", async () => {
  const expected: Readonly<Record<string, string>> = {
    "400 Bad": "FILE_REJECTED",
    "401 Unauthorized": "AUTH",
    "403 Forbidden": "PERMISSION",
    "413 Too Large": "FILE_REJECTED",
    "423 Locked": "TRANSIENT",
    "502 Bad Gateway": "TRANSIENT",
    "507 Full": "QUOTA",
  };
  for (const [status, errorClass] of Object.entries(expected)) {
    const server = await serve(() => answerOf(status, "<html>secret page</html>"));
    const error = await failure(client(server).write(FILE, sourceOf("12345"), { expect: "any" }));
    expect([status, error.class]).toEqual([status, errorClass as BackendError["class"]]);
    expect(error.message).not.toContain("secret page");
    if (status.startsWith("413")) expect(error.message).toContain("5 bytes");
    if (status.startsWith("401")) expect(error.hint).toContain("app password");
  }
});

test("write: a refused MKCOL says how to help oneself", async () => {
  const server = await serve((request) => answerOf(request.method === "PUT" ? "409 Conflict" : "409 Conflict"));
  const error = await failure(client(server).write(relPath("new/a.md"), sourceOf("x"), { expect: "any" }));
  expect(error.message).toContain('make the folder "new"');
  expect(error.hint).toContain("by hand");
});

test("write: the digest that is known goes along", async () => {
  const server = await serve(() => answerOf("201 Created"));
  const sha256 = "a".repeat(64);
  await client(server).write(FILE, { ...sourceOf("x"), sha256 }, { expect: "any" });
  expect(server.requests[0]?.headers).toMatchObject({ "oc-checksum": `SHA256:${sha256}`, "content-length": "1" });
  expect(server.requests[0]?.headers["transfer-encoding"]).toBeUndefined();
});

test("remove: a version that is wrong or gone is StaleError", async () => {
  const server = await serve((_request, _socket, count) => answerOf(count === 1 ? "412 No" : "404 Not Found"));
  const backend = client(server, { remove: "if-etag" });
  for (let i = 0; i < 2; i++) {
    expect(await failure(backend.remove(FILE, { expect: "e" as Rev }))).toBeInstanceOf(StaleError);
  }
  expect(server.requests[0]?.headers["if"]).toBe(`<${server.origin}/dav/a.md> (["e"])`);
});

test("changes: one request says that nothing happened", async () => {
  const server = await serve(() => answerOf("207 Multi-Status", multistatus(entry("/dav/", true))));
  const backend = client(server, { propagates: true });
  const { cursor } = await backend.list("");
  expect(await backend.changes?.(cursor ?? "")).toEqual({ kind: "none" });
  expect(await backend.changes?.("another")).toEqual({ kind: "relist" });
  expect(server.requests.length).toBe(3);
});

test("any verb: no server, one clear sentence", async () => {
  const server = await serve(() => undefined);
  const backend = client(server);
  await server.stop();
  const error = await failure(backend.list(""));
  expect(error).toMatchObject({ class: "TRANSIENT", outcomeUnknown: false });
  expect(error.message).toMatch(/cannot be reached/);
});

const PART = { expect: "e" as Rev, from: 4 };

async function textOf(body: ReadableStream<Uint8Array>): Promise<string> {
  return new TextDecoder().decode(await drain(body));
}

test("read: a Range that is ignored costs bytes, never a wrong part", async () => {
  const server = await serve(() => answerOf("200 OK", "0123456789", ['ETag: "e"']));
  const opened = await client(server).read(FILE, PART);
  expect(opened.file.size).toBe(10);
  expect(await textOf(opened.body)).toBe("456789");
  expect(server.requests[0]?.headers).toMatchObject({ range: "bytes=4-", "if-range": '"e"' });
});

test("read: a part of another version is refused, whatever If-Range made of it", async () => {
  const part = ['ETag: "f"', "Content-Range: bytes 4-9/10"];
  const server = await serve(() => answerOf("206 Partial Content", "456789", part));
  expect(await failure(client(server).read(FILE, PART))).toBeInstanceOf(StaleError);
  const other = await serve(() => answerOf("200 OK", "0123456789", ['ETag: "f"']));
  expect(await failure(client(other).read(FILE, PART))).toBeInstanceOf(StaleError);
});

test("read: another part than was asked for is an error", async () => {
  for (const range of ["bytes 0-9/10", "bytes 5-9/10", "bytes 4-8/10", "bytes 4-9/*", "4-9"]) {
    const server = await serve(() =>
      answerOf("206 Partial Content", "456789", ['ETag: "e"', `Content-Range: ${range}`]),
    );
    expect((await failure(client(server).read(FILE, PART))).class).toBe("TRANSIENT");
  }
});

test("read: a part that ends too early fails", async () => {
  const part = ['ETag: "e"', "Content-Range: bytes 4-9/10"];
  const server = await serve(() => answerOf("206 Partial Content", "4567", part));
  const opened = await client(server).read(FILE, PART);
  expect((await failure(textOf(opened.body))).message).toContain("4 bytes came instead of 6");
});

test("removeFolder: a file that arrives between the listing and the lock keeps its folder", async () => {
  let listings = 0;
  const server = await serve(({ method }) => {
    if (method === "LOCK") return answerOf("200 OK", "", ["Lock-Token: <urn:token>"]);
    if (method !== "PROPFIND") return answerOf("204 No Content");
    const late = ++listings > 1 ? [entry("/dav/x/late.md", false)] : [];
    return answerOf("207 Multi-Status", multistatus(entry("/dav/x/", true), ...late));
  });
  const error = await failure(client(server, { deepListing: true }).removeFolder?.(relPath("x")) ?? Promise.resolve());
  expect(error.class).toBe("FILE_REJECTED");
  expect(server.requests.map(({ method }) => method)).toEqual(["PROPFIND", "LOCK", "PROPFIND", "UNLOCK"]);
  expect(server.requests[1]?.headers["depth"]).toBe("infinity");
});

test("write: a 500 for want of a folder that another write has made meanwhile is no failure", async () => {
  let isMade = false;
  let held: (() => void) | undefined;
  const server = await serve(({ method, url }, socket) => {
    if (method === "MKCOL") {
      const wasMade = isMade;
      isMade = true;
      return answerOf(wasMade ? "405 Method Not Allowed" : "201 Created");
    }
    if (isMade) {
      // Only now does the other write hear that the folder was missing.
      held?.();
      held = undefined;
      return answerOf("201 Created");
    }
    if (url.endsWith("a.md")) return answerOf("500 Internal Server Error");
    held = () => socket.write(answerOf("500 Internal Server Error"));
    return undefined;
  });
  const backend = client(server, { create: "if-none-match" });
  const write = (path: string) => backend.write(relPath(path), sourceOf("x"), { expect: "absent" });
  await Promise.all([write("many/b.md"), write("many/a.md")]);
  expect(
    server.requests
      .filter(({ method }) => method === "PUT")
      .map(({ url }) => url)
      .sort(),
  ).toEqual(["/dav/many/a.md", "/dav/many/a.md", "/dav/many/b.md", "/dav/many/b.md"]);
});
