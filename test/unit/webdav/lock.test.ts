import { afterEach, expect, test } from "bun:test";
import { BackendError, StaleError } from "../../../src/backends/errors.ts";
import { createConnection } from "../../../src/backends/webdav/connection.ts";
import { davRoot } from "../../../src/backends/webdav/dav-path.ts";
import { withLock } from "../../../src/backends/webdav/lock.ts";
import type { Clock } from "../../../src/lib/clock.ts";
import { createHttpClient } from "../../../src/lib/http-client.ts";
import { relPath } from "../../../src/lib/path.ts";
import { answerOf, type RawServer, rawServer } from "../../support/raw-server.ts";

const FILE = relPath("a.md");
const GRANTED = "<d:prop xmlns:d='DAV:'><d:timeout>Second-60</d:timeout></d:prop>";
const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

/** A clock whose sleeps end when the test says so. */
function heldClock(): { readonly clock: Clock; readonly sleeps: { readonly ms: number; wake(): void }[] } {
  const sleeps: { readonly ms: number; wake(): void }[] = [];
  const sleep = (ms: number, signal?: AbortSignal) =>
    new Promise<void>((resolve, reject) => {
      sleeps.push({ ms, wake: resolve });
      signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    });
  return { clock: { now: () => 0, sleep }, sleeps };
}

async function locked(lockStatus: string) {
  const server: RawServer = await rawServer((request) =>
    request.method === "LOCK" ? answerOf(lockStatus, GRANTED, ["Lock-Token: <urn:token>"]) : answerOf("204 No Content"),
  );
  cleanups.push(() => server.stop());
  const { clock, sleeps } = heldClock();
  const root = davRoot(`${server.origin}/dav`);
  const connection = createConnection({ root, http: createHttpClient(), clock, secret: undefined, scheme: "none" });
  cleanups.push(() => connection.close());
  return { server, clock, sleeps, connection };
}

test("withLock: is refreshed at half of what was granted, and given back", async () => {
  const { server, clock, sleeps, connection } = await locked("200 OK");
  await withLock(connection, FILE, { clock }, async (held) => {
    expect(held.plain).toEqual({ If: "(<urn:token>)" });
    expect(sleeps.map((sleep) => sleep.ms)).toEqual([30_000]);
    sleeps[0]?.wake();
    while (sleeps.length < 2) await new Promise((resolve) => setImmediate(resolve));
  });
  expect(server.requests.map((request) => request.method)).toEqual(["LOCK", "LOCK", "UNLOCK"]);
  expect(server.requests[1]?.headers["if"]).toBe("(<urn:token>)");
  expect(server.requests[1]?.body).toBe("");
  expect(server.requests[2]?.headers["lock-token"]).toBe("<urn:token>");
});

test("withLock: is given back when the work fails", async () => {
  const { server, clock, connection } = await locked("200 OK");
  const work = withLock(connection, FILE, { clock }, async () => {
    throw new Error("work failed");
  });
  await expect(work).rejects.toThrow("work failed");
  expect(server.requests.at(-1)?.method).toBe("UNLOCK");
});

test("withLock: a file that a race made is removed again, and the work is not done", async () => {
  const { server, clock, connection } = await locked("201 Created");
  let worked = false;
  const error = await withLock(connection, FILE, { clock }, async () => {
    worked = true;
  }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(StaleError);
  expect(worked).toBe(false);
  expect(server.requests.map((request) => request.method)).toContain("DELETE");
});

test("withLock: somebody else's lock is a matter of waiting", async () => {
  const { clock, connection } = await locked("423 Locked");
  const error = await withLock(connection, FILE, { clock }, async () => {}).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(BackendError);
  expect((error as BackendError).class).toBe("TRANSIENT");
});
