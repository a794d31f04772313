import { randomBytes } from "node:crypto";

/** From 0 up to, not including, 1. For jitter; a test gives its own. */
export function randomFraction(): number {
  return randomBytes(6).readUIntBE(0, 6) / 2 ** 48;
}

/** 16 hex digits that nobody else has. */
export function randomId(): string {
  return randomBytes(8).toString("hex");
}
