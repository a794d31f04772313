/** OneDrive's checksum, fed piece by piece. */
export interface QuickXor {
  update(bytes: Uint8Array): void;
  /** Base64, as Graph spells it. */
  base64(): string;
}

const BITS = 160;
const SHIFT = 11;

/**
 * QuickXorHash: every byte is xored into a circle of 160 bits, 11 bits further on each time, and the length into the
 * last 64. https://learn.microsoft.com/onedrive/developer/code-snippets/quickxorhash
 *
 * It finds damage and no more: what is exchanged at a distance of 160 bytes, as rows of a table are, leaves it as it
 * was. So it never speaks for the equality of two contents that nobody has read.
 */
export function quickXor(): QuickXor {
  /** Bytes that share a place in the circle are gathered first: the shift comes round after 160 bytes. */
  const sums = new Uint8Array(BITS);
  let at = 0;
  let length = 0;
  return {
    update(bytes) {
      let place = at;
      for (let i = 0; i < bytes.length; i++) {
        sums[place] = (sums[place] as number) ^ (bytes[i] as number);
        if (++place === BITS) place = 0;
      }
      at = place;
      length += bytes.length;
    },
    base64() {
      const circle = new Uint8Array(BITS / 8);
      for (let place = 0; place < BITS; place++) {
        const bit = (place * SHIFT) % BITS;
        const wide = (sums[place] as number) << (bit & 7);
        const cell = bit >> 3;
        const next = (cell + 1) % circle.length;
        circle[cell] = (circle[cell] as number) ^ (wide & 0xff);
        circle[next] = (circle[next] as number) ^ (wide >> 8);
      }
      const tail = new DataView(circle.buffer, circle.length - 8);
      tail.setBigUint64(0, tail.getBigUint64(0, true) ^ BigInt(length), true);
      return Buffer.from(circle).toString("base64");
    },
  };
}
