import type { Rev } from "../types.ts";

/**
 * An ETag in its one canonical form: without quotes and weakness mark (RFC 9110 section 8.8.3). Apache calls a fresh
 * ETag weak for a second, with the same value as afterwards.
 */
export function canonicalEtag(etag: string): string {
  const text = etag.trim().replace(/^W\//i, "");
  return text.replace(/^"/, "").replace(/"$/, "");
}

/**
 * A version for servers whose listings carry no ETag: seconds and size, spelled as nginx spells the ETag that its
 * HEAD answers with.
 */
export function timedRev(modifiedMs: number, size: number): Rev {
  return `${Math.floor(modifiedMs / 1000).toString(16)}-${size.toString(16)}` as Rev;
}

export function etagRev(etag: string): Rev {
  return canonicalEtag(etag) as Rev;
}

/**
 * Whether the content could still change under this version. A version made of seconds and size can until the
 * server's clock is past that second. So can one made of a file's time and size, which is why Apache marks its ETag
 * as weak for about as long: two writes within one tick of the kernel share it.
 */
export function isRacy(etag: string | undefined, modifiedMs: number | undefined, dateMs: number | undefined): boolean {
  if (etag !== undefined && !/^\s*W\//i.test(etag)) return false;
  if (modifiedMs === undefined || dateMs === undefined) return etag === undefined;
  return dateMs - modifiedMs < RACY_MS;
}

const RACY_MS = 2000;
