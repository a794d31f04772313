import type { ProfileInfo } from "../../setup/model.ts";
import { tableLines } from "../table.ts";
import { printable, type Style } from "../terminal.ts";

export function profileListLines(profiles: readonly ProfileInfo[], style: Style): readonly string[] {
  if (profiles.length === 0) return ["There are no profiles yet: claude-mirror profile create NAME makes one."];
  return tableLines({
    columns: [
      { header: "Profile", folds: true },
      { header: "Backend" },
      { header: "Projects", align: "right" },
      { header: "Description", folds: true },
    ],
    rows: profiles.map(({ name, backend, used_by, description, problem }) => [
      printable(name),
      printable(backend ?? ""),
      String(used_by.length),
      problem === undefined ? printable(description ?? "") : { text: printable(problem), paint: style.red },
    ]),
    paintHeader: style.bold,
    width: style.width,
  });
}

export function profileLines(
  { name, file, description, used_by, settings }: ProfileInfo,
  style: Style,
): readonly string[] {
  return [
    `Profile ${style.bold(printable(name))}${description === null ? "" : `: ${printable(description)}`}`,
    `  file:  ${printable(file)}`,
    ...Object.entries(settings ?? {}).map(([key, value]) => `  ${key}: ${printable(shown(value))}`),
    used_by.length === 0
      ? style.dim(`  No project names it; "profile: ${name}" in a config does.`)
      : `  used by ${used_by.map(printable).join(", ")}`,
  ];
}

function shown(value: NonNullable<ProfileInfo["settings"]>[string]): string {
  return Array.isArray(value) ? value.join(", ") : String(value);
}
