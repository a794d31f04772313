import { afterAll, describe, expect, test } from "bun:test";
import { BackendError, StaleError } from "../../../src/backends/errors.ts";
import type { Backend, Written } from "../../../src/backends/types.ts";
import { ThrottledError } from "../../../src/backends/wrap/pause.ts";
import { wrapBackend } from "../../../src/backends/wrap/stack.ts";
import { type Clock, systemClock } from "../../../src/lib/clock.ts";
import { type RelPath, relPath } from "../../../src/lib/path.ts";
import { FakeDropbox, type Fault, RATE_LIMITS } from "../../fakes/dropbox.ts";
import { tag } from "../../fakes/dropbox-tree.ts";
import { memoryTokens } from "../../support/backend-config.ts";
import { sourceOf, textAt } from "../../support/bodies.ts";
import { dropboxFolder, PASSING } from "../../support/dropbox-setup.ts";
import { leapingClock } from "../../support/leaping-clock.ts";

const fake = await FakeDropbox.start();
afterAll(() => fake.stop());

interface Lab {
  /** As the program uses it. */
  readonly backend: Backend;
  readonly root: string;
  readonly clock: ReturnType<typeof leapingClock>;
  readonly pauses: number[];
}

async function lab(): Promise<Lab> {
  const clock = leapingClock();
  const pauses: number[] = [];
  const { backend, root } = await dropboxFolder(fake, { clock });
  const options = { clock, random: () => 0.5, attempts: 3, parallel: 5, maxThrottleWaitMs: 60_000 };
  const onPause = (untilMs: number) => void pauses.push(Math.round((untilMs - clock.now()) / 1000));
  fake.reset();
  return { backend: wrapBackend(backend, { ...options, onPause }), root, clock, pauses };
}

const at = (name: string): RelPath => relPath(name);
const MANY = ["a.md", "b.md", "c.md", "d.md", "e.md"].map(at);
const LARGE = "0123456789abcdef".repeat((9 * 1024 * 1024) / 16);
const writeAll = (backend: Backend, paths: readonly RelPath[]): Promise<Written[]> =>
  Promise.all(paths.map((path) => backend.write(path, sourceOf(`in ${path}`), { expect: "absent" })));

interface Operation {
  readonly name: string;
  /** Each of them is made to fail. */
  readonly endpoints: readonly string[];
  prepare?(lab: Lab): Promise<unknown>;
  /** Ends well only if the remote is then as it should be. */
  act(lab: Lab, prepared: unknown): Promise<void>;
  readonly changes: boolean;
}

const revsOf = (written: unknown) => (written as readonly Written[]).map(({ file }) => file?.rev ?? "any");

const OPERATIONS: readonly Operation[] = [
  {
    name: "listing",
    endpoints: ["files/list_folder"],
    changes: false,
    prepare: ({ backend }) => writeAll(backend, MANY),
    act: async ({ backend }) => expect((await backend.list("")).files).toHaveLength(MANY.length),
  },
  {
    name: "listing on",
    endpoints: ["files/list_folder/continue"],
    changes: false,
    async prepare({ backend }) {
      await backend.list("");
      await writeAll(backend, MANY);
    },
    act: async ({ backend }) => expect((await backend.list("")).files).toHaveLength(MANY.length),
  },
  {
    name: "looking and reading",
    endpoints: ["files/get_metadata", "files/download"],
    changes: false,
    prepare: ({ backend }) => writeAll(backend, MANY),
    async act({ backend }) {
      expect((await backend.stat(at("a.md")))?.size).toBe(7);
      expect(await textAt(backend, at("a.md"))).toBe("in a.md");
    },
  },
  {
    name: "writing one file",
    endpoints: ["files/upload"],
    changes: true,
    async act({ backend }) {
      const { file } = await backend.write(at("a.md"), sourceOf("one"), { expect: "absent" });
      await backend.write(at("a.md"), sourceOf("two"), { expect: file?.rev ?? "any" });
      expect(await textAt(backend, at("a.md"))).toBe("two");
    },
  },
  {
    name: "writing many",
    endpoints: [
      "files/upload_session/start_batch",
      "files/upload_session/append_batch",
      "files/upload_session/finish_batch_v2",
    ],
    changes: true,
    async act({ backend }) {
      await writeAll(backend, MANY);
      for (const path of MANY) expect(await textAt(backend, path)).toBe(`in ${path}`);
    },
  },
  {
    name: "writing a large file",
    endpoints: ["files/upload_session/start", "files/upload_session/append_v2", "files/upload_session/finish"],
    changes: true,
    async act({ backend, root }) {
      const { file } = await backend.write(at("large.bin"), sourceOf(LARGE), { expect: "absent" });
      expect(file?.size).toBe(LARGE.length);
      const entry = fake.tree.get(`${root}/large.bin`);
      expect(entry?.is === "file" && entry.bytes.toString() === LARGE).toBe(true);
    },
  },
  {
    name: "removing one file",
    endpoints: ["files/delete_v2"],
    changes: true,
    prepare: ({ backend }) => writeAll(backend, [at("a.md")]),
    async act({ backend }, written) {
      await backend.remove(at("a.md"), { expect: revsOf(written)[0] ?? "any" });
      expect(await backend.stat(at("a.md"))).toBeUndefined();
    },
  },
  {
    name: "removing many",
    endpoints: ["files/delete_batch", "files/delete_batch/check"],
    changes: true,
    prepare: ({ backend }) => writeAll(backend, MANY),
    async act({ backend }, written) {
      const revs = revsOf(written);
      await Promise.all(MANY.map((path, i) => backend.remove(path, { expect: revs[i] ?? "any" })));
      for (const path of MANY) expect(await backend.stat(path)).toBeUndefined();
    },
  },
  {
    name: "copying one file",
    endpoints: ["files/copy_v2"],
    changes: true,
    prepare: ({ backend }) => writeAll(backend, [at("a.md")]),
    async act({ backend }) {
      await backend.copy?.(at("a.md"), at("copy.md"));
      expect(await textAt(backend, at("copy.md"))).toBe("in a.md");
    },
  },
  {
    name: "copying many",
    endpoints: ["files/copy_batch_v2", "files/copy_batch/check_v2"],
    changes: true,
    prepare: ({ backend }) => writeAll(backend, MANY),
    async act({ backend }) {
      await Promise.all(MANY.map((path) => backend.copy?.(path, at(`copies/${path}`))));
      for (const path of MANY) expect(await textAt(backend, at(`copies/${path}`))).toBe(`in ${path}`);
    },
  },
];

