import type { MigrateOptions } from "../snapshots/migrate-run.ts";
import type { MigrationOutcome, MigrationPlan, SnapshotFormat, VerifyEvent } from "../snapshots/model.ts";
import { withLocalCopy } from "./content.ts";
import { withProjectLock } from "./lock.ts";
import type { Parts } from "./parts.ts";

/** What it takes to give all snapshots of the primary one format. */
export async function planMigrating(parts: Parts, to: SnapshotFormat): Promise<MigrationPlan> {
  return (await parts.snapshots()).planMigration(to, { signal: parts.deps.signal });
}

/** Carries the plan out, holding the project's lock. */
export async function migrateSnapshots(
  parts: Parts,
  plan: MigrationPlan,
  { keepSource }: { readonly keepSource: boolean },
): Promise<readonly MigrationOutcome[]> {
  const snapshots = await parts.snapshots();
  const { signal } = parts.deps;
  const onEvent = (event: VerifyEvent): void => parts.deps.onEvent(event);
  const withCopy: MigrateOptions["withLocalCopy"] = (path, body, use) => withLocalCopy(parts, path, body, use);
  return withProjectLock(parts, "migrate-snapshots", () =>
    snapshots.migrate(plan, { keepSource, signal, onEvent, withLocalCopy: withCopy }),
  );
}
