declare const VERSION: string | undefined;

/** What we call ourselves towards servers. */
export const USER_AGENT = `claude-mirror/${typeof VERSION === "undefined" ? "dev" : VERSION}`;

/**
 * Milliseconds that a `Retry-After` header asks for, in both forms of RFC 9110 10.2.3: seconds, or an HTTP date, which
 * is measured against `nowMs` and gives 0 when it has passed. Undefined for anything else. Not capped: that is the
 * caller's rule.
 */
export function parseRetryAfter(header: string | null | undefined, nowMs: number): number | undefined {
  const text = header?.trim();
  if (!text) return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const at = parseHttpDate(text, nowMs);
  return at === undefined ? undefined : Math.max(0, at - nowMs);
}

/**
 * Milliseconds since 1970 of an HTTP date (RFC 9110 5.6.7): IMF-fixdate, RFC 850 and asctime forms; undefined for other
 * text. `nowMs` settles the century of a two-digit year.
 */
export function parseHttpDate(text: string, nowMs: number): number | undefined {
  const fixed = /^[A-Za-z]{3}, (\d{2}) ([A-Za-z]{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/.exec(text);
  if (fixed) return utc(fixed[3], fixed[2], fixed[1], [fixed[4], fixed[5], fixed[6]]);
  const rfc850 = /^[A-Za-z]+, (\d{2})-([A-Za-z]{3})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/.exec(text);
  if (rfc850) {
    const year = fullYear(Number(rfc850[3]), new Date(nowMs).getUTCFullYear());
    return utc(String(year), rfc850[2], rfc850[1], [rfc850[4], rfc850[5], rfc850[6]]);
  }
  const asctime = /^[A-Za-z]{3} ([A-Za-z]{3}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/.exec(text);
  if (asctime) return utc(asctime[6], asctime[1], asctime[2], [asctime[3], asctime[4], asctime[5]]);
  return undefined;
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

function utc(
  year: string | undefined,
  monthName: string | undefined,
  day: string | undefined,
  time: readonly (string | undefined)[],
): number | undefined {
  const month = MONTHS.indexOf((monthName ?? "").toLowerCase());
  const at = Date.UTC(Number(year), month, Number(day), Number(time[0]), Number(time[1]), Number(time[2]));
  const real = new Date(at);
  const same = real.getUTCMonth() === month && real.getUTCDate() === Number(day);
  return same ? at : undefined;
}

/** A two-digit year that seems more than 50 years ahead is in the past (RFC 9110 5.6.7). */
function fullYear(twoDigits: number, thisYear: number): number {
  const guess = thisYear - (thisYear % 100) + twoDigits;
  return guess > thisYear + 50 ? guess - 100 : guess;
}
