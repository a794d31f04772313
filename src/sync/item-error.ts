import { BackendError, LocalFileError, StaleError } from "../backends/errors.ts";
import { redact } from "../lib/redact.ts";
import { isDiskFull } from "../lib/system-error.ts";
import { StalePlanError } from "./local-file.ts";
import type { ItemError } from "./model.ts";

/** How an error that met one item is told to the user, nothing secret in it. */
export function describeItemError(error: unknown): ItemError {
  const told = classify(error);
  return { ...told, message: redact(told.message), ...(told.hint === undefined ? {} : { hint: redact(told.hint) }) };
}

function classify(error: unknown): ItemError {
  if (error instanceof StaleError || error instanceof StalePlanError) return { class: "STALE", message: error.message };
  if (error instanceof LocalFileError) return { class: isDiskFull(error) ? "QUOTA" : "LOCAL", message: error.message };
  if (error instanceof BackendError) {
    const throttled = error.pauseMs !== undefined || error.status === 429 ? ({ throttled: true } as const) : {};
    return {
      class: error.class,
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...throttled,
    };
  }
  return { class: "UNKNOWN", message: error instanceof Error ? error.message : String(error) };
}
