import type { ForgetOutcome, ForgetPlan, ForgetSelector, GcPlan, GcReport, PrunePolicy } from "../snapshots/model.ts";
import { planForget, planPrune } from "../snapshots/retention.ts";
import { withProjectLock } from "./lock.ts";
import { partsAt } from "./mirrors/fallback.ts";
import { mirrorsSnapshots } from "./mirrors/snapshots.ts";
import type { RunResult } from "./model.ts";
import type { Parts } from "./parts.ts";
import { allPlaces } from "./place.ts";
import type { PruneRequest } from "./service.ts";

/** What `forget` would delete. */
export async function planForgetting(parts: Parts, selector: ForgetSelector): Promise<ForgetPlan> {
  const { clock, signal } = parts.deps;
  const snapshots = await parts.snapshots();
  return snapshots.planForget((all) => planForget(all, selector, clock.now()), { signal });
}

/** What `prune` would delete by these rules, or by those of the config. Throws UsageError when there is none. */
export async function planPruning(parts: Parts, request: PruneRequest): Promise<ForgetPlan> {
  const policy = { ...(request.rules ?? configured(parts)), includeTagged: request.includeTagged };
  // Before any request: rules that are missing are told at once.
  planPrune([], policy);
  const { signal } = parts.deps;
  return (await parts.snapshots()).planForget((all) => planPrune(all, policy), { signal });
}

/** Deletes snapshots, holding the project's lock. */
export async function forgetSnapshots(parts: Parts, plan: ForgetPlan): Promise<readonly ForgetOutcome[]> {
  const snapshots = await parts.snapshots();
  return withProjectLock(parts, "forget", () => snapshots.forget(plan, { signal: parts.deps.signal }));
}

/** What `gc` would delete. */
export async function planCollection(parts: Parts, graceMs: number): Promise<GcPlan> {
  const { config, signal } = parts.deps;
  const madeBy = `${config.user}@${config.machineName}`;
  return (await parts.snapshots()).planGc({ graceMs, madeBy, signal });
}

/** Deletes blobs that no snapshot names, holding the project's lock. */
export async function collectGarbage(parts: Parts, plan: GcPlan): Promise<GcReport> {
  const snapshots = await parts.snapshots();
  return withProjectLock(parts, "gc", () => snapshots.gc(plan, { signal: parts.deps.signal }));
}

/**
 * With `auto_prune: true`, prunes by the rules of the config after a run that made a snapshot (decision 22). The run's
 * result stands whatever comes of it; what was done or failed is one more notice.
 */
export async function pruneAfter(parts: Parts, running: Promise<RunResult>): Promise<RunResult> {
  const result = await running;
  if (parts.deps.config.autoPrune !== true || result.dryRun || result.interrupted || result.snapshot === null) {
    return result;
  }
  return { ...result, notices: [...result.notices, ...(await autoPrune(parts))] };
}

/** On the primary and on every mirror that gets the snapshots, each for itself. */
async function autoPrune(parts: Parts): Promise<readonly string[]> {
  const [primary, ...mirrors] = allPlaces(parts);
  const pruned = mirrorsSnapshots(parts.deps.config) ? [primary, ...mirrors] : [primary];
  const told: string[] = [];
  for (const place of pruned) {
    const where = place === primary ? "" : ` on ${place.name}`;
    told.push(...(await autoPruneOn(partsAt(parts, place), where)));
  }
  return told;
}

async function autoPruneOn(parts: Parts, where: string): Promise<readonly string[]> {
  try {
    const outcomes = await forgetSnapshots(parts, await planPruning(parts, { includeTagged: false }));
    const forgotten = outcomes.filter(({ status }) => status === "forgotten").length;
    const failed = outcomes.filter(({ status }) => status === "failed");
    return [
      ...(forgotten === 0
        ? []
        : [`auto_prune: ${forgotten} old snapshot(s) deleted${where}; claude-mirror gc frees their space.`]),
      ...failed.map(
        ({ timestamp, error }) => `auto_prune: snapshot ${timestamp} could not be deleted${where}: ${error}`,
      ),
    ];
  } catch (error) {
    parts.deps.signal.throwIfAborted();
    return [`auto_prune: no snapshot was deleted${where}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

function configured({ deps: { config } }: Parts): PrunePolicy {
  const { keepLast = 0, keepDaily = 0, keepWeekly = 0, keepMonthly = 0, keepYearly = 0 } = config;
  return { keepLast, keepDaily, keepWeekly, keepMonthly, keepYearly };
}
