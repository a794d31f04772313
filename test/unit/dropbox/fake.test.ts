import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { Dropbox, DropboxAuth, DropboxResponseError, type files } from "dropbox";
import { FakeDropbox, RATE_LIMITS } from "../../fakes/dropbox.ts";
import { contentHashOf, tag } from "../../fakes/dropbox-tree.ts";

/** The vendor's SDK as its documentation uses it, with nothing of ours but the address. */
const fake = await FakeDropbox.start();
afterAll(() => fake.stop());

type Fetch = typeof globalThis.fetch;
const redirected = ((input: string, init?: RequestInit) =>
  globalThis.fetch(String(input).replace(/^https:\/\/[a-z]+\.dropboxapi\.com/, fake.origin), init)) as Fetch;

let sdk: Dropbox;
let root = "";
let roots = 0;

async function signedIn(): Promise<Dropbox> {
  const auth = new DropboxAuth({ clientId: fake.appKey, fetch: redirected });
  const address = String(await auth.getAuthenticationUrl("", "", "code", "offline", undefined, "none", true));
  const { result } = await auth.getAccessTokenFromCode("", fake.consent(address));
  const { refresh_token: refreshToken } = result as { refresh_token: string };
  return new Dropbox({ clientId: fake.appKey, refreshToken, fetch: redirected });
}

beforeEach(async () => {
  sdk ??= await signedIn();
  root = `/fake/${++roots}`;
  await sdk.filesCreateFolderV2({ path: root });
  fake.reset();
});

async function refused(promise: Promise<unknown>): Promise<{ status: number; summary: string }> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof DropboxResponseError)) throw new Error(`not refused: ${String(error)}`);
  const body = error.error as { error_summary?: string } | string;
  return { status: error.status, summary: typeof body === "string" ? body : (body.error_summary ?? "") };
}

const put = async (name: string, contents: string, more: Partial<files.CommitInfo> = {}) =>
  (await sdk.filesUpload({ path: `${root}/${name}`, contents, ...more })).result;

describe("sign-in", () => {
  test("token: a code is good once, with its own verifier, and for the right app", async () => {
    const auth = new DropboxAuth({ clientId: fake.appKey, fetch: redirected });
    const code = fake.consent(
      String(await auth.getAuthenticationUrl("", "", "code", "offline", undefined, "none", true)),
    );
    await auth.getAccessTokenFromCode("", code);
    expect(await refused(auth.getAccessTokenFromCode("", code))).toMatchObject({ status: 400 });
    const other = new DropboxAuth({ clientId: fake.appKey, fetch: redirected });
    await other.getAuthenticationUrl("", "", "code", "offline", undefined, "none", true);
    const address = String(await auth.getAuthenticationUrl("", "", "code", "offline", undefined, "none", true));
    expect(await refused(other.getAccessTokenFromCode("", fake.consent(address)))).toMatchObject({ status: 400 });
  });

  test("token: an access token that ran out is refused as such; a refresh token that rotates is spent", async () => {
    const mine = await signedIn();
    await mine.usersGetCurrentAccount();
    fake.expireAccessTokens();
    expect((await refused(mine.usersGetCurrentAccount())).summary).toStartWith("expired_access_token");
    fake.rotates = true;
    const fresh = await signedIn();
    await fresh.usersGetCurrentAccount();
    const again = await globalThis.fetch(`${fake.origin}/oauth2/token`, {
      method: "POST",
      body: new URLSearchParams({
        grant_type: "refresh_token",
        client_id: fake.appKey,
        refresh_token: String((fresh as unknown as { auth: DropboxAuth }).auth.getRefreshToken()),
      }),
    });
    fake.rotates = false;
    expect([again.status, await again.json()]).toMatchObject([400, { error: "invalid_grant" }]);
    sdk = await signedIn();
  });

  test("scopes: a permission that the app lacks is named", async () => {
    fake.scopes.delete("files.content.write");
    expect((await refused(put("a.md", "a"))).summary).toStartWith("missing_scope");
    fake.scopes.add("files.content.write");
  });
});

