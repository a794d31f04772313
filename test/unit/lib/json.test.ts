import { expect, test } from "bun:test";
import { dumpPython, quoteAscii } from "../../../src/lib/json.ts";

test("quoteAscii: escapes what json.dumps escapes, in its spelling", () => {
  expect(quoteAscii('a"b\\c/d')).toBe('"a\\"b\\\\c/d"');
  expect(quoteAscii("\b\f\n\r\t\u0000\u001f\u007f")).toBe('"\\b\\f\\n\\r\\t\\u0000\\u001f\\u007f"');
  expect(quoteAscii("naïve – 😀\u2028")).toBe('"na\\u00efve \\u2013 \\ud83d\\ude00\\u2028"');
  expect(quoteAscii("\ud83d")).toBe('"\\ud83d"');
});

test("dumpPython: compact form with default separators", () => {
  expect(dumpPython({ a: [1, true, null, "x"], b: {}, c: [], d: 12345678901234567890n })).toBe(
    '{"a": [1, true, null, "x"], "b": {}, "c": [], "d": 12345678901234567890}',
  );
});

test("dumpPython: indented form, empty containers on one line", () => {
  expect(dumpPython({ a: { b: [1, 2] }, c: {}, d: [] }, { indent: 2 })).toBe(
    '{\n  "a": {\n    "b": [\n      1,\n      2\n    ]\n  },\n  "c": {},\n  "d": []\n}',
  );
});

test("dumpPython: a map keeps its order, keys that look like numbers and __proto__ included", () => {
  const map = new Map([
    ["b", 1],
    ["10", 2],
    ["9", 3],
    ["__proto__", 4],
  ]);
  expect(dumpPython(map)).toBe('{"b": 1, "10": 2, "9": 3, "__proto__": 4}');
});
