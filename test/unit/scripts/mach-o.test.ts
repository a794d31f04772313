import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { signatureTrouble, signMachO } from "../../../scripts/mach-o.ts";

const CODE = 3 * 4096 + 1234;
const START = Math.ceil(CODE / 16) * 16;

/** A Mach-O file with two segments, some code, and `stale` in the place of a signature. */
function program(stale: Buffer): Buffer {
  const commands = Buffer.alloc(72 + 72 + 16);
  const segment = (at: number, name: string, [offset, size]: readonly [number, number]) => {
    commands.writeUInt32LE(0x19, at);
    commands.writeUInt32LE(72, at + 4);
    commands.write(name, at + 8, "latin1");
    commands.writeBigUInt64LE(BigInt(offset), at + 40);
    commands.writeBigUInt64LE(BigInt(size), at + 48);
  };
  segment(0, "__TEXT", [0, 8192]);
  segment(72, "__LINKEDIT", [8192, START - 8192 + stale.length]);
  for (const [at, word] of [0x1d, 16, START, stale.length].entries()) commands.writeUInt32LE(word, 144 + at * 4);
  const header = Buffer.alloc(32);
  header.writeUInt32LE(0xfeedfacf, 0);
  header.writeUInt32LE(3, 16);
  header.writeUInt32LE(commands.length, 20);
  const code = Buffer.alloc(START - 32 - commands.length, "code ");
  return Buffer.concat([header, commands, code, stale]);
}

const STALE = Buffer.alloc(64, 7);

describe("signMachO", () => {
  test("signMachO: what is signed is accepted, whatever stood in the signature's place; signing again changes nothing", () => {
    expect(signatureTrouble(program(STALE))).toBeDefined();
    const signed = signMachO(program(STALE), "name");
    expect(signatureTrouble(signed)).toBeUndefined();
    expect(signMachO(signed, "name").equals(signed)).toBe(true);
    expect(signed.subarray(200, START).equals(program(STALE).subarray(200, START))).toBe(true);
  });

  test("signMachO: the bytes are those that cs_blobs.h asks for", () => {
    const signed = signMachO(program(STALE), "name");
    const at = START + 20;
    const words = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => signed.readUInt32BE(from + index * 4));
    const length = 20 + 88 + 5 + 4 * 32;
    expect(words(START, 5)).toEqual([0xfade0cc0, length, 1, 0, 20]);
    expect(words(at, 9)).toEqual([0xfade0c02, length - 20, 0x20400, 2, 93, 88, 0, 4, START]);
    expect([...signed.subarray(at + 36, at + 40)]).toEqual([32, 2, 0, 12]);
    expect([64, 72, 80].map((from) => signed.readBigUInt64BE(at + from))).toEqual([0n, 8192n, 1n]);
    expect(signed.subarray(at + 88, at + 93).toString("latin1")).toBe("name\0");
    const last = createHash("sha256")
      .update(signed.subarray(3 * 4096, START))
      .digest();
    expect(signed.subarray(at + 93 + 3 * 32, at + 93 + 4 * 32).equals(last)).toBe(true);
    // The segment that the signature is in ends with it, and the command says how long it is.
    expect(signed.readUInt32LE(32 + 144 + 12)).toBe(signed.length - START);
    expect(signed.readBigUInt64LE(32 + 72 + 48)).toBe(BigInt(signed.length - 8192));
    expect(signed.readBigUInt64LE(32 + 72 + 32) % 0x4000n).toBe(0n);
  });

  test("signatureTrouble: a changed byte, a byte too many and a signature over less are found", () => {
    const signed = signMachO(program(STALE), "name");
    const changed = Buffer.from(signed);
    changed[9000] = (changed[9000] ?? 0) ^ 1;
    expect(signatureTrouble(changed)).toBe("page 2 is not as signed");
    expect(signatureTrouble(Buffer.concat([signed, STALE]))).toContain("the signature ends at");
    const less = Buffer.from(signed);
    less.writeUInt32BE(START - 16, START + 20 + 32);
    expect(signatureTrouble(less)).toContain("covers");
  });

  test("signMachO: what is no such program is refused", () => {
    expect(() => signMachO(Buffer.from("#!/bin/sh\n"), "x")).toThrow("no thin 64-bit Mach-O");
    const none = program(STALE);
    none.writeUInt32LE(2, 16);
    expect(() => signMachO(none, "x")).toThrow("no place for a signature");
  });
});
