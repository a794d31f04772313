import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { auth, drive_v2, drive_v3 } from "googleapis/build/src/apis/drive/index.js";
import { CLIENT } from "../../fakes/googledrive/oauth.ts";
import { type FakeDrive, startFakeDrive } from "../../fakes/googledrive/server.ts";
import { DOCUMENT, FOLDER, SHORTCUT } from "../../fakes/googledrive/store.ts";

const clock = { ms: Date.parse("2026-11-20T10:00:00Z") };
const fake: FakeDrive = await startFakeDrive({ now: () => clock.ms });
afterAll(() => fake.stop());

const OWNER = "owner@example.com";
const MATE = "mate@example.com";
const CALL = { rootUrl: `${fake.origin}/`, retry: false };

function signedIn(user = OWNER) {
  const client = new auth.OAuth2({
    ...{ clientId: CLIENT.client_id, clientSecret: CLIENT.client_secret },
    endpoints: { oauth2TokenUrl: `${fake.origin}/token`, oauth2AuthBaseUrl: `${fake.origin}/o/oauth2/v2/auth` },
  });
  client.setCredentials({ refresh_token: fake.oauth.grant(user) });
  return client;
}
const v3 = (user?: string) => new drive_v3.Drive({ auth: signedIn(user) });

interface Refused {
  readonly status?: number;
  readonly code?: number | string;
  readonly message: string;
  readonly response?: { readonly status: number; readonly data: unknown };
}

/** Status and reason of a call that must fail. */
async function refusal(call: Promise<unknown>): Promise<string> {
  const error = (await call.then(
    () => ({ message: "it was done" }),
    (thrown: unknown) => thrown,
  )) as Refused;
  const data = error.response?.data;
  const body = (typeof data === "string" ? JSON.parse(data) : data) as
    | { readonly error: string | { readonly errors: readonly { readonly reason: string }[] } }
    | undefined;
  const named = body?.error;
  return `${error.response?.status} ${typeof named === "string" ? named : (named?.errors[0]?.reason ?? error.message)}`;
}

let root = "";
beforeEach(async () => {
  root = fake.store.create(OWNER, { name: "project", mimeType: FOLDER }, undefined).id;
  fake.reset();
});

async function upload(name: string, content: string, extra: drive_v3.Schema$File = {}) {
  const body = { name, parents: [root], ...extra };
  const media = { mimeType: "text/markdown", body: Readable.from([content]) };
  const { data } = await v3().files.create({ requestBody: body, media, fields: "*" }, CALL);
  return data;
}

