import type { ComponentOutcome, ComponentStep, FileAction, InstallReport } from "../../install/model.ts";
import { printable, type Style } from "../terminal.ts";

const TITLES: Readonly<Record<ComponentStep["component"], string>> = {
  path: "PATH entry",
  skill: "Claude Code skill",
  hook: "Claude Code hook",
  service: "watcher service",
  completion: "shell completion",
  man: "manual page",
};

const WORDS: Readonly<Record<FileAction, readonly [now: string, done: string]>> = {
  none: ["nothing to do", "nothing to do"],
  keep: ["leave", "left"],
  refuse: ["cannot change", "not changed"],
  create: ["write", "written"],
  change: ["change", "changed"],
  replace: ["replace", "replaced"],
  restore: ["give back as it was", "given back as it was"],
  remove: ["remove", "removed"],
};

/** The question before one step, with what the person should know. */
export function installQuestion({ component, file, action, notes }: ComponentStep): string {
  const [now] = WORDS[action];
  return [
    `${TITLES[component]}: ${now} ${printable(file ?? "")}`,
    ...notes.map((note) => `  ${printable(note)}`),
    "Go on?",
  ].join("\n");
}

/** One line a component, its notes below. */
export function installLines({ uninstall, components }: InstallReport, style: Style): readonly string[] {
  return components.flatMap((outcome) => [
    `${markOf(outcome, style)} ${TITLES[outcome.component]}: ${stateText(outcome, uninstall)}`,
    ...outcome.notes.map((note) => `    ${printable(note)}`),
  ]);
}

function stateText({ action, state, file }: ComponentOutcome, uninstall: boolean): string {
  const [now, done] = WORDS[action];
  const place = printable(file ?? "");
  if (file === null) return "not on this machine";
  if (action === "none") return uninstall ? "not installed" : `already in place, ${place}`;
  if (state === "planned") return `would ${now} ${place}`;
  if (state === "declined") return "left out";
  if (state === "failed") return `failed, ${place}`;
  return `${done}, ${place}`;
}

function markOf({ state }: ComponentOutcome, style: Style): string {
  if (state === "failed") return style.red("✗");
  if (state === "partly") return style.yellow("!");
  return state === "done" ? style.green("✓") : style.dim("-");
}
