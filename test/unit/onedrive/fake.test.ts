import { afterAll, beforeEach, expect, test } from "bun:test";
import { type AuthError, PublicClientApplication } from "@azure/msal-node";
import { type FakeOneDrive, startFakeOneDrive } from "../../fakes/onedrive/server.ts";
import { quickXor } from "../../fakes/onedrive/store.ts";

let fake: FakeOneDrive;
let nowMs = Date.now();
beforeEach(async () => {
  await fake?.stop();
  nowMs = Date.now();
  fake = await startFakeOneDrive({ now: () => nowMs });
});
afterAll(() => fake.stop());

/** The library, with every host of Microsoft's led to the fake. */
function library(authority = "common"): PublicClientApplication {
  const send = async (
    method: string,
    url: string,
    options: { headers?: Record<string, string>; body?: string } = {},
  ) => {
    const { headers = {}, body } = options;
    const target = url.replace(/^https:\/\/[^/]+/, fake.origin);
    const response = await fetch(target, { method, headers, ...(body === undefined ? {} : { body }) });
    return { status: response.status, headers: {}, body: await response.json() };
  };
  const networkClient = {
    sendGetRequestAsync: (url: string, options?: object) => send("GET", url, options),
    sendPostRequestAsync: (url: string, options?: object) => send("POST", url, options),
  } as never;
  const auth = { clientId: fake.identity.clientId, authority: `https://login.microsoftonline.com/${authority}` };
  return new PublicClientApplication({ auth, system: { networkClient } });
}

const scopes = ["Files.ReadWrite"];
const signIn = (app: PublicClientApplication) => app.acquireTokenByDeviceCode({ scopes, deviceCodeCallback: () => {} });
const graph = async (path: string, init: RequestInit = {}) => {
  const { access } = fake.identity.tokens();
  return fetch(path.startsWith("http") ? path : `${fake.origin}/v1.0${path}`, {
    redirect: "manual",
    ...init,
    headers: { Authorization: `Bearer ${access}`, ...init.headers },
  });
};
const bodyOf = async (response: Response): Promise<Record<string, never>> => await response.json();
const put = (path: string, body: string, headers = {}) => graph(`/me/drive/${path}`, { method: "PUT", body, headers });

test("fake sign-in: the library gets a token by device code, after being told to wait", async () => {
  fake.identity.answers = ["authorization_pending", "authorization_pending"];
  const app = library();
  const result = await signIn(app);
  expect(result).toMatchObject({ tenantId: "9188040d-6c67-4c5b-b112-36a304b66dad", fromCache: false });
  expect(result?.account).toMatchObject({ username: "alice@outlook.example", name: "Alice Example" });
  expect(fake.count("token")).toBe(3);
  expect(app.getTokenCache().serialize()).toContain("refresh-");
});

test("fake sign-in: what the library cannot wait out ends the flow", async () => {
  for (const answer of ["slow_down", "authorization_declined", "expired_token"] as const) {
    fake.identity.answers = [answer];
    await expect(signIn(library())).rejects.toThrow(/post_request_failed|request_failed/i);
  }
});

test("fake sign-in: a refresh gives another refresh token, and spends the old one when told to", async () => {
  fake.identity.spends = true;
  const app = library("consumers");
  await signIn(app);
  const old = app.getTokenCache().serialize();
  const [account] = await app.getAllAccounts();
  if (account === undefined) throw new Error("no account");
  expect((await app.acquireTokenSilent({ account, scopes })).fromCache).toBe(true);
  await app.acquireTokenSilent({ account, scopes, forceRefresh: true });
  expect(fake.identity.refreshes).toBe(1);
  const late = library("consumers");
  late.getTokenCache().deserialize(old);
  const error = (await late.acquireTokenSilent({ account, scopes, forceRefresh: true }).catch((it) => it)) as AuthError;
  expect(error.message).toContain("AADSTS50173");
});

