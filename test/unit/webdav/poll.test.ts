import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { SYNC_LOG_PATH } from "../../../src/backends/layout.ts";
import type { Backend } from "../../../src/backends/types.ts";
import { UNPROVEN } from "../../../src/backends/webdav/facts.ts";
import { requestsDuring } from "../../support/access-log.ts";
import { APACHE_USER, startApache } from "../../support/apache.ts";
import { addToLog, type LogWatcher, logWatcher } from "../../support/log-watcher.ts";
import { answerOf, rawServer } from "../../support/raw-server.ts";
import { giveToServer, webdavClient } from "../../support/webdav-setup.ts";

const server = await startApache({ auth: "basic" });
afterAll(() => server.stop());

let made = 0;
let folder: string;
let backend: Backend;
let colleague: Backend;
let watcher: LogWatcher;
const open = () =>
  webdavClient(
    `${server.origin}/dav/${made}`,
    { ...UNPROVEN, update: "if-etag", create: "if-none-match" },
    APACHE_USER,
  );
beforeEach(async () => {
  folder = join(server.root, String(++made));
  mkdirSync(folder);
  giveToServer(folder);
  backend = open();
  colleague = open();
  watcher = logWatcher();
});
afterEach(async () => {
  await backend.close();
  await colleague.close();
});

/** Apache calls a version weak, and we one that may still change, while it is fresh. */
let age = 0;
const settle = () => {
  const seconds = 1_700_000_000 + ++age;
  utimesSync(join(folder, SYNC_LOG_PATH), seconds, seconds);
};

async function looks(on: Backend) {
  const { result, requests } = await requestsDuring(server, () => watcher.look(on));
  return { news: result, requests: requests.map(({ method, status }) => `${method} ${status}`) };
}

describe("poll on Apache", () => {
  test("an unchanged log is one GET that answers 304, in the next process too; a new one is one GET", async () => {
    await addToLog(colleague, "ws", "old.md");
    settle();
    expect(await looks(backend)).toEqual({ news: [], requests: ["GET 200"] });
    expect(await looks(backend)).toEqual({ news: [], requests: ["GET 304"] });
    const next = open();
    expect(await looks(next)).toEqual({ news: [], requests: ["GET 304"] });
    await addToLog(colleague, "ws", "a.md");
    settle();
    expect(await looks(next)).toEqual({ news: ["ws a.md"], requests: ["GET 200"] });
    expect(await looks(next)).toEqual({ news: [], requests: ["GET 304"] });
    await next.close();
  });

  test("a log that is not there costs one request, and is read once it is", async () => {
    expect(await looks(backend)).toEqual({ news: [], requests: ["GET 404", "GET 404"] });
    expect(await looks(backend)).toEqual({ news: [], requests: ["GET 404"] });
    await addToLog(colleague, "ws", "first.md");
    expect((await looks(backend)).news).toEqual(["ws first.md"]);
  });

  test("a version that may still change is read again until it is settled, and nothing is told twice", async () => {
    await addToLog(colleague, "ws", "old.md");
    await looks(backend);
    await addToLog(colleague, "ws", "a.md");
    expect((await looks(backend)).news).toEqual(["ws a.md"]);
    expect(await looks(backend)).toEqual({ news: [], requests: ["GET 200"] });
    settle();
    await looks(backend);
    expect(await looks(backend)).toEqual({ news: [], requests: ["GET 304"] });
  });
});

test("poll: where a server heeds no condition, the version is looked at instead of read", async () => {
  const text = '{"events": []}';
  const etag = 'ETag: "v1"';
  const listed = `<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"><d:response><d:href>/dav/${SYNC_LOG_PATH}</d:href><d:propstat><d:prop><d:getetag>"v1"</d:getetag><d:getcontentlength>${text.length}</d:getcontentlength><d:getlastmodified>Tue, 14 Nov 2023 22:13:20 GMT</d:getlastmodified><d:resourcetype/></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:multistatus>`;
  const raw = await rawServer(({ method }) =>
    method === "PROPFIND" ? answerOf("207 Multi-Status", listed) : answerOf("200 OK", text, [etag]),
  );
  const client = webdavClient(`${raw.origin}/dav`, { ...UNPROVEN, scheme: "none" });
  for (let look = 0; look < 4; look++) expect(await watcher.look(client)).toEqual([]);
  expect(raw.requests.map(({ method }) => method)).toEqual(["GET", "GET", "PROPFIND", "PROPFIND"]);
  expect(raw.requests[1]?.headers["if-none-match"]).toBe('"v1"');
  await client.close();
  await raw.stop();
});
