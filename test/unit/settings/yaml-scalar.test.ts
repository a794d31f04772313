import { expect, test } from "bun:test";
import { resolvePlain } from "../../../src/settings/yaml-scalar.ts";

test.each([
  ["0", 0],
  ["-12", -12],
  ["+1_000", 1000],
  ["010", 8],
  ["0x1F", 31],
  ["0b101", 5],
  ["1:30", 90],
  ["-1:00:00", -3600],
  ["600.0", 600],
  ["1.5e+3", 1500],
  [".5", 0.5],
  ["1:30.5", 90.5],
  ["-.inf", Number.NEGATIVE_INFINITY],
])("resolvePlain: %p is the number %p", (text, value) => {
  expect(resolvePlain(text)).toEqual({ kind: "number", value });
});

test("resolvePlain: .nan is a number", () => {
  expect(resolvePlain(".nan")).toEqual({ kind: "number", value: Number.NaN });
});

test.each(["yes", "Yes", "ON", "true", "TRUE"])("resolvePlain: %p is true", (text) => {
  expect(resolvePlain(text)).toEqual({ kind: "bool", value: true });
});

test.each(["no", "Off", "OFF", "false", "False"])("resolvePlain: %p is false", (text) => {
  expect(resolvePlain(text)).toEqual({ kind: "bool", value: false });
});

test.each(["", "~", "null", "Null", "NULL"])("resolvePlain: %p is null", (text) => {
  expect(resolvePlain(text)).toEqual({ kind: "null" });
});

test.each(["2026-11-20", "2026-1-2 3:04:05", "2026-11-20T17:08:28.5Z", "2026-11-20 17:08:28 +02:00"])(
  "resolvePlain: %p is a date",
  (text) => {
    expect(resolvePlain(text)).toEqual({ kind: "date" });
  },
);

test.each(["<<", "=", "!", "&", "*"])("resolvePlain: %p is nothing that PyYAML loads", (text) => {
  expect(resolvePlain(text)).toEqual({ kind: "other" });
});

test.each([
  "y",
  "n",
  "yEs",
  "tRUE",
  "09",
  "0o17",
  "1e3",
  "1.5e3",
  "1:60",
  "nULL",
  "2026-11",
  "0x",
  "12a",
  "-",
  ".",
  "a: b",
])("resolvePlain: %p is text", (text) => {
  expect(resolvePlain(text)).toEqual({ kind: "text", value: text });
});