test("fake sign-in: a revoked sign-in is an interaction that is required", async () => {
  const app = library();
  await signIn(app);
  const [account] = await app.getAllAccounts();
  if (account === undefined) throw new Error("no account");
  fake.identity.revoke(50058);
  const error = (await app.acquireTokenSilent({ account, scopes, forceRefresh: true }).catch((it) => it)) as AuthError;
  expect(`${error.errorCode} ${error.errorMessage}`).toContain("AADSTS50058");
});

test("fake sign-in: an authority that the library does not know is looked up", async () => {
  expect((await signIn(library("72f988bf-86f1-41af-91ab-2d7cd011db47")))?.accessToken).toStartWith("access-");
});

test("fake files: a token that is out of date is refused", async () => {
  nowMs += 3_700_000;
  expect((await fetch(`${fake.origin}/v1.0/me/drive`)).status).toBe(401);
  expect((await graph("/me/drive")).status).toBe(200);
});

test("fake files: PUT makes folders on its way, replaces by default, and not when told to fail", async () => {
  expect((await put("root:/a/b%23.md:/content", "one")).status).toBe(201);
  expect((await put("root:/A/B%23.MD:/content", "two")).status).toBe(200);
  const fail = await put("root:/a/b%23.md:/content?@microsoft.graph.conflictBehavior=fail", "three");
  expect([fail.status, (await bodyOf(fail))["error"]]).toEqual([
    409,
    expect.objectContaining({ code: "nameAlreadyExists" }),
  ]);
  const item = await bodyOf(await graph("/me/drive/root:/a/b%23.md"));
  expect(item).toMatchObject({
    name: "b#.md",
    size: 3,
    file: { hashes: { quickXorHash: quickXor(Buffer.from("two")) } },
  });
  expect((await put("items/nowhere:/x.md:/content", "x")).status).toBe(404);
});

test("fake files: If-Match compares eTag or cTag, for PUT as far as it is told to", async () => {
  const item = await bodyOf(await put("root:/a.md:/content", "one"));
  const tags = [item["eTag"], item["cTag"]] as unknown as string[];
  for (const tag of tags)
    expect((await put("root:/a.md:/content", "two", { "If-Match": tag })).status).toBeLessThan(413);
  expect((await put("root:/a.md:/content", "x", { "If-Match": '"other"' })).status).toBe(412);
  expect((await graph("/me/drive/root:/a.md", { method: "DELETE", headers: { "If-Match": '"other"' } })).status).toBe(
    412,
  );
  fake.habits.honoursIfMatch = false;
  expect((await put("root:/a.md:/content", "x", { "If-Match": '"other"' })).status).toBe(200);
});

test("fake files: names that OneDrive refuses", async () => {
  for (const name of ["a%3Ab.md", "a%2A.md", "~%24x.md", "con", "x.", "desktop.ini", "_vti_x"]) {
    expect((await put(`root:/${name}:/content`, "x")).status).toBe(400);
  }
});

test("fake files: content is a redirection to an address that refuses a token, and serves ranges", async () => {
  await put("root:/a.md:/content", "0123456789");
  const response = await graph("/me/drive/root:/a.md:/content");
  expect(response.status).toBe(302);
  const address = response.headers.get("location") ?? "";
  expect(await (await fetch(address)).text()).toBe("0123456789");
  const part = await fetch(address, { headers: { Range: "bytes=4-" } });
  expect([part.status, await part.text()]).toEqual([206, "456789"]);
  expect((await graph(address)).status).toBe(401);
});

async function deltaAll(
  link: string,
): Promise<{ readonly ids: string[]; readonly link: string; readonly pages: number }> {
  const ids: string[] = [];
  for (let pages = 1; ; pages++) {
    const page = await bodyOf(await graph(link));
    for (const { id } of page["value"] as unknown as { id: string }[]) ids.push(id);
    const next = page["@odata.nextLink"] as string | undefined;
    if (next === undefined) return { ids, link: page["@odata.deltaLink"] as unknown as string, pages };
    link = next;
  }
}