describe("files", () => {
  test("upload: metadata with rev, size and the hash of the hashes of its blocks", async () => {
    const text = "x".repeat(5_000_000);
    const made = await put("big.md", text);
    const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest();
    const hash = sha256(Buffer.concat([sha256(text.slice(0, 4_194_304)), sha256(text.slice(4_194_304))])).toString(
      "hex",
    );
    expect(made).toMatchObject({ size: text.length, content_hash: hash, path_display: `${root}/big.md` });
    expect(contentHashOf(Buffer.from(""))).toBe(createHash("sha256").digest("hex"));
    const { result } = await sdk.filesDownload({ path: `${root}/big.md` });
    expect((result as unknown as { fileBinary: Buffer }).fileBinary.length).toBe(text.length);
  });

  test("upload: add, update and overwrite, with and without strict_conflict", async () => {
    const first = await put("a.md", "one");
    expect((await put("a.md", "one")).rev).toBe(first.rev);
    expect((await refused(put("a.md", "one", { strict_conflict: true }))).summary).toStartWith("path/conflict/file");
    expect((await refused(put("a.md", "two"))).summary).toStartWith("path/conflict/file");
    const update = { mode: { ".tag": "update", update: first.rev } } as const;
    const second = await put("a.md", "two", update);
    expect((await refused(put("a.md", "three", update))).status).toBe(409);
    await sdk.filesDeleteV2({ path: `${root}/a.md` });
    expect((await refused(put("a.md", "four", { ...update, strict_conflict: true }))).status).toBe(409);
    expect((await put("a.md", "four", { mode: { ".tag": "update", update: second.rev } })).size).toBe(4);
  });

  test("names: case is kept and ignored; folders come by themselves; bad names are refused", async () => {
    await put("Docs/Read.md", "x");
    const { result } = await sdk.filesGetMetadata({ path: `${root}/docs/README.md`.replace("README", "read") });
    expect(result.path_display).toBe(`${root}/Docs/Read.md`);
    expect((await refused(put("docs", "a file"))).summary).toStartWith("path/conflict/folder");
    expect((await refused(put("docs/read.md/below.md", "x"))).summary).toStartWith("path/conflict/file_ancestor");
    expect((await refused(put("thumbs.db", "x"))).summary).toStartWith("path/disallowed_name");
    expect((await refused(put("ends with space ", "x"))).summary).toStartWith("path/malformed_path");
    expect((await refused(put(`${"n".repeat(300)}.md`, "x"))).summary).toStartWith("path/malformed_path");
  });

  test("quota: a full account takes no more bytes", async () => {
    fake.tree.quota = fake.tree.used() + 3;
    expect((await refused(put("big.md", "four"))).summary).toStartWith("path/insufficient_space");
    await put("fits.md", "one");
    fake.tree.quota = Number.POSITIVE_INFINITY;
  });

  test("delete: parent_rev guards a file; a batch fails item by item inside a 200", async () => {
    const made = await put("a.md", "one");
    const path = `${root}/a.md`;
    expect((await refused(sdk.filesDeleteV2({ path, parent_rev: "0123456789" }))).summary).toStartWith(
      "path_write/conflict",
    );
    const { result } = await sdk.filesDeleteBatch({
      entries: [{ path, parent_rev: made.rev }, { path: `${root}/none` }],
    });
    if (result[".tag"] !== "async_job_id") throw new Error("not a job");
    fake.jobPolls = 1;
    const done = await sdk.filesDeleteBatchCheck(result);
    fake.jobPolls = 0;
    expect(done.result).toMatchObject({
      ".tag": "complete",
      entries: [{ ".tag": "success" }, { ".tag": "failure", failure: { path_lookup: { ".tag": "not_found" } } }],
    });
  });

  test("copy: onto a free name only", async () => {
    await put("a.md", "one");
    const to = { from_path: `${root}/a.md`, to_path: `${root}/b.md` };
    expect((await sdk.filesCopyV2(to)).result.metadata).toMatchObject({ name: "b.md" });
    expect((await refused(sdk.filesCopyV2(to))).summary).toStartWith("to/conflict/file");
    const { result } = await sdk.filesMoveBatchV2({
      entries: [
        { ...to, to_path: `${root}/c.md` },
        { ...to, from_path: `${root}/no` },
      ],
    });
    if (result[".tag"] !== "async_job_id") throw new Error("not a job");
    const done = await sdk.filesMoveBatchCheckV2(result);
    expect(done.result).toMatchObject({ entries: [{ ".tag": "success" }, { ".tag": "failure" }] });
  });
});