describe.each(OPERATIONS.map((operation) => [operation.name, operation] as const))("%s", (_name, operation) => {
  test.each(
    operation.endpoints.flatMap((endpoint) => PASSING.map(([what, fault]) => [endpoint, what, fault] as const)),
  )("%s: %s does not show", async (endpoint, _what, fault) => {
    const here = await lab();
    const prepared = await operation.prepare?.(here);
    fake.fail(endpoint, fault);
    await operation.act(here, prepared);
    expect(fake.count(endpoint)).toBeGreaterThan(0);
    await here.backend.close();
  });

  test.each(operation.endpoints)("%s: what stays is told in its class and once", async (endpoint) => {
    const lasting: readonly (readonly [Extract<Fault, { readonly status: number }>, string])[] = [
      [{ status: 403, json: { error: tag("access_error") } }, "PERMISSION"],
      [{ status: 400, text: "Error in call to API function" }, "FILE_REJECTED"],
      [{ status: 401, json: { error: tag("missing_scope", { required_scope: "files.content.write" }) } }, "AUTH"],
      [{ status: 409, json: { error: tag("path", { path: tag("insufficient_space") }) } }, "QUOTA"],
      [{ status: 409, json: { error: tag("path", { path: tag("no_write_permission") }) } }, "PERMISSION"],
      [{ status: 409, json: { error: tag("path", { path: tag("disallowed_name") }) } }, "FILE_REJECTED"],
    ];
    // A list of a batch that is not understood may be too long for a header: then the files go one by one.
    const isHeader = endpoint === "files/upload_session/append_batch";
    for (const [fault, errorClass] of isHeader ? lasting.filter(([{ status }]) => status !== 400) : lasting) {
      const here = await lab();
      const prepared = await operation.prepare?.(here);
      fake.fail(endpoint, ...Array.from({ length: 12 }, () => fault));
      const error = await operation.act(here, prepared).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(BackendError);
      expect((error as BackendError).class).toBe(errorClass as BackendError["class"]);
      expect((error as BackendError).message).toStartWith("Could not ");
      await here.backend.close();
      fake.reset();
    }
  });
});

test("throttling: a burst pauses the account once and not each call for itself", async () => {
  const { backend: bare } = await dropboxFolder(fake);
  await writeAll(bare, MANY);
  let answers = 0;
  let ahead = 0;
  const clock: Clock = {
    now: () => systemClock.now() + ahead,
    async sleep(ms) {
      const until = clock.now() + ms;
      while (answers < MANY.length) await Bun.sleep(1);
      ahead += Math.max(0, until - clock.now());
    },
  };
  const pauses: number[] = [];
  const backend = wrapBackend(bare, {
    ...{ clock, random: () => 0.5, attempts: 1, parallel: 5, maxThrottleWaitMs: 60_000 },
    onPause: (untilMs) => void pauses.push(Math.round((untilMs - clock.now()) / 1000)),
    log: () => void answers++,
  });
  fake.reset();
  fake.fail("files/download", ...MANY.map(() => RATE_LIMITS.requests(20)));
  const texts = await Promise.all(MANY.map((path) => textAt(backend, path)));
  expect(texts).toEqual(MANY.map((path) => `in ${path}`));
  expect(pauses).toEqual([20]);
  expect(fake.count("files/download")).toBe(2 * MANY.length);
});

