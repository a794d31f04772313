import { describe, expect, test } from "bun:test";
import { crc32, portableCrc32 } from "../../../src/lib/crc32.ts";

describe("crc32", () => {
  test("crc32: gives the check value of the standard, also when the bytes come in parts", () => {
    const bytes = Buffer.from("123456789");
    for (const sum of [crc32, portableCrc32]) {
      expect(sum(bytes)).toBe(0xcbf43926);
      expect(sum(bytes.subarray(4), sum(bytes.subarray(0, 4)))).toBe(0xcbf43926);
      expect(sum(bytes.subarray(0, 0))).toBe(0);
    }
  });
});
