import { expect, test } from "bun:test";
import { retryAfter } from "../../../src/backends/webdav/errors.ts";
import { canonicalEtag, isRacy, timedRev } from "../../../src/backends/webdav/rev.ts";
import { chooseScheme, digestChallenge } from "../../../src/backends/webdav/sign-in.ts";

const BOTH =
  'Basic realm="a, b", Digest realm="r", nonce="n==", algorithm=SHA-256, Digest realm="r", nonce="m", algorithm=MD5';

test("chooseScheme: Basic on https, Digest where the password would be seen", () => {
  expect(chooseScheme(BOTH, "https:")).toBe("basic");
  expect(chooseScheme(BOTH, "http:")).toBe("digest");
  expect(chooseScheme('Digest realm="r", nonce="n"', "https:")).toBe("digest");
  expect(chooseScheme('Basic realm="r"', "http:")).toBe("basic");
});

test("chooseScheme: undefined for what we do not speak", () => {
  expect(chooseScheme(null, "https:")).toBeUndefined();
  expect(chooseScheme('Bearer realm="r"', "https:")).toBeUndefined();
  expect(chooseScheme("Negotiate", "https:")).toBeUndefined();
  expect(chooseScheme('Digest realm="r", nonce="n", algorithm=SHA-256', "https:")).toBeUndefined();
});

test("digestChallenge: the one with MD5 among several, alone", () => {
  expect(digestChallenge(BOTH)).toBe('Digest realm="r", nonce="m", algorithm=MD5');
  expect(digestChallenge('Basic realm="r"')).toBeNull();
});

test("retryAfter: seconds and dates, nothing for nonsense", () => {
  const now = Date.UTC(2026, 10, 20, 12);
  expect(retryAfter("120", now)).toBe(120_000);
  expect(retryAfter("Fri, 20 Nov 2026 12:00:30 GMT", now)).toBe(30_000);
  expect(retryAfter("Fri, 20 Nov 2026 11:00:00 GMT", now)).toBe(0);
  for (const value of [null, "", "soon", "-5"]) expect(retryAfter(value, now)).toBeUndefined();
});

test("canonicalEtag: weak, quoted and bare forms are one, as the Python tool stores them too", () => {
  for (const form of ['W/"x-1"', '"x-1"', "x-1", 'W/"x-1', ' w/"x-1" ']) expect(canonicalEtag(form)).toBe("x-1");
});

test("timedRev: is what nginx calls the ETag of its HEAD", () => {
  expect(String(timedRev(1_795_204_783_999, 255))).toBe("6b00a6af-ff");
});

test("isRacy: a fresh weak ETag and a fresh second, never a strong ETag", () => {
  expect(isRacy('"x"', 1000, 1000)).toBe(false);
  expect(isRacy('W/"x"', 1000, 1500)).toBe(true);
  expect(isRacy('W/"x"', 1000, 3000)).toBe(false);
  expect(isRacy('W/"x"', undefined, 3000)).toBe(false);
  expect(isRacy(undefined, 1000, 2999)).toBe(true);
  expect(isRacy(undefined, 1000, 3000)).toBe(false);
  expect(isRacy(undefined, 1000, undefined)).toBe(true);
});
