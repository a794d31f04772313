import { describe, expect, test } from "bun:test";
import { parseGrace, parseMoment } from "../../../src/lib/durations.ts";
import { UsageError } from "../../../src/lib/errors.ts";

const NOW = Date.UTC(2026, 10, 20, 12);
const DAY = 86_400_000;
const iso = (text: string) => new Date(parseMoment(text, NOW)).toISOString();

describe("parseMoment", () => {
  test.each([
    ["1d", 1],
    ["30D", 30],
    ["2w", 14],
    ["3m", 90],
    ["1y", 365],
    ["007d", 7],
    ["2Y", 730],
  ])("parseMoment: %s is %i days ago", (text, days) => {
    expect(parseMoment(text, NOW)).toBe(NOW - days * DAY);
  });

  test.each([
    ["2026-04-15", "2026-04-15T00:00:00.000Z"],
    ["2026-04-15T10:00:00Z", "2026-04-15T10:00:00.000Z"],
    ["2026-04-15T10:00:00z", "2026-04-15T10:00:00.000Z"],
    ["2026-04-15 10:00", "2026-04-15T10:00:00.000Z"],
    ["2026-04-15T10:00:00", "2026-04-15T10:00:00.000Z"],
    ["2026-04-15T10:00:00.5", "2026-04-15T10:00:00.500Z"],
    ["2026-11-20T17:08:28.677552+00:00", "2026-11-20T17:08:28.677Z"],
    ["2026-04-15T10:00:00+02:00", "2026-04-15T08:00:00.000Z"],
    ["2026-04-15T10:00:00-0130", "2026-04-15T11:30:00.000Z"],
    ["2026-04-07T15-22-50Z", "2026-04-07T15:22:50.000Z"],
    ["2024-02-29", "2024-02-29T00:00:00.000Z"],
  ])("parseMoment: %s is %s on every machine", (text, expected) => {
    expect(iso(text)).toBe(expected);
  });

  test.each([
    ["0d"],
    ["0"],
    ["00w"],
    [""],
    ["d"],
    ["-1d"],
    ["+1d"],
    ["1.5d"],
    ["1 d"],
    ["1h"],
    ["٣d"],
    ["soon"],
    ["2026-02-30"],
    ["2026-13-01"],
    ["2026-04-15T25:00:00Z"],
    ["2026-04-15T24:00:00Z"],
    ["2026-04-15T10"],
    ["20260415"],
    ["2026-04-15T10-00-61Z"],
    ["99999999999999d"],
  ])("parseMoment: %p is refused", (text) => {
    expect(() => parseMoment(text, NOW)).toThrow(UsageError);
  });
});

describe("parseGrace", () => {
  test.each([
    ["24h", DAY],
    ["0", 0],
    ["0h", 0],
    ["2d", 2 * DAY],
    ["1W", 7 * DAY],
    ["90min", 90 * 60_000],
  ])("parseGrace: %s is %i ms", (text, ms) => {
    expect(parseGrace(text)).toBe(ms);
  });

  // A month elsewhere, a minute to many: neither is guessed.
  test.each([[""], ["24"], ["1m"], ["-1h"], ["h"], ["1.5h"], ["99999999999999999w"]])(
    "parseGrace: %p is refused",
    (text) => {
      expect(() => parseGrace(text)).toThrow(UsageError);
    },
  );
});
