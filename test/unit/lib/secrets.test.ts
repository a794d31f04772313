import { afterAll, expect, test } from "bun:test";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isWorldReadable, readSecret, writeSecret } from "../../../src/lib/secrets.ts";

const dir = fs.mkdtempSync(join(tmpdir(), "lib-secrets-"));
afterAll(() => fs.rmSync(dir, { recursive: true }));

test("writeSecret: only the owner reads the file, whatever stood there before", () => {
  const file = join(dir, "sub/token.json");
  writeSecret(file, "one");
  expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  expect(fs.statSync(join(dir, "sub")).mode & 0o777).toBe(0o700);
  fs.chmodSync(file, 0o644);
  expect(isWorldReadable(file)).toBe(true);
  const handle = fs.openSync(file, "r");
  writeSecret(file, "two");
  expect(readSecret(file)).toBe("two");
  expect(isWorldReadable(file)).toBe(false);
  // Replaced, not truncated: whoever had the old one open never sees the new secret.
  expect(fs.readFileSync(handle, "utf8")).toBe("one");
  fs.closeSync(handle);
  expect(fs.readdirSync(join(dir, "sub"))).toEqual(["token.json"]);
});

test("readSecret: undefined only when there is no file", () => {
  expect(readSecret(join(dir, "none"))).toBeUndefined();
  expect(() => readSecret(dir)).toThrow();
  expect(isWorldReadable(join(dir, "none"))).toBe(false);
});