describe("fake drive: files", () => {
  test("create and get: what the SDK uploads comes back with sizes and checksums", async () => {
    const made = await upload("a.md", "hello");
    expect(made).toMatchObject({ name: "a.md", parents: [root], size: "5", trashed: false });
    expect(made.md5Checksum).toBe(createHash("md5").update("hello").digest("hex"));
    expect(made.sha256Checksum).toBe(createHash("sha256").update("hello").digest("hex"));
    const body = await v3().files.get({ fileId: made.id ?? "", alt: "media" }, { ...CALL, responseType: "text" });
    expect(body.data as unknown).toBe("hello");
    const headers = { Range: "bytes=3-" };
    const rest = await v3().files.get(
      { fileId: made.id ?? "", alt: "media" },
      { ...CALL, headers, responseType: "text" },
    );
    expect([rest.status, rest.data as unknown]).toEqual([206, "lo"]);
  });

  test("update: new bytes are a new revision, a new name is not", async () => {
    const made = await upload("a.md", "hello");
    const fileId = made.id ?? "";
    const named = await v3().files.update({ fileId, requestBody: { name: "b.md" }, fields: "*" }, CALL);
    expect(named.data).toMatchObject({ name: "b.md", headRevisionId: made.headRevisionId });
    const media = { body: "changed" };
    const { data } = await v3().files.update({ fileId, media, fields: "headRevisionId,md5Checksum,version" }, CALL);
    expect(data.headRevisionId).not.toBe(made.headRevisionId);
    expect(Number(data.version)).toBeGreaterThan(Number(named.data.version));
  });

  test("list: pages, masks, and queries by parent, name, kind and trash", async () => {
    for (let i = 0; i < 5; i++) await upload(`${i}.md`, "x");
    await upload("It's \\ here.md", "x");
    const q = `'${root}' in parents and trashed = false`;
    const names: string[] = [];
    let pageToken: string | undefined;
    do {
      const fields = "nextPageToken,incompleteSearch,files(name)";
      const page: drive_v3.Schema$FileList = (
        await v3().files.list({ q, pageSize: 2, fields, ...(pageToken === undefined ? {} : { pageToken }) }, CALL)
      ).data;
      expect(page.incompleteSearch).toBe(false);
      names.push(...(page.files ?? []).map(({ name }) => name ?? ""));
      pageToken = page.nextPageToken ?? undefined;
    } while (pageToken !== undefined);
    expect(names.sort()).toEqual(["0.md", "1.md", "2.md", "3.md", "4.md", "It's \\ here.md"]);
    expect(fake.count("files.list")).toBe(3);
    const one = await v3().files.list({ q: `name = 'it\\'s \\\\ HERE.md' and '${root}' in parents` }, CALL);
    expect(one.data.files?.map(({ name }) => name)).toEqual(["It's \\ here.md"]);
    const folders = await v3().files.list({ q: `mimeType = '${FOLDER}' and not '${root}' in parents` }, CALL);
    expect(folders.data.files?.some(({ id }) => id === root)).toBe(true);
  });

  test("list: a query that is none, a field of v2, a stale page token are refused", async () => {
    await upload("a.md", "x");
    await upload("b.md", "x");
    expect(await refusal(v3().files.list({ q: "nonsense ~ 1" }, CALL))).toBe("400 invalid");
    expect(await refusal(v3().files.list({ fields: "files(etag)" }, CALL))).toBe("400 invalidParameter");
    const { data } = await v3().files.list({ pageSize: 1 }, CALL);
    fake.expirePages();
    const pageToken = data.nextPageToken ?? "";
    expect(await refusal(v3().files.list({ pageSize: 1, pageToken }, CALL))).toBe("400 invalid");
  });

  test("names need not be unique; shortcuts and documents have no bytes", async () => {
    const [a, b] = [await upload("same.md", "one"), await upload("same.md", "two")];
    expect(a.id).not.toBe(b.id);
    for (const mimeType of [SHORTCUT, DOCUMENT]) {
      const item = fake.store.create(OWNER, { name: "native", mimeType, parents: [root] }, undefined);
      const { data } = await v3().files.get({ fileId: item.id, fields: "*" }, CALL);
      expect(data.md5Checksum).toBeUndefined();
      const call = v3().files.get({ fileId: item.id, alt: "media" }, { ...CALL, responseType: "text" });
      expect(await refusal(call)).toBe("403 fileNotDownloadable");
    }
  });

  test("generateIds: a create with such an id is done once, its repetition is a 409", async () => {
    const { data } = await v3().files.generateIds({ count: 2 }, CALL);
    const id = data.ids?.[0] ?? "";
    expect((await upload("a.md", "x", { id })).id).toBe(id);
    expect(await refusal(upload("a.md", "x", { id }))).toBe("409 fileIdInUse");
    expect(await refusal(upload("a.md", "x", { id: "made-up" }))).toBe("400 invalid");
    const copied = await v3().files.copy(
      { fileId: id, requestBody: { id: data.ids?.[1] ?? "", name: "b.md" }, fields: "*" },
      CALL,
    );
    expect(copied.data).toMatchObject({ name: "b.md", parents: [root], size: "1" });
  });

  test("trash: what lies in a trashed folder is trashed with it, and comes back with it", async () => {
    const folder = fake.store.create(OWNER, { name: "docs", mimeType: FOLDER, parents: [root] }, undefined);
    const made = await upload("a.md", "x", { parents: [folder.id] });
    await v3().files.update({ fileId: folder.id, requestBody: { trashed: true } }, CALL);
    const look = async () =>
      (await v3().files.get({ fileId: made.id ?? "", fields: "trashed,explicitlyTrashed" }, CALL)).data;
    expect(await look()).toEqual({ trashed: true, explicitlyTrashed: false });
    await v3().files.update({ fileId: folder.id, requestBody: { trashed: false } }, CALL);
    expect((await look()).trashed).toBe(false);
    await v3().files.delete({ fileId: folder.id }, CALL);
    expect(await refusal(v3().files.get({ fileId: made.id ?? "" }, CALL))).toBe("404 notFound");
  });

  test("sharing: a collaborator writes in the folder, owns what they make, and removes nothing of others for good", async () => {
    fake.store.share(root, MATE, "writer");
    const ours = await upload("ours.md", "x");
    const { data: theirs } = await v3(MATE).files.create(
      { requestBody: { name: "theirs.md", parents: [root] }, media: { body: "y" }, fields: "id,ownedByMe" },
      CALL,
    );
    expect(theirs.ownedByMe).toBe(true);
    expect(await refusal(v3(MATE).files.delete({ fileId: ours.id ?? "" }, CALL))).toBe(
      "403 insufficientFilePermissions",
    );
    const all = await v3(MATE).files.list({ q: `'${root}' in parents` }, CALL);
    expect(all.data.files?.length).toBe(2);
    fake.store.unshare(root, MATE);
    expect(await refusal(v3(MATE).files.get({ fileId: root }, CALL))).toBe("404 notFound");
  });

  test("shared drives: seen only by those who say that they know them", async () => {
    const drive = fake.store.addSharedDrive("team", { [OWNER]: "writer" });
    const all = { supportsAllDrives: true };
    await v3().files.create({ requestBody: { name: "a.md", parents: [drive] }, media: { body: "x" }, ...all }, CALL);
    expect(await refusal(v3().files.get({ fileId: drive }, CALL))).toBe("404 notFound");
    expect((await v3().files.get({ fileId: drive, fields: "driveId", ...all }, CALL)).data.driveId).toBe(drive);
    const whole = { corpora: "drive", driveId: drive, includeItemsFromAllDrives: true, ...all };
    expect((await v3().files.list(whole, CALL)).data.files?.length).toBe(1);
    expect((await v3().files.list({ q: `'${drive}' in parents` }, CALL)).data.files).toEqual([]);
  });

  test("eventual listing: a lookup by id is current while a listing lags behind", async () => {
    fake.store.lagging = true;
    const made = await upload("late.md", "x");
    const q = `'${root}' in parents`;
    expect((await v3().files.list({ q }, CALL)).data.files).toEqual([]);
    expect((await v3().files.get({ fileId: made.id ?? "" }, CALL)).data.name).toBe("late.md");
    fake.store.lagging = false;
    fake.store.settle();
    expect((await v3().files.list({ q }, CALL)).data.files?.length).toBe(1);
  });

  test("quota: a full account takes no more bytes", async () => {
    const { free } = fake.store;
    fake.store.free = 3;
    expect(await refusal(upload("big.md", "four"))).toBe("403 storageQuotaExceeded");
    fake.store.free = free;
  });
});

