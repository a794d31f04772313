import { afterEach, expect, test } from "bun:test";
import { createHttpClient } from "../../../src/lib/http-client.ts";
import { HttpError } from "../../../src/lib/http-error.ts";
import { type HttpFetch, httpFetch } from "../../../src/lib/http-fetch.ts";
import { sourceOf } from "../../support/bodies.ts";
import { answerOf, type RawServer, rawServer } from "../../support/raw-server.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function lab(answer: string): Promise<{ readonly server: RawServer; readonly fetch: HttpFetch }> {
  const server = await rawServer(() => answer);
  const http = createHttpClient();
  cleanups.push(
    () => server.stop(),
    () => http.close(),
  );
  return {
    server,
    fetch: httpFetch({ http, route: (url) => url.replace("https://api.vendor.example", server.origin) }),
  };
}

test("httpFetch: goes where it is routed, and gives status, headers and body as fetch does", async () => {
  const { server, fetch } = await lab(answerOf("200 OK", '{"a":1}', ["Content-Type: application/json", "X-One: 1"]));
  const response = await fetch("https://api.vendor.example/2/x?y=1", { method: "post", headers: { "X-Ask": "?" } });
  expect(response.ok).toBe(true);
  expect(response.headers.get("x-one")).toBe("1");
  expect(await response.json()).toEqual({ a: 1 });
  expect(server.requests[0]).toMatchObject({ method: "POST", url: "/2/x?y=1", headers: { "x-ask": "?" } });
});

test("httpFetch: every kind of body arrives with its exact length and never chunked", async () => {
  const { server, fetch } = await lab(answerOf("200 OK", ""));
  const bytes = Buffer.from("body");
  async function* pieces() {
    yield Buffer.from("bo");
    yield Buffer.from("dy");
  }
  const bodies: readonly unknown[] = [
    "body",
    bytes,
    new Uint8Array(bytes).buffer,
    new Blob([bytes]),
    new Blob([bytes]).stream(),
    pieces(),
    sourceOf("body"),
  ];
  for (const body of bodies) {
    await (await fetch("https://api.vendor.example/", { method: "POST", body: body as BodyInit })).text();
  }
  await (
    await fetch("https://api.vendor.example/", { method: "POST", body: new URLSearchParams({ a: "b c" }) })
  ).text();
  expect(server.requests.map(({ body }) => body)).toEqual([...bodies.map(() => "body"), "a=b+c"]);
  for (const { headers, body } of server.requests) {
    expect(headers["content-length"]).toBe(String(body.length));
    expect(headers["transfer-encoding"]).toBeUndefined();
  }
  expect(server.requests.at(-1)?.headers["content-type"]).toContain("x-www-form-urlencoded");
});

test("httpFetch: an answer without a body, an error status and a redirect are answers", async () => {
  for (const status of ["204 No Content", "404 Not Found", "302 Found"]) {
    const { fetch } = await lab(answerOf(status, ""));
    expect((await fetch("https://api.vendor.example/")).status).toBe(Number(status.slice(0, 3)));
  }
});

test("httpFetch: what keeps an answer from coming is an HttpError, and a signal's reason is itself", async () => {
  const http = createHttpClient();
  cleanups.push(() => http.close());
  await expect(httpFetch({ http })("http://127.0.0.1:9/")).rejects.toBeInstanceOf(HttpError);
  const signal = AbortSignal.abort(new Error("stop"));
  await expect(httpFetch({ http, signal })("http://127.0.0.1:9/")).rejects.toThrow("stop");
});
