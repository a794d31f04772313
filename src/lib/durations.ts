import { snapshotTime } from "./clock.ts";
import { UsageError } from "./errors.ts";

const HOUR_MS = 60 * 60 * 1000;
export const DAY_MS = 24 * HOUR_MS;

/** Days in one unit of a duration: a month is 30 of them, a year 365 (reference 2.10). */
const UNIT_DAYS: Readonly<Record<string, number>> = { d: 1, w: 7, m: 30, y: 365 };
const GRACE_UNITS_MS: Readonly<Record<string, number>> = { min: 60_000, h: HOUR_MS, d: DAY_MS, w: 7 * DAY_MS };

/**
 * The moment that a person names, milliseconds since 1970: `30d`, `2w`, `3m`, `1y` before `nowMs`; a date (its midnight); an
 * ISO date-time; a snapshot's name. What names no zone is UTC, so that a command means the same on every machine
 * (decision 21). Throws UsageError for anything else, a duration of 0 included.
 */
export function parseMoment(text: string, nowMs: number): number {
  const duration = /^([0-9]+)([dwmy])$/i.exec(text);
  const moment = duration
    ? nowMs - lengthOf(text, duration) * DAY_MS
    : (snapshotTime(text) ?? dateTime(text) ?? Number.NaN);
  if (!Number.isNaN(new Date(moment).getTime())) return moment;
  throw new UsageError(`cannot read "${text}" as a time: it is neither a duration nor a date`, {
    hint: "Write 30d, 2w, 3m or 1y, a date such as 2026-04-15, a time such as 2026-04-15T10:00:00Z, or a snapshot's name.",
  });
}

/** A waiting time in milliseconds: `24h`, `2d`, `1w`, `90min`, or `0`. Throws UsageError for anything else. */
export function parseGrace(text: string): number {
  if (text === "0") return 0;
  const match = /^([0-9]+)(min|h|d|w)$/i.exec(text);
  const grace = Number(match?.[1]) * (GRACE_UNITS_MS[match?.[2]?.toLowerCase() ?? ""] ?? Number.NaN);
  if (Number.isSafeInteger(grace)) return grace;
  throw new UsageError(`cannot read "${text}" as a waiting time: a number with a unit is needed`, {
    hint: "Write 24h, 2d, 1w or 90min, or 0 for none.",
  });
}

function lengthOf(text: string, [, digits = "", unit = ""]: RegExpExecArray): number {
  const days = Number(digits) * (UNIT_DAYS[unit.toLowerCase()] ?? Number.NaN);
  if (days > 0) return days;
  throw new UsageError(`cannot use the duration "${text}": it must be longer than 0`);
}

/** Undefined for what is no date or no day of the calendar. */
function dateTime(text: string): number | undefined {
  const match =
    /^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ]([0-9]{2}:[0-9]{2})(:[0-9]{2}(?:[.,][0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?)?$/i.exec(
      text,
    );
  if (!match) return undefined;
  const [, day = "", minutes = "00:00", rest = ":00", zone = "Z"] = match;
  const midnight = Date.parse(`${day}T00:00:00Z`);
  // Some runtimes read February 30 as March 2.
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== day) return undefined;
  if (Number(minutes.slice(0, 2)) > 23) return undefined;
  const seconds = rest.replace(",", ".").slice(0, 7);
  return Date.parse(`${day}T${minutes}${seconds}${zoneOf(zone)}`);
}

function zoneOf(zone: string): string {
  return zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone.toUpperCase();
}
