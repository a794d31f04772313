import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Env, stateDir } from "../lib/dirs.ts";
import { faultPoint } from "../lib/fault.ts";
import { writeAtomic } from "../lib/fs.ts";
import type { ConfigValue } from "../settings/config-keys.ts";
import { realPathOfAny } from "../settings/discovery.ts";
import { editConfig, saveConfig } from "../settings/editor.ts";
import { SettingsError } from "../settings/errors.ts";
import { readText } from "../settings/load-text.ts";
import type { ProjectConfig } from "../settings/model.ts";
import type { World } from "./world.ts";

/** One file that a promotion changes. */
interface Change {
  readonly file: string;
  readonly before: string;
  readonly after: string;
}

/**
 * Swaps the roles of two configs: the mirror's takes over everything that is the primary's to say and names the others as
 * its mirrors. Both texts are noted durably first, so that a swap that was interrupted is finished by the next command;
 * `turnOver` is called in between. Throws SettingsError before anything is changed.
 */
export function swapConfigs(
  world: Pick<World, "env" | "home">,
  primary: ProjectConfig,
  mirrorFile: string,
  turnOver: () => void,
): void {
  const [oldText, newText] = [readText(primary.file), readText(mirrorFile)];
  const isPromoted = (file: string) => realPathOfAny(file) === realPathOfAny(mirrorFile);
  const mirrors = [primary.file, ...primary.mirrorConfigPaths.filter((file) => !isPromoted(file))];
  const changes: readonly Change[] = [
    {
      file: mirrorFile,
      before: newText,
      after: editConfig(newText, { ...primaryKeys(primary), mirror_config_paths: mirrors }, { file: mirrorFile }),
    },
    {
      file: primary.file,
      before: oldText,
      after: editConfig(oldText, { mirror_config_paths: [] }, { file: primary.file }),
    },
  ];
  const note = noteFile(world.env, world.home);
  mkdirSync(dirname(note), { recursive: true, mode: 0o700 });
  faultPoint("promotion-note");
  writeAtomic(note, JSON.stringify({ version: 1, changes }), { mode: 0o600 });
  turnOver();
  carryOut(note, changes);
}

/** Finishes a swap that was interrupted; files that somebody has changed since are left alone. No request, no lock. */
export function finishPromotion({ env, home }: Pick<World, "env" | "home">): void {
  const note = noteFile(env, home);
  if (!existsSync(note)) return;
  let changes: readonly Change[];
  try {
    changes = (JSON.parse(readFileSync(note, "utf8")) as { readonly changes: readonly Change[] }).changes;
  } catch {
    // Written atomically, so it is not ours, and says nothing.
    rmSync(note, { force: true });
    return;
  }
  const isUntouched = ({ file, before, after }: Change): boolean => {
    const text = textOr(file);
    return text === before || text === after;
  };
  if (changes.every(isUntouched)) carryOut(note, changes);
  else rmSync(note, { force: true });
}

function carryOut(note: string, changes: readonly Change[]): void {
  for (const { file, after } of changes) {
    faultPoint("promotion-config");
    if (textOr(file) !== after) saveConfig(file, after);
  }
  faultPoint("promotion-end");
  rmSync(note, { force: true });
}

function textOr(file: string): string | undefined {
  try {
    return readText(file);
  } catch (error) {
    if (error instanceof SettingsError) return undefined;
    throw error;
  }
}

function noteFile(env: Env, home: string): string {
  return join(stateDir(env, home), "promotion.json");
}

/** What a primary's config says for all its backends. Keys that the Python tool of 0.5.31 lacks only where they are in use. */
function primaryKeys(config: ProjectConfig): Readonly<Record<string, ConfigValue>> {
  const later: Readonly<Record<string, ConfigValue | undefined>> = {
    keep_last: config.keepLast,
    keep_daily: config.keepDaily,
    keep_weekly: config.keepWeekly,
    keep_monthly: config.keepMonthly,
    keep_yearly: config.keepYearly,
    auto_prune: config.autoPrune,
  };
  const used = Object.entries(later).filter(([, value]) => value !== undefined && value !== 0 && value !== false);
  return {
    file_patterns: config.filePatterns,
    exclude_patterns: config.excludePatterns,
    machine_name: config.machineName,
    user: config.user,
    slack_enabled: config.slackEnabled,
    slack_webhook_url: config.slackWebhookUrl,
    slack_channel: config.slackChannel,
    snapshot_format: config.snapshotFormat,
    snapshot_on: config.snapshotOn,
    retry_on_push: config.retryOnPush,
    max_retry_attempts: config.maxRetryAttempts,
    notify_failures: config.notifyFailures,
    parallel_workers: config.parallelWorkers,
    ...(Object.fromEntries(used) as Readonly<Record<string, ConfigValue>>),
  };
}
