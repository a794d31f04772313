import { rmSync } from "node:fs";
import { writeAtomic } from "../lib/fs.ts";
import { systemState } from "../lib/system-error.ts";
import type { ComponentOutcome } from "./model.ts";
import { digest, type PlannedStep } from "./plan.ts";
import { type FileRecord, type InstallRecord, missingFolders, readIfThere, removeEmpty } from "./record.ts";

/** Runs a program; answers undefined, or one sentence about what went wrong. */
export type RunProgram = (words: readonly string[]) => Promise<string | undefined>;

export interface ExecuteOptions {
  readonly record: InstallRecord;
  readonly run: RunProgram;
  readonly uninstall: boolean;
}

/** Does one step. Never throws: what failed is told in the outcome. */
export async function executeStep(step: PlannedStep, options: ExecuteOptions): Promise<ComponentOutcome> {
  const { component, file, action, present, notes } = step;
  const outcome = { component, file, action, present, notes };
  if (action === "refuse") return { ...outcome, state: "failed" };
  if (action === "none" || action === "keep") return { ...outcome, state: "unchanged" };
  const { commands } = step.source;
  try {
    const stopped = step.before === undefined ? [] : await runAll(commands?.stop, options.run);
    // Before an installation there may be nothing that runs.
    const told = options.uninstall ? stopped : [];
    write(step, options);
    told.push(...(await runAll(options.uninstall ? commands?.forget : commands?.start, options.run)));
    return { ...outcome, notes: [...notes, ...told], state: told.length > 0 ? "partly" : "done" };
  } catch (error) {
    return { ...outcome, notes: [...notes, systemState(error)], state: "failed" };
  }
}

async function runAll(commands: readonly (readonly string[])[] | undefined, run: RunProgram): Promise<string[]> {
  const told: string[] = [];
  for (const words of commands ?? []) {
    const problem = await run(words);
    if (problem !== undefined) told.push(`${words.join(" ")} failed: ${problem}`);
  }
  return told;
}

/** The record is durable before the file changes: a kill in between leaves a record of bytes that are not there. */
function write(step: PlannedStep, { record, uninstall }: ExecuteOptions): void {
  const { target, before, after, aside, source } = step;
  const now = readIfThere(target);
  if (now === undefined ? before !== undefined : !before?.equals(now))
    throw new Error("it has changed in the meantime: run the command again");
  if (aside !== undefined && before) writeAtomic(aside, before);
  const old = record.of(target);
  const next = uninstall ? without(step, old) : withStep(step, old, record);
  if (next && after) record.set(target, next, old ? undefined : before);
  if (after) writeAtomic(target, after, source.mode !== undefined && before === undefined ? { mode: source.mode } : {});
  else rmSync(target, { force: true });
  if (!next) {
    record.remove(target);
    if (!after) removeEmpty(old?.folders ?? []);
  }
}

function withStep(
  { source, target, before, after = Buffer.alloc(0) }: PlannedStep,
  old: FileRecord | undefined,
  record: InstallRecord,
): FileRecord {
  const components = [...new Set([...(old?.components ?? []), source.name])];
  const folders = old && old.folders.length > 0 ? old.folders : missingFolders(target);
  return { components, after: digest(after), original: originalOf(before, old, record.original(target)), folders };
}

/** What an uninstallation gives back. It is unknown once somebody else has written while something of ours was in. */
function originalOf(
  before: Buffer | undefined,
  old: FileRecord | undefined,
  kept: Buffer | undefined,
): FileRecord["original"] {
  if (before === undefined) return "absent";
  if (!old || (old.original === "kept" && kept?.equals(before))) return "kept";
  return old.after === digest(before) ? old.original : "unknown";
}

function without({ source, before, after }: PlannedStep, old: FileRecord | undefined): FileRecord | undefined {
  const components = old?.components.filter((name) => name !== source.name) ?? [];
  if (!old || !after || components.length === 0) return undefined;
  const untouched = before !== undefined && old.after === digest(before);
  return { ...old, components, after: untouched ? digest(after) : old.after };
}