describe("listing", () => {
  test("list_folder: pages, then a cursor that tells what changed, deletes of folders as one entry", async () => {
    for (const name of ["a.md", "d/b.md", "d/c.md"]) await put(name, name);
    fake.lists.pageSize = 2;
    const names: string[] = [];
    let { result } = await sdk.filesListFolder({ path: root, recursive: true });
    for (;;) {
      names.push(...result.entries.map(({ path_display }) => String(path_display)));
      if (!result.has_more) break;
      result = (await sdk.filesListFolderContinue({ cursor: result.cursor })).result;
    }
    fake.lists.pageSize = 2000;
    expect(names).toEqual([root, `${root}/a.md`, `${root}/d`, `${root}/d/b.md`, `${root}/d/c.md`]);
    const { cursor } = result;
    expect((await sdk.filesListFolderContinue({ cursor })).result.entries).toEqual([]);
    await sdk.filesDeleteV2({ path: `${root}/d` });
    await put("a.md", "changed", { mode: { ".tag": "overwrite" } });
    const { entries } = (await sdk.filesListFolderContinue({ cursor })).result;
    expect(entries.map((entry) => [entry[".tag"], entry.path_lower])).toEqual([
      ["deleted", `${root}/d`],
      ["file", `${root}/a.md`],
    ]);
  });

  test("list_folder: a void cursor is reset, a missing folder not_found, a frozen listing tells later", async () => {
    const { cursor } = (await sdk.filesListFolder({ path: root, recursive: true })).result;
    fake.tree.freezeListings();
    await put("late.md", "x");
    expect((await sdk.filesListFolderContinue({ cursor })).result.entries).toEqual([]);
    fake.tree.thawListings();
    expect((await sdk.filesListFolderContinue({ cursor })).result.entries).toHaveLength(1);
    fake.lists.expireCursors();
    expect((await refused(sdk.filesListFolderContinue({ cursor }))).summary).toStartWith("reset");
    expect((await refused(sdk.filesListFolder({ path: `${root}/no` }))).summary).toStartWith("path/not_found");
  });

  test("longpoll: without a token, answers when something happens", async () => {
    const { cursor } = (await sdk.filesListFolderGetLatestCursor({ path: root, recursive: true })).result;
    const waiting = new Dropbox({ fetch: redirected, accessToken: "none" }).filesListFolderLongpoll({ cursor });
    while (fake.waiters() === 0) await Bun.sleep(1);
    await put("a.md", "x");
    expect((await waiting).result.changes).toBe(true);
  });
});

