import { expect, test } from "bun:test";
import { compareVersions } from "../../../src/install/release.ts";

test("compareVersions: orders as Semantic Versioning 2.0.0, 11 does", () => {
  const rising = [
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.9",
    "1.0.10",
    "1.2.0",
    "2.0.0",
  ];
  for (const [at, one] of rising.entries()) {
    for (const [other, text] of rising.entries())
      expect([one, text, Math.sign(compareVersions(one, text))]).toEqual([one, text, Math.sign(at - other)]);
  }
  expect(compareVersions("1.0.0+a", "1.0.0+b")).toBe(0);
});