describe("fake drive: changes", () => {
  test("changes: from a start token, one entry a file, removed ones named, pages", async () => {
    const { data: start } = await v3().changes.getStartPageToken({}, CALL);
    const pageToken = start.startPageToken ?? "";
    const list = async (token: string, pageSize = 100) =>
      (
        await v3().changes.list(
          {
            pageToken: token,
            pageSize,
            fields: "nextPageToken,newStartPageToken,changes(fileId,removed,file(id,name,trashed))",
          },
          CALL,
        )
      ).data;
    expect(await list(pageToken)).toEqual({ changes: [], newStartPageToken: pageToken });
    const a = await upload("a.md", "x");
    const b = await upload("b.md", "x");
    await v3().files.update({ fileId: a.id ?? "", requestBody: { name: "c.md" } }, CALL);
    await v3().files.delete({ fileId: b.id ?? "" }, CALL);
    const page = await list(pageToken, 1);
    expect(page).toMatchObject({ changes: [{ fileId: a.id, removed: false, file: { name: "c.md", trashed: false } }] });
    const rest = await list(page.nextPageToken ?? "");
    expect(rest.changes).toEqual([{ fileId: b.id ?? null, removed: true }]);
    expect((await list(rest.newStartPageToken ?? "")).changes).toEqual([]);
    expect(await refusal(list("never"))).toBe("400 invalid");
  });
});

