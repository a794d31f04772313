import type { InitResult } from "../../setup/model.ts";
import { printable, type Style } from "../terminal.ts";

/** What `init` set up or changed, and the next step. Hints and the offer for `.gitignore` are told apart. */
export function initLines(result: InitResult, style: Style): string[] {
  const { created, changed, dryRun, next } = result;
  const [project, settings] = [printable(result.projectPath), printable(result.configFile)];
  const nextStep = next === null ? [] : [`Next: ${style.bold(printable(next))}`];
  if (!created && changed.length === 0 && result.passwordFile === null) {
    return [`Nothing to change: ${project} is set up in ${settings}`, ...nextStep];
  }
  const verb = created ? (dryRun ? "Would set up" : "Set up") : dryRun ? "Would change" : "Changed";
  return [
    `${style.green(verb)} ${project}`,
    ...rows(result).map(([label, value]) => `  ${style.bold(`${label}:`.padEnd(10))} ${printable(value)}`),
    ...(dryRun ? ["Dry run: nothing was changed."] : nextStep),
  ];
}

function rows(result: InitResult): readonly (readonly [string, string])[] {
  const { created, changed, remote, remoteCreated, passwordFile } = result;
  const all: [string, string][] = [
    ["Settings", result.configFile],
    ["Backend", result.backend],
    ["Mirror", `${remote ?? "not in this version"}${remoteCreated ? " (created)" : ""}`],
    ["Patterns", result.filePatterns.join(", ")],
    ["Excluded", result.excludePatterns.join(", ") || "none"],
  ];
  if (passwordFile !== null) all.push(["Password", `in ${passwordFile} (only you can read it)`]);
  if (!created) all.push(["Changed", changed.join(", ") || "the password"]);
  return all;
}
