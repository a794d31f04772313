import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { BackendError } from "../../../src/backends/errors.ts";
import { reasonOf } from "../../../src/backends/googledrive/errors.ts";
import type { Backend, Source } from "../../../src/backends/types.ts";
import { wrapBackend } from "../../../src/backends/wrap/stack.ts";
import { hashBytes } from "../../../src/lib/hash.ts";
import { relPath } from "../../../src/lib/path.ts";
import { startFakeDrive } from "../../fakes/googledrive/server.ts";
import { sourceOf, textAt } from "../../support/bodies.ts";
import { type DrivePlace, drivePlace } from "../../support/googledrive.ts";
import { leapingClock } from "../../support/leaping-clock.ts";
import { seededRandom } from "../../support/random.ts";
import { tempFolder } from "../../support/temp.ts";

const fake = await startFakeDrive();
afterAll(() => fake.stop());
const base = tempFolder("drive-faults");

let place: DrivePlace;
let backend: Backend;
let pauses: number[];
let accounts = 0;
beforeEach(async () => {
  const clock = leapingClock();
  place = drivePlace(fake, base, { user: `faulty-${++accounts}@example.com`, deps: { clock } });
  pauses = [];
  backend = wrapBackend(await place.open(), {
    ...{ clock, random: () => 0.5, attempts: 4, parallel: 5, maxThrottleWaitMs: 600_000, checks: "strict" },
    onPause: (until) => void pauses.push(Math.round(until - clock.now())),
  });
  for (const name of ["a", "b", "c"])
    await backend.write(relPath(`docs/${name}.md`), sourceOf(name), { expect: "absent" });
  fake.reset();
});
const A = relPath("docs/a.md");
const revOf = async (path = A) => (await backend.stat(path))?.rev ?? "any";

/** What a person does, and the endpoints that it goes through. */
const DEEDS: Readonly<
  Record<string, { readonly endpoints: readonly string[]; act(): Promise<unknown>; holds(): Promise<boolean> }>
> = {
  list: {
    endpoints: ["changes.list"],
    act: () => backend.list(""),
    holds: async () => (await backend.list("")).files.length === 3,
  },
  read: {
    endpoints: ["files.media"],
    act: () => textAt(backend, A),
    holds: async () => (await textAt(backend, A)) === "a",
  },
  create: {
    endpoints: ["upload.create"],
    act: () => backend.write(relPath("docs/new.md"), sourceOf("new"), { expect: "absent" }),
    holds: async () =>
      (await backend.list("")).files.length === 4 && (await textAt(backend, relPath("docs/new.md"))) === "new",
  },
  "create in new folders": {
    endpoints: ["batch", "upload.create"],
    act: () => backend.write(relPath("x/y/new.md"), sourceOf("new"), { expect: "absent" }),
    holds: async () => {
      const { files, folders } = await backend.list("");
      return files.length === 4 && folders.length === 3;
    },
  },
  update: {
    endpoints: ["batch", "upload.update"],
    act: async () => backend.write(A, sourceOf("newer"), { expect: await revOf() }),
    holds: async () => (await textAt(backend, A)) === "newer",
  },
  remove: {
    endpoints: ["batch"],
    act: () => backend.remove(A, { expect: "any" }),
    holds: async () => (await backend.stat(A)) === undefined && (await backend.list("")).files.length === 2,
  },
  copy: {
    endpoints: ["batch"],
    act: async () => backend.copy?.(A, relPath("docs/copy.md")),
    holds: async () =>
      (await textAt(backend, relPath("docs/copy.md"))) === "a" && (await backend.list("")).files.length === 4,
  },
};

describe.each(Object.keys(DEEDS))("faults: %s", (name) => {
  const deed = DEEDS[name] as (typeof DEEDS)[string];
  const json = (status: number, reason: string, headers: Record<string, string> = {}) => ({
    reply: {
      status,
      headers,
      body: JSON.stringify({ error: { errors: [{ reason }], code: status, message: reason } }),
    },
  });
  test.each([
    ["a gateway's 502", { reply: { status: 502, body: "<html>" } }],
    ["a 503", json(503, "backendError")],
    ["a connection that breaks before", { cut: "request" as const }],
    ["an answer that is lost after success", { cut: "reply" as const }],
    ["403 with a reason", { ...json(403, "userRateLimitExceeded"), times: 2 }],
    ["429 with a time", json(429, "rateLimitExceeded", { "Retry-After": "3" })],
  ])("%s passes, and the deed is done once", async (_, fault) => {
    for (const endpoint of deed.endpoints) fake.fault(endpoint, fault);
    await deed.act();
    expect(fake.unmet()).toEqual([]);
    expect(await deed.holds()).toBe(true);
  });

  test.each([
    ["PERMISSION", 403, "insufficientFilePermissions"],
    ["PERMISSION", 403, "accessNotConfigured"],
    ["AUTH", 403, "insufficientPermissions"],
    ["QUOTA", 403, "dailyLimitExceeded"],
  ] as const)("%s for %d %s is final and says what to do", async (kind, status, reason) => {
    const endpoint = deed.endpoints[0] ?? "";
    fake.fault(endpoint, json(status, reason));
    const error = await deed.act().then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(BackendError);
    expect(error).toMatchObject({ class: kind, hint: expect.any(String) });
  });
});