describe("fake drive: v2", () => {
  test("If-Match: the right ETag is let through, another one is 412 and changes nothing", async () => {
    const made = await upload("a.md", "one");
    const fileId = made.id ?? "";
    const v2 = new drive_v2.Drive({ auth: signedIn() });
    const { etag } = (await v2.files.get({ fileId }, CALL)).data;
    const put = (match: string, text: string) =>
      v2.files.update({ fileId, media: { body: text } }, { ...CALL, headers: { "If-Match": match } });
    expect((await put(etag ?? "", "two")).status).toBe(200);
    expect(await refusal(put(etag ?? "", "three"))).toBe("412 conditionNotMet");
    expect(fake.store.get(OWNER, fileId).content?.toString()).toBe("two");
  });

  test("insert: folders and files in the words of v2, with an id that was set aside, once", async () => {
    const v2 = new drive_v2.Drive({ auth: signedIn() });
    const id =
      (await new drive_v3.Drive({ auth: signedIn() }).files.generateIds({ count: 1 }, CALL)).data.ids?.[0] ?? "";
    const requestBody = { id, title: "by v2", mimeType: FOLDER, parents: [{ id: root }] };
    const { data } = await v2.files.insert({ requestBody, supportsAllDrives: true }, CALL);
    expect(data).toMatchObject({ id, title: "by v2", mimeType: FOLDER, parents: [{ id: root }] });
    expect(await refusal(v2.files.insert({ requestBody }, CALL))).toStartWith("409 ");
    const media = { mimeType: "text/plain", body: "text" };
    const file = await v2.files.insert({ requestBody: { title: "a.txt", parents: [{ id }] }, media }, CALL);
    expect(fake.store.get(OWNER, file.data.id ?? "")).toMatchObject({ name: "a.txt", parent: id });
    expect(file.data.etag).toBeString();
  });
});

async function bearer(): Promise<Record<string, string>> {
  const { token } = await signedIn().getAccessToken();
  return { Authorization: `Bearer ${token}` };
}

describe("fake drive: resumable uploads", () => {
  const MIB = 1024 * 1024;
  const body = Buffer.alloc(2 * MIB + 7, "r");

  async function start(): Promise<string> {
    const headers = {
      ...(await bearer()),
      "X-Upload-Content-Length": String(body.length),
      "Content-Type": "application/json",
    };
    const text = JSON.stringify({ name: "big.bin", parents: [root] });
    const started = await fetch(`${fake.origin}/upload/drive/v3/files?uploadType=resumable&fields=id,size`, {
      method: "POST",
      headers,
      body: text,
    });
    return started.headers.get("location") ?? "";
  }
  const put = (session: string, from: number, to: number) =>
    fetch(session, {
      method: "PUT",
      headers: { "Content-Range": `bytes ${from}-${to - 1}/${body.length}` },
      body: body.subarray(from, to),
    });
  const state = (session: string) =>
    fetch(session, { method: "PUT", headers: { "Content-Range": `bytes */${body.length}` } });

  test("resumable: chunks, the state in between, the file at the end, and the same answer afterwards", async () => {
    const session = await start();
    expect((await state(session)).headers.get("range")).toBeNull();
    const first = await put(session, 0, MIB);
    expect([first.status, first.headers.get("range")]).toEqual([308, `bytes=0-${MIB - 1}`]);
    expect((await put(session, MIB, MIB + 5)).status).toBe(400);
    expect((await put(await start(), 0, body.length)).status).toBe(200);
    const done = await put(session, MIB, body.length);
    expect(await done.json()).toMatchObject({ size: String(body.length) });
    expect((await state(session)).status).toBe(200);
  });

  test("resumable: a cut body keeps what came, in 256 KiB steps; a session that has expired is a 404", async () => {
    const session = await start();
    fake.sessions.cutAfter = 700_000;
    await put(session, 0, body.length).catch(() => undefined);
    const range = (await state(session)).headers.get("range") ?? "";
    const kept = Number(range.split("-")[1]) + 1;
    expect(kept % (256 * 1024)).toBe(0);
    expect(kept).toBeGreaterThan(0);
    expect((await put(session, kept, body.length)).status).toBe(200);
    const other = await start();
    clock.ms += 8 * 24 * 3600 * 1000;
    expect((await state(other)).status).toBe(404);
  });
});

