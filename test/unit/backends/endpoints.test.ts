import { expect, test } from "bun:test";
import { endpointOverride } from "../../../src/backends/endpoints.ts";

const of = (value: string) => endpointOverride({ CLAUDE_MIRROR_ENDPOINT_DROPBOX_API: value }, "DROPBOX", "API");

test("endpointOverride: none is set, and another backend's or role's does not count", () => {
  expect(endpointOverride({}, "DROPBOX", "API")).toBeUndefined();
  expect(of("")).toBeUndefined();
  const other = { CLAUDE_MIRROR_ENDPOINT_DROPBOX_AUTH: "https://a.example" };
  expect(endpointOverride(other, "DROPBOX", "API")).toBeUndefined();
  expect(endpointOverride(other, "ONEDRIVE", "AUTH")).toBeUndefined();
});

test.each([
  ["https://api.example", "https://api.example"],
  ["https://api.example:8443/base/", "https://api.example:8443/base"],
  ["http://127.0.0.1:4000", "http://127.0.0.1:4000"],
  ["http://localhost:4000/", "http://localhost:4000"],
  ["http://[::1]:4000", "http://[::1]:4000"],
])("endpointOverride: %s is used", (given, used) => {
  expect(of(given)).toBe(used);
});

test.each([
  "http://api.example",
  "http://127.0.0.1.evil.example",
  "ftp://127.0.0.1",
  "nonsense",
  "https://me:secret@api.example",
  "https://api.example/?x=1",
])("endpointOverride: %s is refused, and the variable named", (given) => {
  expect(() => of(given)).toThrow("CLAUDE_MIRROR_ENDPOINT_DROPBOX_API");
  expect(() => of(given)).not.toThrow("secret");
});