test("throttling: without an end it ends in an error that says that nothing is lost", async () => {
  const { backend } = await lab();
  fake.fail("files/upload", ...Array.from({ length: 50 }, () => RATE_LIMITS.writes(30)));
  const error = await backend.write(at("a.md"), sourceOf("x"), { expect: "absent" }).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(ThrottledError);
});

test("batch: items that meet a lock are sent again, and the others are not", async () => {
  const { backend, root } = await lab();
  fake.uploads.failNext.set(`${root}/b.md`, tag("too_many_write_operations"));
  fake.uploads.failNext.set(`${root}/d.md`, tag("path", { path: tag("too_many_write_operations") }));
  await writeAll(backend, MANY);
  for (const path of MANY) expect(await textAt(backend, path)).toBe(`in ${path}`);
  expect(fake.count("files/upload_session/finish_batch_v2")).toBe(1);
});

test("batch: a full account in the middle fails what did not fit, and keeps the rest", async () => {
  const { backend } = await lab();
  fake.tree.quota = fake.tree.used() + 2 * "in a.md".length;
  const ends = await Promise.allSettled(
    MANY.map((path) => backend.write(path, sourceOf(`in ${path}`), { expect: "absent" })),
  );
  fake.tree.quota = Number.POSITIVE_INFINITY;
  expect(ends.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "rejected", "rejected"]);
  for (const end of ends.slice(2)) expect((end as PromiseRejectedResult).reason).toMatchObject({ class: "QUOTA" });
  expect((await backend.list("")).files.map(({ path }) => path).sort()).toEqual([at("a.md"), at("b.md")]);
});

test("batch: an item that lost a race is stale, and the others are written", async () => {
  const { backend, root } = await lab();
  fake.tree.commit({ path: `${root}/C.md` }, Buffer.from("theirs"), (error) => error);
  const ends = await Promise.allSettled(
    MANY.map((path) => backend.write(path, sourceOf(`in ${path}`), { expect: "absent" })),
  );
  expect(ends.map((end) => (end.status === "rejected" ? end.reason instanceof StaleError : "written"))).toEqual([
    "written",
    "written",
    true,
    "written",
    "written",
  ]);
  expect(await textAt(backend, at("c.md"))).toBe("theirs");
});

test("batch: where a long header is refused the batch is halved", async () => {
  const { backend } = await lab();
  fake.fail("files/upload_session/append_batch", { status: 431, text: "Request Header Fields Too Large" });
  await writeAll(backend, MANY);
  for (const path of MANY) expect(await textAt(backend, path)).toBe(`in ${path}`);
});

test("batch: a lost answer to a hundred commits costs one look", async () => {
  const { backend } = await lab();
  const paths = Array.from({ length: 100 }, (_, i) => at(`many/${i}.md`));
  fake.fail("files/upload_session/finish_batch_v2", { cut: "after" });
  const written = await writeAll(backend, paths);
  expect(written.map(({ file }) => file?.path)).toEqual(paths);
  expect(fake.count("files/get_metadata")).toBe(0);
  expect(fake.total()).toBeLessThanOrEqual(3 + 2);
});

test("sessions: a batch whose sessions ended is sent again", async () => {
  const { backend } = await lab();
  fake.onRequest = (endpoint) => {
    if (endpoint !== "files/upload_session/finish_batch_v2") return;
    fake.onRequest = undefined;
    fake.uploads.expireSessions();
  };
  await writeAll(backend, MANY);
  expect((await backend.list("")).files).toHaveLength(MANY.length);
});

test("cursor: one that is void costs a listing of everything, and its answer is complete", async () => {
  const { backend, root } = await lab();
  await writeAll(backend, MANY);
  await backend.list("");
  fake.lists.expireCursors();
  fake.tree.remove({ path: `${root}/a.md` });
  expect((await backend.list("")).files).toHaveLength(MANY.length - 1);
  expect(fake.count("files/list_folder")).toBe(2);
});

test("listing: what this run wrote is seen although the stream is slow to tell", async () => {
  const { backend } = await lab();
  await backend.list("");
  fake.tree.freezeListings();
  await writeAll(backend, MANY);
  await backend.remove(at("a.md"), { expect: "any" });
  const slow = (await backend.list("")).files.map(({ path }) => path).sort();
  fake.tree.thawListings();
  expect(slow).toEqual(MANY.slice(1));
  expect((await backend.list("")).files.map(({ path }) => path).sort()).toEqual(MANY.slice(1));
});

