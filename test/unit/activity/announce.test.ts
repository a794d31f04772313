import { describe, expect, test } from "bun:test";
import { addressProblem, messageFor } from "../../../src/activity/announce/messages.ts";
import type { AnnouncedBackend, AnnouncedEvent, AnnounceService } from "../../../src/activity/announce/model.ts";
import { announce } from "../../../src/activity/announce/send.ts";
import type { HttpClient } from "../../../src/lib/http-client.ts";
import { HttpError } from "../../../src/lib/http-error.ts";
import type { RelPath } from "../../../src/lib/path.ts";
import { pathMatcher } from "../../../src/snapshots/path-match.ts";

const PRIMARY: AnnouncedBackend = {
  name: "drive",
  state: "ok",
  sent: 1,
  deleted: 0,
  pending: 0,
  snapshots: ["2026-05-05T10-15-22Z"],
  message: null,
  advice: null,
};

const EVENT: AnnouncedEvent = {
  user: "user",
  machine: "machine",
  project: "myproject",
  action: "push",
  timestamp: "2026-05-05T10:15:22.000001+00:00",
  files: ["CLAUDE.md"],
  snapshot: { timestamp: "2026-05-05T10-15-22Z", format: "blobs" },
  totalFiles: 1245,
  backends: [PRIMARY],
};

const plain = (text: string) => ({ type: "plain_text", text, emoji: false });

describe("messageFor slack", () => {
  test("messageFor: header, files and context as the seed shows them, one line as fallback", () => {
    expect(messageFor(EVENT, { kind: "slack", channel: "#team" })).toEqual({
      text: "user@machine pushed 1 file in myproject: CLAUDE.md",
      blocks: [
        { type: "section", text: plain("🔼 user@machine pushed 1 file in myproject") },
        { type: "section", text: plain("Files changed:\n• CLAUDE.md") },
        {
          type: "context",
          elements: [plain("📸 Snapshot: 2026-05-05T10-15-22Z (blobs)  ·  📚 1245 files in project")],
        },
      ],
      channel: "#team",
    });
  });

  test("messageFor: ten names and how many more; a missing snapshot is said", () => {
    const files = Array.from({ length: 13 }, (_, i) => `${i}.md`);
    const text = JSON.stringify(messageFor({ ...EVENT, files, snapshot: null }, { kind: "slack" }));
    expect(text).toContain("• 9.md\\n• … and 3 more");
    expect(text).not.toContain("10.md");
    expect(text).toContain("⚠️ No snapshot was created for this event");
    expect(JSON.stringify(messageFor({ ...EVENT, snapshot: undefined }, { kind: "slack" }))).not.toContain("napshot");
  });

  test("messageFor: a block with a line a backend, and ACTION REQUIRED where only a person can help", () => {
    const limited = { ...PRIMARY, name: "dropbox", state: "pending" as const, pending: 1, snapshots: [], sent: 0 };
    const lost = { ...limited, name: "onedrive", state: "action-required" as const, message: "signed out" };
    const backends = [PRIMARY, { ...limited, message: "rate-limited" }, { ...lost, advice: "Run claude-mirror auth." }];
    const message = messageFor({ ...EVENT, backends }, { kind: "slack" });
    expect(message).toMatchObject({
      blocks: [
        {},
        {},
        {
          text: plain(
            [
              "Per-backend status:",
              "  • 🟢 drive — pushed 1, snapshot 2026-05-05T10-15-22Z",
              "  • 🟡 dropbox — rate-limited, 1 file pending retry",
              "  • 🔴 onedrive — signed out, 1 file pending retry",
            ].join("\n"),
          ),
        },
        {},
      ],
      attachments: [
        {
          color: "danger",
          blocks: [
            { type: "header", text: plain("🔴 ACTION REQUIRED") },
            { type: "section", text: plain("onedrive: signed out\nRun claude-mirror auth.") },
          ],
        },
      ],
    });
  });

  test("messageFor: names stay what they are, and nothing in them becomes a mention or a link", () => {
    const files = ["__init__.md", "a*b~c`d.md", "<!channel> & co.md", "bidi\u202e\u0007.md", ":tada:.md"];
    const message = messageFor({ ...EVENT, files }, { kind: "slack" }) as { text: string };
    const blocks = JSON.stringify(message);
    expect(blocks).toContain("• __init__.md\\n• a*b~c`d.md\\n• <!channel> & co.md\\n• bidi.md\\n• :tada:.md");
    expect(message.text).toContain("&lt;!channel&gt; &amp; co.md");
  });
});

test("messageFor: Discord and Teams spell markup out, and Discord calls nobody", () => {
  const event = { ...EVENT, files: ["_x_.md", "@everyone.md"] };
  expect(messageFor(event, { kind: "discord" })).toMatchObject({
    embeds: [{ title: "🔼 user\\@machine pushed 2 files in myproject", timestamp: "2026-05-05T10:15:22.000001Z" }],
    allowed_mentions: { parse: [] },
  });
  expect(JSON.stringify(messageFor(event, { kind: "discord" }))).toContain("• \\\\_x\\\\_.md");
  expect(messageFor(event, { kind: "teams" })).toMatchObject({ "@type": "MessageCard", themeColor: "2B7BD0" });
});