test("throttling: many calls at once pause the account once, and none is sent meanwhile", async () => {
  fake.refuse("files.get", { status: 403, reason: "userRateLimitExceeded", times: 5 });
  await Promise.all(["a", "b", "c"].map((name) => backend.stat(relPath(`docs/${name}.md`))));
  expect(pauses.length).toBeGreaterThan(0);
  expect(pauses.length).toBeLessThanOrEqual(2);
  expect(fake.count()).toBeLessThanOrEqual(4);
});

test.each(["", "{}", "null", "<html>Sign in to the network</html>"])(
  "an answer that is none of Google's (%j) is no absence and no end of the listing",
  async (body) => {
    const elsewhere = { reply: { status: 200, headers: { "Content-Type": "text/html" }, body }, times: 20 };
    for (const [endpoint, act] of [
      ["changes.list", () => backend.list("")],
      ["batch", () => backend.stat(A)],
      ["files.get", () => backend.stat(A)],
      ["files.list", () => backend.stat(relPath("docs/none.md"))],
      ["files.media", () => textAt(backend, A)],
    ] as const) {
      fake.fault(endpoint, elsewhere);
      const met = fake.count(endpoint);
      const error = await act().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      fake.endFaults();
      if (fake.count(endpoint) > met) expect([endpoint, error]).toEqual([endpoint, expect.any(BackendError)]);
    }
    expect((await backend.list("")).files).toHaveLength(3);
  },
);

test("a connection that breaks is told as one that passes, with the host", async () => {
  fake.fault("changes.list", { cut: "request", times: 20 });
  const error = await backend.list("").catch((thrown: unknown) => thrown);
  fake.endFaults();
  expect(error).toMatchObject({ class: "TRANSIENT", message: expect.stringContaining("the connection to") });
});

test("quota: a full account ends a push in the middle with QUOTA, and what was sent stays", async () => {
  const { free } = fake.store;
  fake.store.free = 4;
  const ends = await Promise.allSettled(
    ["1", "2", "3"].map((name) => backend.write(relPath(`q${name}.md`), sourceOf("xxx"), { expect: "absent" })),
  );
  fake.store.free = free;
  const failed = ends.filter((end) => end.status === "rejected");
  expect(failed).toHaveLength(2);
  for (const { reason } of failed) expect(reason).toMatchObject({ class: "QUOTA" });
  expect((await backend.list("")).files).toHaveLength(4);
});

test("a file that was already made when its answer was lost is not made a second time, even by a slow listing", async () => {
  fake.store.lagging = true;
  fake.fault("upload.create", { cut: "reply", times: 2 });
  await backend.write(relPath("docs/once.md"), sourceOf("once"), { expect: "absent" });
  fake.store.lagging = false;
  fake.store.settle();
  expect([...fake.store.items.values()].filter(({ name }) => name === "once.md")).toHaveLength(1);
});

describe("large uploads", () => {
  const bytes = seededRandom(7).bytes(9 * 1024 * 1024 + 11);
  const big: Source = { ...sourceOf(bytes), sha256: hashBytes("sha256", bytes) };
  const path = relPath("big.bin");

  /** The body is cut there, and nothing more gets through, as when the process is killed. */
  const killAt = (size: number): { over(): void } => {
    let chunks = 0;
    let dead = true;
    fake.sessions.cutAfter = size;
    fake.fault("upload.chunk", { cut: "request", times: 10, when: () => dead && chunks++ > 0 });
    return {
      over() {
        dead = false;
      },
    };
  };

  test("a cut goes on where it broke off", async () => {
    fake.sessions.cutAfter = 6 * 1024 * 1024;
    await backend.write(path, big, { expect: "absent" });
    expect(fake.count("upload.start")).toBe(1);
    expect((await backend.stat(path))?.checksums?.find(({ kind }) => kind === "sha256")?.value).toBe(big.sha256 ?? "");
  });

  test("after a kill the next process goes on, and a session that has expired is begun anew", async () => {
    const first = await place.open();
    const killed = killAt(6 * 1024 * 1024);
    await first.write(path, big, { expect: "absent" }).catch(() => undefined);
    killed.over();
    const second = await place.open();
    await second.write(path, big, { expect: "absent" });
    expect(fake.count("upload.start")).toBe(1);
    const again = killAt(6 * 1024 * 1024);
    const other = relPath("other.bin");
    await second.write(other, big, { expect: "absent" }).catch(() => undefined);
    again.over();
    fake.sessions.expire();
    await second.write(other, big, { expect: "absent" });
    expect(fake.count("upload.start")).toBe(3);
    expect((await second.stat(other))?.size).toBe(bytes.length);
    await Promise.all([first.close(), second.close()]);
  });
});

test("reasonOf: both forms of Google's errors", () => {
  expect(reasonOf({ error: { errors: [{ reason: "notFound" }] } })).toBe("notFound");
  expect(reasonOf('{"error":{"status":"PERMISSION_DENIED","details":[{"reason":"SERVICE_DISABLED"}]}}')).toBe(
    "SERVICE_DISABLED",
  );
  expect(reasonOf("<html>")).toBe("");
});
