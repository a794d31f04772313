import { randomBytes } from "node:crypto";

/** From 0 up to, not including, 1. For jitter; a test gives its own. */
export function randomFraction(): number {
  return randomBytes(6).readUIntBE(0, 6) / 2 ** 48;
}
