import type * as zlib from "node:zlib";

interface Hashing {
  readonly Bun?: { readonly hash?: { readonly crc32?: (bytes: Uint8Array, seed?: number) => number } };
}

/**
 * CRC-32 as in zlib, going on from that of the bytes before. Loading `node:zlib` takes longer than most commands have
 * for it, so Bun's own is asked first.
 */
export function crc32(bytes: Uint8Array, before = 0): number {
  const own = (globalThis as Hashing).Bun?.hash?.crc32;
  return own ? own(bytes, before) : portableCrc32(bytes, before);
}

/** The same from the runtime's zlib, for where there is no Bun. */
export function portableCrc32(bytes: Uint8Array, before = 0): number {
  const { crc32: ofZlib }: typeof zlib = process.getBuiltinModule("node:zlib");
  return ofZlib(bytes, before);
}