test("messageFor: a generic webhook gets all names as they are", () => {
  const files = Array.from({ length: 30 }, (_, i) => `_${i}_.md`);
  expect(messageFor({ ...EVENT, files }, { kind: "webhook" })).toEqual({
    version: 1,
    event: "push",
    user: "user",
    machine: "machine",
    project: "myproject",
    files,
    timestamp: EVENT.timestamp,
  });
});

test.each([
  ["slack", "https://hooks.slack.com/services/T/B/x", true],
  ["slack", "https://hooks.slack.com.evil.example/services/T/B/x", false],
  ["slack", "http://hooks.slack.com/services/T/B/x", false],
  ["slack", "file:///etc/passwd", false],
  ["discord", "https://discord.com/api/webhooks/1/x", true],
  ["discord", "https://example.com/api/webhooks/1/x", false],
  ["teams", "https://contoso.webhook.office.com/webhookb2/x", true],
  ["teams", "https://webhook.office.com.example/x", false],
  ["webhook", "https://169.254.169.254/latest", true],
  ["webhook", "http://example.com/x", false],
  ["webhook", "nonsense", false],
] as const)("addressProblem: %s at %s", (kind, address, good) => {
  const problem = addressProblem(kind, address);
  expect(problem === undefined).toBe(good);
  expect(problem ?? "").not.toContain("/x");
});

interface Sent {
  readonly url: string;
  readonly body: string;
}

function post(answer: (sent: Sent) => Promise<{ status: number; text?: string }>) {
  const sent: Sent[] = [];
  const request = async ({ url, body, signal }: Parameters<HttpClient["request"]>[0]) => {
    const one = { url, body: new TextDecoder().decode(body as Uint8Array) };
    sent.push(one);
    signal?.throwIfAborted();
    const { status, text = "" } = await answer(one);
    return { status, ok: status < 300, text: async () => text } as unknown as Awaited<
      ReturnType<HttpClient["request"]>
    >;
  };
  return { sent, http: { request } };
}

function service(...routes: AnnounceService["routes"]): AnnounceService {
  return { kind: "slack", routes };
}

const ALL = { on: ["push", "pull", "sync", "delete"], paths: ["**/*"] };
const URL_A = "https://hooks.slack.com/services/T/B/secret-a";
const URL_B = "https://hooks.slack.com/services/T/B/secret-b";
const options = { matches: (pattern: string, path: string) => pathMatcher(pattern)(path as RelPath) };
const signal = new AbortController().signal;

test("announce: files at the root are told of, too (a defect of 0.5.50: they never were)", async () => {
  const { http, sent } = post(async () => ({ status: 200 }));
  expect(await announce([EVENT], [service({ url: URL_A, ...ALL })], { ...options, http, signal })).toEqual([]);
  expect(sent).toHaveLength(1);
  expect(sent[0]?.body).toContain("CLAUDE.md");
});

test("announce: each route takes its events and its files", async () => {
  const { http, sent } = post(async () => ({ status: 200 }));
  const event = { ...EVENT, files: ["CLAUDE.md", "memory/a.md"] };
  const routes = [
    { url: URL_A, on: ["push"], paths: ["memory/**"] },
    { url: URL_B, on: ["delete"], paths: ["**/*"] },
  ];
  await announce([event], [service(...routes)], { ...options, http, signal });
  expect(sent.map(({ url }) => url)).toEqual([URL_A]);
  expect(sent[0]?.body).toContain("memory/a.md");
  expect(sent[0]?.body).not.toContain("CLAUDE.md");
});

test("announce: what cannot be told is one sentence each, without the address, and the others are told", async () => {
  const { http, sent } = post(async ({ url }) => {
    if (url === URL_A) throw new HttpError(`cannot reach ${URL_A}`, { code: "ECONNREFUSED", sent: "no" } as never);
    return { status: 403, text: "invalid_token" };
  });
  const services = [service({ url: URL_A, ...ALL }, { url: URL_B, ...ALL }, { url: "http://x/secret-c", ...ALL })];
  const told = await announce([EVENT], services, { ...options, http, signal });
  expect(sent).toHaveLength(2);
  expect(told).toHaveLength(3);
  expect(told.join()).toContain("it answered 403 (invalid_token)");
  expect(told.join()).not.toContain("secret-");
});

test("announce: a stand-in takes the place of the service's host alone", async () => {
  const { http, sent } = post(async () => ({ status: 200 }));
  const standIn = () => "http://127.0.0.1:9";
  await announce([EVENT], [service({ url: URL_A, ...ALL })], { ...options, http, signal, standIn });
  expect(sent[0]?.url).toBe("http://127.0.0.1:9/services/T/B/secret-a");
});
