import type { RestoreOutcome, RestorePlan } from "../../snapshots/model.ts";
import type { Style } from "../terminal.ts";

/** `restore --dry-run`: what would happen to each file. */
export function restorePlanLines(plan: RestorePlan, style: Style, extras: readonly string[] = []): string[] {
  const signs = {
    create: style.green("+ create   "),
    overwrite: style.yellow("~ overwrite"),
    same: style.dim("= same     "),
  };
  const changes = plan.items.filter((item) => item.kind !== "same").length;
  return [
    `Snapshot ${plan.timestamp} (${plan.format}) into ${plan.target}:`,
    ...plan.items.map((item) => `  ${signs[item.kind]} ${item.path}`),
    ...extras.map((path) => `  ${style.red("- to trash ")} ${path}`),
    ...plan.unmatched.map((pattern) => `  ${style.yellow(`nothing in the snapshot matches ${pattern}`)}`),
    `Dry run: ${changes} file(s) would be written${extras.length === 0 ? "" : `, ${extras.length} moved to the trash`}, nothing was changed.`,
  ];
}

/** What a restore did, failures named one by one. */
export function restoreDoneLines(
  summary: {
    readonly plan: RestorePlan;
    readonly items: readonly RestoreOutcome[];
    readonly extras?: readonly { readonly path: string; readonly status: string; readonly error?: string }[];
  },
  style: Style,
): string[] {
  const restored = summary.items.filter((item) => item.status === "restored");
  const same = summary.items.filter((item) => item.status === "same").length;
  const extras = summary.extras ?? [];
  const trashed = extras.filter((item) => item.status === "trashed");
  const failed = [...summary.items, ...extras].filter((item) => item.status === "failed");
  const unchanged = same === 0 ? "" : `, ${same} already the same`;
  return [
    ...restored.map((item) => `  ${style.green("↓")} ${item.path}`),
    ...trashed.map((item) => `  ${style.red("-")} ${item.path} (in the trash)`),
    ...failed.map((item) => `  ${style.red("x")} ${item.path}: ${item.error ?? "failed"}`),
    ...summary.plan.unmatched.map((pattern) => style.yellow(`Nothing in the snapshot matches ${pattern}`)),
    `Restored ${restored.length} file(s) from ${summary.plan.timestamp} to ${summary.plan.target}${unchanged}.`,
    ...(failed.length === 0 ? [] : [style.red(`${failed.length} file(s) could not be restored.`)]),
  ];
}