describe("fake drive: batch", () => {
  async function batch(calls: readonly { readonly line: string; readonly body?: unknown }[]) {
    const parts = calls.map(
      ({ line, body }, at) =>
        `--b\r\nContent-Type: application/http\r\nContent-ID: <item${at}>\r\n\r\n${line} HTTP/1.1\r\nContent-Type: application/json\r\n\r\n${body === undefined ? "" : JSON.stringify(body)}\r\n`,
    );
    const headers = { ...(await bearer()), "Content-Type": "multipart/mixed; boundary=b" };
    const answer = await fetch(`${fake.origin}/batch/drive/v3`, {
      method: "POST",
      headers,
      body: `${parts.join("")}--b--`,
    });
    return { status: answer.status, text: await answer.text() };
  }

  test("batch: every call has its own answer, in the order of the parts", async () => {
    const made = await upload("a.md", "x");
    fake.reset();
    const { status, text } = await batch([
      { line: `PATCH /drive/v3/files/${made.id}?fields=trashed`, body: { trashed: true } },
      { line: "GET /drive/v3/files/nowhere" },
      { line: "POST /drive/v3/files?fields=name", body: { name: "new", mimeType: FOLDER, parents: [root] } },
    ]);
    expect(status).toBe(200);
    expect(
      [...text.matchAll(/Content-ID: (\S+)\r\n\r\nHTTP\/1.1 (\d+)/g)].map(([, id, code]) => `${id} ${code}`),
    ).toEqual(["<response-item0> 200", "<response-item1> 404", "<response-item2> 200"]);
    expect(fake.count()).toBe(1);
    expect(fake.calls.get("files.update")).toBe(1);
  });

  test("batch: more than a hundred calls are refused, and so are contents", async () => {
    const many = Array.from({ length: 101 }, () => ({ line: "GET /drive/v3/about?fields=user" }));
    expect((await batch(many)).status).toBe(400);
    expect((await batch([{ line: "POST /upload/drive/v3/files?uploadType=media" }])).text).toContain("HTTP/1.1 404");
  });
});

describe("fake drive: sign-in and faults", () => {
  test("sign-in: code for tokens with PKCE, once; a refresh; a token that was taken back", async () => {
    const client = new auth.OAuth2({
      ...{ clientId: CLIENT.client_id, clientSecret: CLIENT.client_secret, redirectUri: "http://127.0.0.1:9/" },
      endpoints: { oauth2TokenUrl: `${fake.origin}/token`, oauth2AuthBaseUrl: `${fake.origin}/o/oauth2/v2/auth` },
    });
    const { codeVerifier, codeChallenge } = await client.generateCodeVerifierAsync();
    const ask = {
      access_type: "offline",
      prompt: "consent",
      scope: ["drive", "pubsub"],
      state: "s1",
      code_challenge: codeChallenge ?? "",
    };
    const page = client.generateAuthUrl({ ...ask, code_challenge_method: "S256" as never });
    const back = new URL((await fetch(page, { redirect: "manual" })).headers.get("location") ?? "");
    expect(back.searchParams.get("state")).toBe("s1");
    const code = back.searchParams.get("code") ?? "";
    expect(await refusal(client.getToken({ code, codeVerifier: "wrong" }))).toBe("400 invalid_grant");
    const again = new URL((await fetch(page, { redirect: "manual" })).headers.get("location") ?? "");
    const { tokens } = await client.getToken({ code: again.searchParams.get("code") ?? "", codeVerifier });
    expect(tokens.scope).toBe("drive pubsub");
    expect(tokens.refresh_token).toBeString();
    expect(await refusal(client.getToken({ code: again.searchParams.get("code") ?? "", codeVerifier }))).toBe(
      "400 invalid_grant",
    );
    client.setCredentials({ refresh_token: tokens.refresh_token ?? "" });
    expect((await client.getAccessToken()).token).toStartWith("ya29.");
    fake.oauth.revoke(tokens.refresh_token ?? "");
    client.setCredentials({ refresh_token: tokens.refresh_token ?? "" });
    expect(await refusal(client.getAccessToken())).toBe("400 invalid_grant");
  });

  test("access tokens end: by time and at once", async () => {
    const headers = await bearer();
    const about = async () => (await fetch(`${fake.origin}/drive/v3/about?fields=user`, { headers })).status;
    expect(await about()).toBe(200);
    clock.ms += 3_600_000;
    expect(await about()).toBe(401);
  });

  test("faults: both forms of throttling, a request that is cut, an answer that is lost", async () => {
    fake.refuse("files.list", { status: 403, reason: "userRateLimitExceeded" });
    fake.refuse("files.list", { status: 429, reason: "rateLimitExceeded", headers: { "Retry-After": "7" } });
    expect(await refusal(v3().files.list({}, CALL))).toBe("403 userRateLimitExceeded");
    expect(await refusal(v3().files.list({}, CALL))).toBe("429 rateLimitExceeded");
    fake.fault("files.create", { cut: "request" });
    fake.fault("files.create", { cut: "reply" });
    const create = () => v3().files.create({ requestBody: { name: "f", mimeType: FOLDER, parents: [root] } }, CALL);
    await create().catch(() => undefined);
    expect(fake.unmet()).toEqual(["files.create"]);
    await create().catch(() => undefined);
    expect(fake.unmet()).toEqual([]);
    expect((await v3().files.list({ q: `'${root}' in parents` }, CALL)).data.files?.length).toBe(1);
  });
});
