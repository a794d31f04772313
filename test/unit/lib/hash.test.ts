import { expect, test } from "bun:test";
import { type HashKind, hashBytes, hasher, portableHasher } from "../../../src/lib/hash.ts";

const KNOWN: Readonly<Record<HashKind, string>> = {
  md5: "900150983cd24fb0d6963f7d28e17f72",
  sha1: "a9993e364706816aba3e25717850c26c9cd0d89d",
  sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
};

test.each(Object.entries(KNOWN) as [HashKind, string][])(
  "hasher: %s of abc is the published value",
  async (kind, hex) => {
    expect(hashBytes(kind, "abc")).toBe(hex);
    for (const make of [hasher(kind), await portableHasher(kind)]) {
      make.update(Buffer.from("a"));
      make.update(Buffer.from(""));
      make.update(Buffer.from("bc"));
      expect(make.hex()).toBe(hex);
    }
  },
);

test.each(Object.keys(KNOWN) as HashKind[])("portableHasher: %s equals the runtime's on every length", async (kind) => {
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 37 + 11) & 255);
  for (let length = 0; length <= bytes.length; length += 7) {
    const portable = await portableHasher(kind);
    portable.update(bytes.subarray(0, length >> 1));
    portable.update(bytes.subarray(length >> 1, length));
    expect(portable.hex()).toBe(hashBytes(kind, bytes.subarray(0, length)));
  }
});

test("portableHasher: two at once do not disturb each other", async () => {
  const [a, b] = [await portableHasher("sha256"), await portableHasher("sha256")];
  a.update(Buffer.from("a"));
  b.update(Buffer.from("x"));
  a.update(Buffer.from("bc"));
  expect(a.hex()).toBe(KNOWN.sha256);
});
