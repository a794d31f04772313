import type { Failure } from "./exit.ts";

export interface EnvelopeOptions {
  /** For answers that come one by one: each is one line. */
  readonly oneLine?: boolean;
}

/** The envelope of every `--json` answer, one JSON text with a line end (design 10). */
export function resultEnvelope(command: string, result: unknown, options: EnvelopeOptions = {}): string {
  return `${JSON.stringify({ version: 1, command, result: result ?? null }, plain, options.oneLine ? 0 : 2)}\n`;
}

/** The envelope of a failure, for stderr. */
export function errorEnvelope(command: string, failure: Failure): string {
  const { type, message, hint } = failure;
  const error = hint === undefined ? { type, message } : { type, message, hint };
  return `${JSON.stringify({ version: 1, command, error }, null, 2)}\n`;
}

/** A failure for a person: `error: what, state found` and below it what would help. */
export function failureLines(failure: Failure): readonly string[] {
  return failure.hint === undefined ? [failure.message] : [failure.message, failure.hint];
}

/** Maps become objects, sets become lists and bigints become numbers where they fit, text where they do not. */
function plain(_key: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value);
  if (value instanceof Set) return [...value];
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return value;
}
