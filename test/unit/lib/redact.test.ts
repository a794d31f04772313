import { expect, test } from "bun:test";
import { capText, redact, shortError } from "../../../src/lib/redact.ts";

const SECRET = "s3cr3tValue99";

const LEAKS = [
  `Authorization: Bearer ${SECRET}`,
  `authorization: Basic ${SECRET}==`,
  `Authorization: Digest username="alice", realm="x", response="${SECRET}", opaque="y"`,
  `{"Authorization":"Bearer ${SECRET}"}`,
  `Proxy-Authorization: Basic ${SECRET}`,
  `Cookie: session=${SECRET}; other=${SECRET}`,
  `the server refused Bearer ${SECRET}.`,
  `PUT https://alice:${SECRET}@host/dav/a.md failed`,
  `PUT https://alice:p@${SECRET}@host/dav/a.md failed`,
  `https://${SECRET}@host/`,
  `GET https://h/f?token=${SECRET}&x=1`,
  `GET https://h/f?a=1&X-Amz-Signature=${SECRET}`,
  `GET https://h/f?sig=${SECRET}#frag`,
  `GET https://h/f?key=${SECRET}`,
  `POST refresh_token=${SECRET}&grant_type=refresh_token`,
  `client_secret=${SECRET}`,
  `{"access_token": "${SECRET}", "expires_in": 3599}`,
  `{"username": "alice", "password": "${SECRET}"}`,
  `{"password": "a\\"${SECRET}"}`,
  `{'refresh_token': '${SECRET}'}`,
  `webdav_password: ${SECRET}`,
  `--webdav-password=${SECRET}`,
  `CLAUDE_MIRROR_WEBDAV_PASSWORD=${SECRET}`,
  `https://hooks.slack.com/services/T000/B000/${SECRET}`,
  `https://discord.com/api/webhooks/1/${SECRET}`,
  `ya29.${SECRET}`,
  `gho_${SECRET}${SECRET}`,
  `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.${SECRET}`,
  `-----BEGIN RSA PRIVATE KEY-----\n${SECRET}\n-----END RSA PRIVATE KEY-----`,
];

test.each(LEAKS)("redact: hides what signs in: %s", (text) => {
  const shown = redact(text);
  expect(shown).not.toContain(SECRET);
  expect(shown).toContain("***");
  expect(redact(shown)).toBe(shown);
});

test.each([
  'cannot write "memory/token-notes.md": the server answered 423 Locked',
  'cannot read "webdav-myproject-token.json": permission denied',
  "https://host/remote.php/dav/files/alice/a%20b.md?page=2",
  "mail bob@example.com about it",
  "2026-11-20T17:08:28.677552+00:00 push 3 files",
  'If-Match: "5f3-64a"',
  "Basic sign-in was refused",
  "Digest authentication failed, Bearer tokens are not known",
  "npm i @scope/pkg@1.2.3",
])("redact: leaves other text alone: %s", (text) => {
  expect(redact(text)).toBe(text);
});

test("redact: keeps what helps: host, path, harmless parameters", () => {
  expect(redact(`GET https://al:${SECRET}@host/dir/f?a=1&token=${SECRET}&b=2`)).toBe(
    "GET https://***@host/dir/f?a=1&token=***&b=2",
  );
});

test("redact: the home folder becomes ~, its namesakes do not", () => {
  const options = { home: "/home/al/" };
  expect(redact('cannot read "/home/al/x": gone', options)).toBe('cannot read "~/x": gone');
  expect(redact("in /home/al.", options)).toBe("in ~.");
  expect(redact("/home/alice/x /mnt/home/al/x /home/al.bak", options)).toBe(
    "/home/alice/x /mnt/home/al/x /home/al.bak",
  );
  expect(redact("/a", { home: "/" })).toBe("/a");
});

test("redact: stays fast on long hostile text", () => {
  const begin = performance.now();
  for (const unit of ["a_", "a.", "token=", "https://", '"password":"', "Bearer ", "-----BEGIN PRIVATE KEY-----"]) {
    redact(unit.repeat(20_000));
  }
  expect(performance.now() - begin).toBeLessThan(5000);
});

test("shortError: one redacted line of at most 160 units", () => {
  const text = shortError(`failed:\n  token=${SECRET}\n${"x".repeat(300)}`);
  expect(text.length).toBe(160);
  expect(text).toStartWith("failed: token=*** xxx");
  expect(text).toEndWith("x…");
});

test("capText: counts the mark in and splits no surrogate pair", () => {
  expect(capText("abc", 3)).toBe("abc");
  expect(capText("abcd", 3)).toBe("ab…");
  expect(capText("a😀bc", 3)).toBe("a…");
});
