import { pythonIso } from "../lib/clock.ts";
import { secondsText } from "../lib/lock.ts";
import type { LocalHealth, MirrorBacklog, Waiting } from "./health.ts";
import type { HealthCheck } from "./model.ts";

/** From when on what waits is a warning, and a failure; milliseconds. */
export interface Patience {
  readonly warnMs: number;
  readonly failMs: number;
}

/** One line of `health`, nobody asked and nothing advised unless said. */
export function healthCheck(
  name: string,
  status: HealthCheck["status"],
  detail: string,
  more: { readonly advice?: string | undefined; readonly latencyMs?: number } = {},
): HealthCheck {
  return { name, status, detail, advice: more.advice ?? null, latency_ms: more.latencyMs ?? null };
}

/** The worst of all. */
export function overallOf(checks: readonly HealthCheck[]): HealthCheck["status"] {
  return (["fail", "warn"] as const).find((status) => checks.some((check) => check.status === status)) ?? "ok";
}

export interface Facts extends LocalHealth {
  /** Undefined where the remote was not asked, or did not answer. */
  readonly there: Waiting | undefined;
  /** Milliseconds since 1970. */
  readonly nowMs: number;
}

/** What the project's files and this machine's records say. */
export function localChecks(facts: Facts, patience: Patience): readonly HealthCheck[] {
  return [lastSync(facts, patience), conflicts(facts), inbox(facts)];
}

function lastSync(facts: Facts, { warnMs, failMs }: Patience): HealthCheck {
  const name = "last_sync";
  const { isKnown, problem, here, there, nowMs, agreedMs, inSync } = facts;
  if (problem !== undefined) return healthCheck(name, "fail", problem, { advice: "Run claude-mirror doctor." });
  if (!isKnown) {
    const advice = "Run claude-mirror push, pull or sync.";
    return healthCheck(name, "warn", "nothing was synced here yet", { advice });
  }
  const waits = [here, there].flatMap((side) =>
    side !== undefined && side.sinceMs !== undefined ? [side.sinceMs] : [],
  );
  const waitedMs = waits.length === 0 ? 0 : nowMs - Math.min(...waits);
  const status = waitedMs > failMs ? "fail" : waitedMs > warnMs ? "warn" : "ok";
  const when = agreedMs === undefined ? "" : `; last change agreed ${timeText(agreedMs)}`;
  const told = [waitText(here, "here"), there === undefined ? "" : waitText(there, "there")].filter(
    (text) => text !== "",
  );
  const detail = told.length === 0 ? `${inSync} file(s) in sync${when}` : `${told.join(", ")}${when}`;
  return healthCheck(name, status, detail, { advice: status === "ok" ? undefined : "Run claude-mirror sync." });
}

function waitText({ files, sinceMs }: Waiting, where: string): string {
  if (files === 0) return "";
  return `${files} file(s) changed ${where} wait${sinceMs === undefined ? "" : ` since ${timeText(sinceMs)}`}`;
}

function timeText(ms: number): string {
  return secondsText(pythonIso(ms));
}

function conflicts({ conflicts: count }: Facts): HealthCheck {
  if (count === 0) return healthCheck("conflicts", "ok", "none");
  return healthCheck("conflicts", "warn", `${count} left`, { advice: "Run claude-mirror conflict list." });
}

/** What waits there is for the next conversation: that is how it should be. */
function inbox({ unread, unreadable }: Facts): HealthCheck {
  if (unreadable === 0) return healthCheck("inbox", "ok", unread === 0 ? "empty" : `${unread} unread notice(s)`);
  const detail = `${unreadable} line(s) are no notice`;
  return healthCheck("inbox", "warn", detail, { advice: "Run claude-mirror inbox: it sets them aside." });
}

/** What each mirror lacks. */
export function mirrorChecks(backlogs: readonly MirrorBacklog[]): readonly HealthCheck[] {
  return backlogs.map(({ backend, pending, failed, unsent, snapshots, error, problem }) => {
    const name = `mirror:${backend}`;
    if (problem !== undefined) return healthCheck(name, "fail", problem, { advice: "Run claude-mirror doctor." });
    const parts = [
      failed > 0 ? `${failed} file(s) failed` : "",
      pending > 0 ? `${pending} file(s) wait` : "",
      unsent > 0 ? `${unsent} file(s) were never sent` : "",
      snapshots > 0 ? `${snapshots} snapshot(s) wait` : "",
    ].filter((text) => text !== "");
    if (parts.length === 0) return healthCheck(name, "ok", "has everything");
    const why = error === undefined ? "" : `: ${error}`;
    const toRetry = failed + pending + snapshots > 0;
    const advice = `Run claude-mirror ${toRetry ? "retry" : "seed-mirror"} --backend ${backend}.`;
    return healthCheck(name, "warn", `${parts.join(", ")}${why}`, { advice });
  });
}
