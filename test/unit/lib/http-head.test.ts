import { expect, test } from "bun:test";
import { HttpError } from "../../../src/lib/http-error.ts";
import { parseHead, requestHead } from "../../../src/lib/http-head.ts";

const parse = (lines: readonly string[], method = "GET") => parseHead(lines.join("\r\n"), method);

test("requestHead: the path as the address has it, and each header once", () => {
  const url = new URL("http://[::1]:8080/a%20b/ü?x=1&y#part");
  const head = requestHead("GET", url, { "User-Agent": "ours", "user-agent": "theirs", Accept: "*/*" });
  expect(head.split("\r\n")).toEqual([
    "GET /a%20b/%C3%BC?x=1&y HTTP/1.1",
    "Host: [::1]:8080",
    "Connection: keep-alive",
    "user-agent: theirs",
    "Accept: */*",
    "",
    "",
  ]);
});

test("requestHead: no value can begin another header or request", () => {
  const url = new URL("http://a.example/");
  for (const [name, value] of [
    ["X", "a\r\nEvil: 1"],
    ["X", "a\nb"],
    ["X", "a\0b"],
    ["X", "ł"],
    ["X: 1\r\nY", "a"],
    ["", "a"],
  ] as const) {
    expect(() => requestHead("GET", url, { [name]: value })).toThrow(HttpError);
  }
  expect(requestHead("GET", url, { X: "caf\xe9\t1" })).toContain("X: caf\xe9\t1\r\n");
});

test("parseHead: status, reason and headers, whatever their case", () => {
  const head = parse(["HTTP/1.1 207 Multi-Status", 'ETAG: "a"', "Set-Cookie: a", "set-cookie: b", "X-Fold: 1", "  2"]);
  expect([head.status, head.statusText]).toEqual([207, "Multi-Status"]);
  expect(head.headers.get("etag")).toBe('"a"');
  expect(head.headers.get("Set-Cookie")).toBe("a, b");
  expect(head.headers.get("x-fold")).toBe("1 2");
  expect(head.headers.get("none")).toBeNull();
  expect([...head.headers.entries()].filter(([name]) => name === "set-cookie")).toHaveLength(2);
  expect(parse(["HTTP/1.1 200"]).statusText).toBe("");
});

test("parseHead: of a header that can stand once the first counts", () => {
  expect(parse(["HTTP/1.1 200 OK", 'ETag: "a"', 'ETag: "b"']).headers.get("etag")).toBe('"a"');
});

test("parseHead: how the end of the body is found (RFC 9112 section 6.3)", () => {
  const framing = (lines: readonly string[], status = "200 OK", method = "GET") =>
    parse([`HTTP/1.1 ${status}`, ...lines], method).framing;
  expect(framing(["Content-Length: 5"])).toEqual({ kind: "length", bytes: 5 });
  expect(framing(["Content-Length: 5", "Content-Length: 5"])).toEqual({ kind: "length", bytes: 5 });
  expect(framing(["Transfer-Encoding: chunked", "Content-Length: 5"])).toEqual({ kind: "chunked" });
  expect(framing(["Transfer-Encoding: gzip, Chunked"])).toEqual({ kind: "chunked" });
  expect(framing(["Transfer-Encoding: gzip"])).toEqual({ kind: "rest" });
  expect(framing([])).toEqual({ kind: "rest" });
  expect(framing(["Content-Length: 5"], "200 OK", "HEAD")).toEqual({ kind: "length", bytes: 0 });
  expect(framing(["Content-Length: 5"], "304 Not Modified")).toEqual({ kind: "length", bytes: 0 });
  expect(framing([], "204 No Content")).toEqual({ kind: "length", bytes: 0 });
});

test("parseHead: whether the connection can be used again", () => {
  const keeps = (...lines: string[]) => parse(lines).keepsConnection;
  expect(keeps("HTTP/1.1 200 OK", "Content-Length: 0")).toBe(true);
  expect(keeps("HTTP/1.1 200 OK", "Content-Length: 0", "Connection: Close")).toBe(false);
  expect(keeps("HTTP/1.0 200 OK", "Content-Length: 0")).toBe(false);
  expect(keeps("HTTP/1.0 200 OK", "Content-Length: 0", "Connection: Keep-Alive")).toBe(true);
  expect(keeps("HTTP/1.1 200 OK")).toBe(false);
  expect(keeps("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Content-Length: 5")).toBe(false);
  expect(parse(["HTTP/1.1 200 OK", "Keep-Alive: timeout=5, max=100"]).keepMs).toBe(5000);
});

test("parseHead: what is not HTTP is an error", () => {
  for (const lines of [
    ["SSH-2.0-OpenSSH"],
    ["HTTP/2 200"],
    ["HTTP/1.1 20 OK"],
    ["HTTP/1.1 200 OK", "no colon"],
    ["HTTP/1.1 200 OK", "Name : a"],
    ["HTTP/1.1 200 OK", "Content-Length: -1"],
    ["HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 6"],
    ["HTTP/1.1 200 OK", "Content-Length: 1e3"],
  ]) {
    expect(() => parse(lines)).toThrow(HttpError);
  }
});
