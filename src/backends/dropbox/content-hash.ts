import { type Hasher, hasher } from "../../lib/hash.ts";

const BLOCK = 4 * 1024 * 1024;

/**
 * Dropbox's content_hash: SHA-256 over the SHA-256s of the blocks of 4 MiB
 * (https://www.dropbox.com/developers/reference/content-hash).
 */
export function contentHasher(): Hasher {
  const whole = hasher("sha256");
  let block = hasher("sha256");
  let inBlock = 0;
  const endBlock = (): void => {
    whole.update(Buffer.from(block.hex(), "hex"));
    block = hasher("sha256");
    inBlock = 0;
  };
  return {
    update(bytes) {
      for (let at = 0; at < bytes.length; ) {
        const part = bytes.subarray(at, at + BLOCK - inBlock);
        block.update(part);
        at += part.length;
        inBlock += part.length;
        if (inBlock === BLOCK) endBlock();
      }
    },
    hex() {
      if (inBlock > 0) endBlock();
      return whole.hex();
    },
  };
}

/** The content_hash of bytes in memory. */
export function contentHash(chunks: Iterable<Uint8Array>): string {
  const hash = contentHasher();
  for (const chunk of chunks) hash.update(chunk);
  return hash.hex();
}