describe("sessions", () => {
  test("batch: sessions, bodies and commits of many files in three requests, failures each for itself", async () => {
    const { session_ids } = (await sdk.filesUploadSessionStartBatch({ num_sessions: 3 })).result;
    const bodies = ["one", "", "three"];
    const cursors = session_ids.map((session_id) => ({ session_id, offset: 0 }));
    const appended = await sdk.filesUploadSessionAppendBatch({
      entries: bodies.map((body, at) => ({
        cursor: cursors[at] as files.UploadSessionCursor,
        length: body.length,
        close: true,
      })),
      content_hash: contentHashOf(Buffer.from(bodies.join(""))),
      contents: bodies.join(""),
    });
    expect(appended.result.entries.map((entry) => entry[".tag"])).toEqual(["success", "success", "success"]);
    const entries = bodies.map((body, at) => ({
      cursor: { session_id: session_ids[at] ?? "", offset: at === 2 ? 1 : body.length },
      commit: { path: `${root}/${at}.md` },
    }));
    const { result } = await sdk.filesUploadSessionFinishBatchV2({ entries });
    expect(result.entries).toMatchObject([
      { ".tag": "success", size: 3 },
      { ".tag": "success", size: 0 },
      { ".tag": "failure", failure: { lookup_failed: { ".tag": "incorrect_offset", correct_offset: 5 } } },
    ]);
    expect(fake.total()).toBe(3);
  });

  test("session: offsets are held to, hashes checked, sessions end", async () => {
    const { session_id } = (await sdk.filesUploadSessionStart({ contents: "part" })).result;
    const cursor = { session_id, offset: 9 };
    expect((await refused(sdk.filesUploadSessionAppendV2({ cursor, contents: "x" }))).summary).toStartWith(
      "incorrect_offset",
    );
    const bad = { cursor: { session_id, offset: 4 }, contents: "x", content_hash: "0".repeat(64) };
    expect((await refused(sdk.filesUploadSessionAppendV2(bad))).summary).toStartWith("content_hash_mismatch");
    fake.uploads.expireSessions();
    expect(
      (await refused(sdk.filesUploadSessionAppendV2({ ...bad, content_hash: contentHashOf(Buffer.from("x")) })))
        .summary,
    ).toStartWith("not_found");
  });
});

describe("trouble", () => {
  test("faults: each hits one request of its endpoint, and both kinds of throttling say how long", async () => {
    fake.fail("files/get_metadata", RATE_LIMITS.requests(7), RATE_LIMITS.writes(3), { status: 503, text: "down" });
    const look = () => refused(sdk.filesGetMetadata({ path: root }));
    expect(await look()).toMatchObject({ status: 429, summary: "Too many requests" });
    expect((await look()).summary).toStartWith("too_many_write_operations");
    expect((await look()).status).toBe(503);
    expect((await sdk.filesGetMetadata({ path: root })).result[".tag"]).toBe("folder");
    expect(fake.count("files/get_metadata")).toBe(4);
  });

  test("cuts: before, nothing is done; after, all is done and the answer lost", async () => {
    fake.fail("files/upload", { cut: "before" });
    await expect(put("a.md", "x")).rejects.toThrow();
    expect(fake.tree.get(`${root}/a.md`)).toBeUndefined();
    fake.fail("files/upload", { cut: "after" });
    await expect(put("a.md", "x")).rejects.toThrow();
    expect(fake.tree.get(`${root}/a.md`)).toBeDefined();
  });

  test("locked: writes that meet are refused for the moment", async () => {
    fake.lockMs = 20;
    const ends = await Promise.allSettled([put("a.md", "a"), put("b.md", "b")]);
    fake.lockMs = 0;
    expect(ends.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });

  test("commits: one item of a batch can be made to fail", async () => {
    const { session_id } = (await sdk.filesUploadSessionStart({ contents: "x", close: true })).result;
    fake.uploads.failNext.set(`${root}/a.md`, tag("too_many_write_operations"));
    const entries = [{ cursor: { session_id, offset: 1 }, commit: { path: `${root}/a.md` } }];
    const failed = await sdk.filesUploadSessionFinishBatchV2({ entries });
    expect(failed.result.entries[0]).toMatchObject({ ".tag": "failure" });
    expect((await sdk.filesUploadSessionFinishBatchV2({ entries })).result.entries[0]).toMatchObject({
      ".tag": "success",
    });
  });
});