test("fake delta: pages, a link for next time, and deletions of everything that was in a folder", async () => {
  fake.pageSize = 2;
  for (const name of ["a", "b", "c"]) await put(`root:/f/${name}.md:/content`, name);
  const first = await deltaAll("/me/drive/root/delta?$select=name");
  expect([first.ids.length, first.pages]).toEqual([5, 3]);
  expect((await deltaAll(first.link)).ids).toEqual([]);
  await graph("/me/drive/root:/f", { method: "DELETE" });
  const second = await deltaAll(first.link);
  expect(new Set(second.ids).size).toBe(4);
  expect(second.ids.length).toBe(5);
});

test("fake delta: both forms of 410, with the address of a fresh start", async () => {
  await put("root:/a.md:/content", "a");
  for (const code of ["resyncChangesApplyDifferences", "resyncChangesUploadDifferences"] as const) {
    const { link } = await deltaAll("/me/drive/root/delta");
    fake.expireDelta(code);
    const response = await graph(link);
    expect([response.status, (await bodyOf(response))["error"]]).toEqual([410, expect.objectContaining({ code })]);
    expect((await deltaAll(response.headers.get("location") ?? "")).ids.length).toBe(2);
  }
});

test("fake delta: business tells no cTag, and may know no delta of folders", async () => {
  await put("root:/f/a.md:/content", "a");
  fake.habits.kind = "business";
  const page = await bodyOf(await graph("/me/drive/root/delta"));
  for (const item of page["value"] as unknown as object[]) expect(item).not.toHaveProperty("cTag");
  const folder = await bodyOf(await graph("/me/drive/root:/f"));
  expect((await deltaAll(`/me/drive/items/${folder["id"]}/delta`)).ids.length).toBe(2);
  fake.habits.folderDelta = false;
  expect((await graph(`/me/drive/items/${folder["id"]}/delta`)).status).toBe(400);
});

const session = async (path: string, item: object, headers = {}) =>
  graph(`/me/drive/root:/${path}:/createUploadSession`, {
    method: "POST",
    body: JSON.stringify({ item }),
    headers: { "Content-Type": "application/json", ...headers },
  });
const fragment = (url: string, from: number, bytes: Uint8Array, total: number, headers = {}) =>
  fetch(url, {
    method: "PUT",
    body: bytes as Uint8Array<ArrayBuffer>,
    headers: { "Content-Range": `bytes ${from}-${from + bytes.length - 1}/${total}`, ...headers },
  });

test("fake upload session: fragments in order, resumed where it stopped, and its own address as authorisation", async () => {
  const bytes = new Uint8Array(700_000).fill(7);
  const { uploadUrl } = (await bodyOf(await session("f/big.bin", {}))) as unknown as { uploadUrl: string };
  const first = bytes.subarray(0, 327_680);
  expect((await fragment(uploadUrl, 0, first, bytes.length, { Authorization: "Bearer x" })).status).toBe(401);
  expect((await fragment(uploadUrl, 0, bytes.subarray(0, 1000), bytes.length)).status).toBe(400);
  expect(await bodyOf(await fragment(uploadUrl, 0, first, bytes.length))).toMatchObject({
    nextExpectedRanges: ["327680-"],
  });
  expect((await fragment(uploadUrl, 0, first, bytes.length)).status).toBe(416);
  expect(await bodyOf(await fetch(uploadUrl))).toMatchObject({ nextExpectedRanges: ["327680-"] });
  const last = await fragment(uploadUrl, 327_680, bytes.subarray(327_680), bytes.length);
  expect([last.status, await bodyOf(last)]).toEqual([201, expect.objectContaining({ name: "big.bin", size: 700_000 })]);
  expect((await fetch(uploadUrl)).status).toBe(404);
});

test("fake upload session: a name that is taken meanwhile is a conflict at the end; a wrong if-match at the start", async () => {
  const opened = await bodyOf(await session("x.bin", { "@microsoft.graph.conflictBehavior": "fail" }));
  await put("root:/x.bin:/content", "mine");
  expect((await fragment(opened["uploadUrl"] as unknown as string, 0, Buffer.from("late"), 4)).status).toBe(409);
  expect(
    (await session("x.bin", { "@microsoft.graph.conflictBehavior": "replace" }, { "if-match": '"no"' })).status,
  ).toBe(412);
  expect((await session("x.bin", { "@microsoft.graph.conflictBehavior": "fail" })).status).toBe(409);
});

