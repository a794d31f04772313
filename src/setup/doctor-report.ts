import type { Check } from "../project/model.ts";

/** The findings of one look, collected while it goes on. */
export interface Report {
  readonly checks: readonly Check[];
  ok(name: string, detail: string): undefined;
  /** All right, and there is something that could be done. */
  info(name: string, detail: string, advice: string): undefined;
  warn(name: string, detail: string, advice?: string): undefined;
  fail(name: string, detail: string, advice?: string): undefined;
  /** Runs one check; what it throws is its finding, and the others go on. An interruption ends them all. */
  attempt<T>(name: string, run: () => T | Promise<T>): Promise<T | undefined>;
}

/** Opens an empty one. */
export function openReport(signal: AbortSignal): Report {
  const checks: Check[] = [];
  const add = (state: Check["state"], name: string, detail: string, advice?: string): undefined => {
    checks.push(advice === undefined ? { name, state, detail } : { name, state, detail, advice });
  };
  return {
    checks,
    ok: (name, detail) => add("ok", name, detail),
    info: (name, detail, advice) => add("ok", name, detail, advice),
    warn: (name, detail, advice) => add("warning", name, detail, advice),
    fail: (name, detail, advice) => add("failed", name, detail, advice),
    async attempt(name, run) {
      try {
        return await run();
      } catch (error) {
        signal.throwIfAborted();
        const { hint } = (error ?? {}) as { readonly hint?: unknown };
        const advice = typeof hint === "string" ? hint : undefined;
        add("failed", name, error instanceof Error ? error.message : String(error), advice);
        return undefined;
      }
    },
  };
}
