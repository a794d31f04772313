import { expect, test } from "bun:test";
import { hashBytes } from "../../../src/lib/hash.ts";
import { hashSet } from "../../../src/snapshots/hash-set.ts";
import { seededRandom } from "../../support/random.ts";

test("hashSet: behaves as a Set of strings does", () => {
  const random = seededRandom(20261120);
  const model = new Set<string>();
  const set = hashSet();
  for (let i = 0; i < 5000; i++) {
    const hash = hashBytes("sha256", String(random.below(2000)));
    if (random.below(3) === 0) expect(set.has(hash)).toBe(model.has(hash));
    else expect(set.add(hash)).toBe(!model.has(hash) && model.add(hash).size > 0);
  }
  expect(set.size).toBe(model.size);
  expect([...set.values()]).toEqual([...model]);
});

test("hashSet: what is deleted is gone and all else stays, however many begin alike", () => {
  const random = seededRandom(20261121);
  const model = new Set<string>();
  const set = hashSet();
  const text = () => (random.below(2) === 0 ? String(random.below(60)) : `x${random.below(60)}`);
  for (let i = 0; i < 5000; i++) {
    const plain = hashBytes("sha256", text());
    const hash = random.below(2) === 0 ? plain : `0000000${random.below(4)}${plain.slice(8)}`;
    if (random.below(2) === 0) expect(set.delete(hash)).toBe(model.delete(hash));
    else expect(set.add(hash)).toBe(!model.has(hash) && model.add(hash).size > 0);
    if (i % 250 === 0) expect([...set.values()].sort()).toEqual([...model].sort());
  }
  expect(set.size).toBe(model.size);
  expect([...model].every((hash) => set.has(hash))).toBe(true);
  expect(set.packed(0).toString("hex")).toBe([...set.values()].join(""));
});

test("hashSet: digests that begin alike are told apart", () => {
  const set = hashSet();
  const hashes = Array.from({ length: 300 }, (_, i) => `ffffffff${i.toString(16).padStart(56, "0")}`);
  for (const hash of hashes) set.add(hash);
  expect(hashes.every((hash) => set.has(hash))).toBe(true);
  expect(set.has("f".repeat(64))).toBe(false);
});

test("hashSet: takes packed digests and ignores a torn end", () => {
  const set = hashSet();
  const hashes = Array.from({ length: 100 }, (_, i) => hashBytes("sha256", String(i)));
  set.addPacked(Buffer.from(`${hashes.join("")}abcdef`, "hex"));
  set.addPacked(Buffer.from(hashes[3] as string, "hex"));
  expect([...set.values()]).toEqual(hashes);
});

test("hashSet: what is no digest is not in it and cannot be added", () => {
  const set = hashSet();
  for (const text of ["", "ab", "g".repeat(64), "a".repeat(66)]) {
    expect(set.has(text)).toBe(false);
    expect(() => set.add(text)).toThrow(RangeError);
  }
});
