import { dataDir, type Env } from "../lib/dirs.ts";
import { RefusedError, UsageError } from "../lib/errors.ts";
import { findProgram, isSameFile } from "../platform/find-program.ts";
import { runProgram, runShell } from "../platform/run-program.ts";
import { loginShell, type Shell, shellWord } from "../platform/shells.ts";
import type { Component, Unavailable } from "./component.ts";
import { type InstallPlaces, makeComponent, usualComponents } from "./components.ts";
import { executeStep } from "./execute.ts";
import { COMPONENTS, type ComponentName, type ComponentOutcome, type ComponentStep } from "./model.ts";
import { type PlannedStep, planStep } from "./plan.ts";
import { openRecord } from "./record.ts";

const MOST_WAIT_MS = 30_000;

export interface InstallWorld {
  readonly platform: string;
  readonly env: Env;
  /** Absolute. */
  readonly home: string;
  /** The running program's own file. */
  readonly executable: string;
  /** The text of the manual page. */
  readonly manPage: string;
}

export interface InstallRequest {
  /** Empty: what is usual. */
  readonly only: readonly ComponentName[];
  readonly uninstall: boolean;
  readonly shell: Shell | undefined;
}

/** One step that can be shown, and done once. */
export interface OpenStep {
  readonly step: ComponentStep;
  readonly todo: boolean;
  run(): Promise<ComponentOutcome>;
  /** What it comes to when it is not done. */
  leave(state: "planned" | "declined"): ComponentOutcome;
}

/**
 * What has to be done, each step planned when it is asked for: two components can share a file. Reads only until a
 * step is run.
 */
export function openInstall(world: InstallWorld, request: InstallRequest): readonly (() => OpenStep)[] {
  const places = placesOf(world, request.shell);
  const names = namesOf(request, places);
  const record = openRecord(places.folder);
  return names.map((name) => () => {
    const source = makeComponent(name, places);
    if (isUnavailable(source)) return notHere(source, request);
    const planned = planStep(source, record, request);
    const step = stepOf(planned);
    const run = (words: readonly string[]) => runProgram(words, { env: { ...world.env }, mostWaitMs: MOST_WAIT_MS });
    return {
      step,
      todo: step.action !== "none" && step.action !== "keep" && step.action !== "refuse",
      run: () => executeStep(planned, { record, run, uninstall: request.uninstall }),
      leave: (state) => ({ ...step, state: step.action === "refuse" ? "failed" : state }),
    };
  });
}

/** What `--print` shows of a component. */
export function printComponent(name: ComponentName, world: InstallWorld, shell: Shell | undefined): string {
  const source = makeComponent(name, placesOf(world, shell));
  if (isUnavailable(source)) throw new RefusedError("not-here", `cannot print the ${name}: ${source.why}`);
  return source.print;
}

/** The command line that starts the watcher's service anew; undefined where this machine has none. */
export function serviceStart(world: InstallWorld): string | undefined {
  const source = makeComponent("service", placesOf(world, undefined));
  return isUnavailable(source) ? undefined : source.commands?.start.at(-1)?.map(shellWord).join(" ");
}

/** Gives the terminal to a new shell of the person, which has read the changed start-up files. */
export function openFreshShell({ env, platform }: Pick<InstallWorld, "env" | "platform">): void {
  const program = env["SHELL"] || (platform === "win32" ? "pwsh" : "sh");
  runShell(program, { ...env });
}

/** True where {@link openFreshShell} is of use. */
export function hasLoginShell({ env, home, platform }: Omit<InstallWorld, "manPage">): boolean {
  return platform !== "win32" && loginShell({ env, home, platform }) !== undefined;
}

function namesOf({ only, uninstall }: InstallRequest, places: InstallPlaces): readonly ComponentName[] {
  if (only.length > 0) return COMPONENTS.filter((name) => only.includes(name));
  return uninstall ? [...COMPONENTS].reverse() : usualComponents(places);
}

function notHere({ name, why }: Unavailable, { uninstall }: InstallRequest): OpenStep {
  const step: ComponentStep = {
    component: name,
    file: null,
    action: "none",
    present: false,
    notes: uninstall ? [] : [why],
  };
  const outcome = { ...step, state: "unchanged" } as const;
  return { step, todo: false, run: async () => outcome, leave: () => outcome };
}

function isUnavailable(source: Component | Unavailable): source is Unavailable {
  return "why" in source;
}

function stepOf({ component, file, action, present, notes }: PlannedStep): ComponentStep {
  return { component, file, action, present, notes };
}

function placesOf({ platform, env, home, executable, manPage }: InstallWorld, shell: Shell | undefined): InstallPlaces {
  const folder = `${dataDir(env, home)}/installed`;
  return { platform, env, home, folder, shell, manPage, program: programFile(executable, env) };
}

/** The name on the PATH where that is this program: it stays when a package manager moves the file behind it. */
function programFile(executable: string, env: Env): string {
  const found = findProgram("claude-mirror", env["PATH"]);
  if (found !== undefined && isSameFile(found, executable)) return found;
  if (/(^|[/\\])claude-mirror[^/\\]*$/.test(executable)) return executable;
  if (found !== undefined) return found;
  throw new UsageError(
    "cannot tell where claude-mirror is installed: it runs from its sources and is not on the PATH",
    {
      hint: "Build it and put it on the PATH first.",
    },
  );
}