test("fake batch: 20 requests, each with its own answer, throttled one by one", async () => {
  for (const name of ["a", "b"]) await put(`root:/${name}.md:/content`, name);
  fake.refuse("delete", { status: 429, code: "activityLimitReached", headers: { "Retry-After": "7" } });
  const requests = ["b", "nowhere", "a"].map((name, at) => ({
    id: `${at}`,
    method: "DELETE",
    url: `/me/drive/root:/${name}.md`,
  }));
  const post = (list: readonly object[]) =>
    graph("/$batch", { method: "POST", body: JSON.stringify({ requests: list }) });
  const { responses } = (await bodyOf(await post(requests))) as unknown as {
    responses: { id: string; status: number; headers: Record<string, string> }[];
  };
  const byId = new Map(responses.map((each) => [each.id, each]));
  expect(["0", "1", "2"].map((id) => byId.get(id)?.status)).toEqual([204, 404, 429]);
  expect(byId.get("2")?.headers["Retry-After"]).toBe("7");
  expect(
    (await post(Array.from({ length: 21 }, (_, at) => ({ id: `${at}`, method: "GET", url: "/me/drive" })))).status,
  ).toBe(400);
  expect(fake.count("batch")).toBe(2);
  expect(fake.calls.get("delete")).toBe(3);
});

test("fake copy: it is told by a monitor, and fails there where personal accounts find the name taken", async () => {
  const item = await bodyOf(await put("root:/a.md:/content", "a"));
  const copy = (name: string) =>
    graph(`/me/drive/items/${item["id"]}/copy`, {
      method: "POST",
      body: JSON.stringify({ parentReference: { driveId: "d1", id: fake.drive.root }, name }),
    });
  const accepted = await copy("b.md");
  const monitor = accepted.headers.get("location") ?? "";
  expect(accepted.status).toBe(202);
  expect(await bodyOf(await fetch(monitor))).toMatchObject({ status: "inProgress" });
  expect(await bodyOf(await fetch(monitor))).toMatchObject({ status: "completed", resourceId: expect.any(String) });
  fake.habits.copyPolls = 0;
  const late = (await copy("b.md")).headers.get("location") ?? "";
  expect(await bodyOf(await fetch(late))).toMatchObject({ status: "failed", error: { code: "nameAlreadyExists" } });
  fake.habits.kind = "business";
  expect((await copy("b.md")).status).toBe(409);
});

test("fake quota: 507 where there is no room", async () => {
  fake.drive.quota = 10;
  expect((await put("root:/a.md:/content", "0123456789")).status).toBe(201);
  expect((await put("root:/b.md:/content", "x")).status).toBe(507);
  expect((await session("c.bin", { fileSize: 100 })).status).toBe(507);
});

test("fake sharing: what is shared is there for others, under its owner's drive", async () => {
  const bob = { name: "Bob", username: "bob@outlook.example", tenant: "t", oid: "bob" };
  const own = fake.addUser(bob);
  const folder = fake.drive.folders(fake.drive.root, "team");
  fake.drive.put(folder.id, "a.md", Buffer.from("a"));
  fake.identity.user = bob;
  expect((await graph(`/drives/d1/items/${folder.id}:/a.md`)).status).toBe(403);
  fake.habits.shared.add(folder.id);
  own.special(own.root, "team", "remote", { drive: "d1", id: folder.id });
  expect(await bodyOf(await graph("/me/drive/root:/team"))).toMatchObject({ remoteItem: { id: folder.id } });
  expect((await graph(`/drives/d1/items/${folder.id}:/a.md`)).status).toBe(200);
  expect((await graph("/drives/d1/root/delta")).status).toBe(403);
});

test("quickXor: known values", () => {
  expect(quickXor(new Uint8Array())).toBe("AAAAAAAAAAAAAAAAAAAAAAAAAAA=");
  expect(quickXor(Buffer.from([0x4a]))).toBe("SgAAAAAAAAAAAAAAAQAAAAAAAAA=");
});