test("listing: a folder that is gone does not exist, and one that came back is listed anew", async () => {
  const { backend, root } = await lab();
  await writeAll(backend, MANY);
  await backend.list("");
  fake.tree.remove({ path: root });
  expect(await backend.list("")).toMatchObject({ exists: false, files: [] });
  fake.tree.createFolder(root);
  fake.tree.commit({ path: `${root}/new.md` }, Buffer.from("new"), (error) => error);
  expect((await backend.list("")).files.map(({ path }) => path)).toEqual([at("new.md")]);
});

test("locked: our own writes never meet in the account", async () => {
  const { backend } = await lab();
  fake.lockMs = 5;
  await Promise.all([
    writeAll(backend, MANY),
    backend.write(at("one.bin"), sourceOf(LARGE), { expect: "absent" }),
    backend.write(at("two.bin"), sourceOf(LARGE), { expect: "absent" }),
  ]);
  await Promise.all([backend.copy?.(at("one.bin"), at("three.bin")), backend.remove(at("a.md"), { expect: "any" })]);
  fake.lockMs = 0;
  expect((await backend.list("")).files).toHaveLength(MANY.length + 2);
});

test("tokens: one that runs out in the middle of a run is refreshed once for all calls", async () => {
  const { backend } = await lab();
  await writeAll(backend, MANY);
  fake.expireAccessTokens();
  fake.reset();
  expect(await Promise.all(MANY.map((path) => textAt(backend, path)))).toEqual(MANY.map((path) => `in ${path}`));
  expect(fake.count("oauth2/token")).toBe(1);
});

test("tokens: a refresh token that is spent by its use is written down before anything else is done", async () => {
  const tokens = memoryTokens(fake.tokenFile());
  const { backend, open } = await dropboxFolder(fake, { tokens });
  fake.rotates = true;
  for (let i = 0; i < 3; i++) {
    fake.expireAccessTokens();
    await backend.stat(at("none.md"));
  }
  fake.rotates = false;
  expect(tokens.writes).toBe(3);
  expect(Object.keys(JSON.parse(tokens.text ?? ""))).toEqual(["app_key", "refresh_token"]);
  await (await open()).stat(at("none.md"));
});

test("tokens: a sign-in that was revoked is a matter for the person, a server in trouble is not", async () => {
  const { backend } = await dropboxFolder(fake);
  fake.expireAccessTokens();
  fake.fail("oauth2/token", { status: 503, text: "down" });
  await expect(backend.stat(at("a.md"))).rejects.toMatchObject({ class: "TRANSIENT" });
  expect(await backend.stat(at("a.md"))).toBeUndefined();
  fake.revoke();
  await expect(backend.stat(at("a.md"))).rejects.toMatchObject({ class: "AUTH", hint: "Run claude-mirror auth." });
});

test.each(["", "{}", "null", "[]", "<html>Sign in to the network</html>"])(
  "an answer that is none of Dropbox's (%j) is no absence, no end and no success",
  async (text) => {
    const { backend } = await lab();
    await writeAll(backend, MANY);
    await backend.list("");
    const other = Array.from({ length: 20 }, () => ({ status: 200, text }));
    for (const [endpoint, act] of [
      ["files/get_metadata", () => backend.stat(at("a.md"))],
      ["files/list_folder/continue", () => backend.list("")],
      ["files/delete_v2", () => backend.remove(at("a.md"), { expect: "any" })],
      ["files/upload", () => backend.write(at("a.md"), sourceOf("new"), { expect: "any" })],
      ["files/copy_v2", async () => backend.copy?.(at("a.md"), at("copy.md"))],
    ] as const) {
      fake.fail(endpoint, ...other);
      const error = await act().then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      fake.reset();
      expect([endpoint, error]).toEqual([endpoint, expect.any(BackendError)]);
      expect((error as BackendError).message).toMatch(/^Could not [^:]+"?: /);
    }
    expect((await backend.list("")).files).toHaveLength(MANY.length);
  },
);

test("wait: changed when something happens, quiet when the time is over, and a void cursor is news", async () => {
  const { backend, root } = await lab();
  await backend.list("");
  const wait = () => backend.waitForChange?.(at("_claude_mirror_logs/_sync_log.json"));
  const first = wait();
  while (fake.waiters() === 0) await Bun.sleep(1);
  fake.wakeWaiters();
  expect(await first).toBe("quiet");
  fake.tree.commit({ path: `${root}/new.md` }, Buffer.from("x"), (error) => error);
  expect(await wait()).toBe("changed");
  fake.lists.expireCursors();
  expect(await wait()).toBe("changed");
});
