import { expect, test } from "bun:test";
import { parseHttpDate, parseRetryAfter } from "../../../src/lib/http.ts";

const NOW = Date.UTC(2026, 10, 20, 12, 0, 0);

test("parseRetryAfter: seconds", () => {
  expect(parseRetryAfter("120", NOW)).toBe(120_000);
  expect(parseRetryAfter(" 0 ", NOW)).toBe(0);
  expect(parseRetryAfter("1.5", NOW)).toBe(1500);
});

test("parseRetryAfter: an HTTP date is measured against now, never below 0", () => {
  expect(parseRetryAfter("Fri, 20 Nov 2026 12:00:30 GMT", NOW)).toBe(30_000);
  expect(parseRetryAfter("Fri, 20 Nov 2026 11:00:00 GMT", NOW)).toBe(0);
});

test("parseRetryAfter: anything else is no answer", () => {
  for (const text of [null, undefined, "", "-5", "soon", "12 s", "Fri, 31 Feb 2026 12:00:30 GMT", "NaN", "0x10"]) {
    expect(parseRetryAfter(text, NOW)).toBeUndefined();
  }
});

test("parseHttpDate: all three forms of RFC 9110 name the same instant", () => {
  const instant = Date.UTC(1994, 10, 6, 8, 49, 37);
  expect(parseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT", NOW)).toBe(instant);
  expect(parseHttpDate("Sunday, 06-Nov-94 08:49:37 GMT", NOW)).toBe(instant);
  expect(parseHttpDate("Sun Nov  6 08:49:37 1994", NOW)).toBe(instant);
});
