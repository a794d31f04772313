import type { Repair, VerifyResult } from "../../project/model.ts";
import type { Finding, FindingKind, PhaseTally } from "../../snapshots/model.ts";
import { countText } from "../format.ts";
import { tableLines } from "../table.ts";
import { printable, type Style } from "../terminal.ts";

const PHASES: Readonly<Record<PhaseTally["name"], string>> = {
  manifests: "Snapshot manifests",
  blobs: "Stored contents",
  full: "Full snapshots",
  files: "Live files",
};
const KINDS: readonly FindingKind[] = ["corrupted", "missing", "failed", "drift", "unverified"];
/** How many names of snapshots one line holds. */
const MAX_SNAPSHOTS = 3;

/** What `verify` found, remote by remote, damage first. */
export function verifyLines(result: VerifyResult, style: Style): readonly string[] {
  const { phases, findings, repairs } = result;
  const several = new Set(phases.map(({ place }) => place)).size > 1;
  const table = tableLines({
    columns: [
      ...(several ? [{ header: "Backend" }] : []),
      { header: "Checked", folds: true as const },
      { header: "Good", align: "right" as const },
      ...KINDS.map((kind) => ({ header: titleOf(kind), align: "right" as const })),
    ],
    rows: phases.map((phase) => [
      ...(several ? [phase.place] : []),
      PHASES[phase.name],
      String(phase.verified),
      ...KINDS.map((kind) => countCell(kind, phase[kind], style)),
    ]),
    width: style.width,
    paintHeader: style.bold,
  });
  const told = KINDS.flatMap((kind) => findings.filter((finding) => finding.kind === kind));
  return [
    ...table,
    ...told.flatMap((finding) => findingLines(finding, { several, style })),
    ...(repairs === undefined ? [] : repairLines(repairs, result.dryRun, style)),
    verdict(result, style),
  ];
}

function titleOf(kind: FindingKind): string {
  return kind === "failed" ? "Not read" : `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
}

function countCell(kind: FindingKind, count: number, style: Style) {
  if (count === 0) return { text: "0", paint: style.dim };
  return { text: String(count), paint: kind === "corrupted" || kind === "missing" ? style.red : style.yellow };
}

function findingLines(finding: Finding, { several, style }: { readonly several: boolean; readonly style: Style }) {
  const paint = finding.kind === "corrupted" || finding.kind === "missing" ? style.red : style.yellow;
  const what = [...(several || finding.path === "" ? [finding.place] : []), finding.path, finding.detail];
  const told = what.filter((part) => part !== "").map(printable);
  const line = `  ${paint(finding.kind === "failed" ? "not read" : finding.kind)} ${told.join(": ")}`;
  const needed = neededText(finding);
  return needed === undefined ? [line] : [line, style.dim(`    ${needed}`)];
}

/** `a.md, b.md in 2026-… and 4 more snapshots`. */
function neededText({ files = [], snapshots = [] }: Finding): string | undefined {
  if (snapshots.length === 0) return undefined;
  const shown = snapshots.slice(-MAX_SNAPSHOTS).reverse().join(", ");
  const more = snapshots.length - MAX_SNAPSHOTS;
  const others = more > 0 ? ` and ${countText(more, "older snapshot")}` : "";
  return `${files.map(printable).join(", ")} in ${shown}${others}`;
}

function repairLines(repairs: readonly Repair[], dryRun: boolean, style: Style): readonly string[] {
  const lines = repairs.map((repair) => `  ${repairLine(repair, style)}`);
  const count = repairs.filter(({ status }) => status === "planned").length;
  return dryRun && count > 0 ? [...lines, `Dry run: nothing was repaired, ${count} can be.`] : lines;
}

function repairLine({ finding, status, from = "", error = "failed" }: Repair, style: Style): string {
  const path = printable(finding.path);
  switch (status) {
    case "planned":
      return `${style.green("would repair")} ${path} from ${printable(from)}`;
    case "repaired":
      return `${style.green("repaired")} ${path} from ${printable(from)}`;
    case "same":
      return `${style.green("right again")} ${path}`;
    case "failed":
      return `${style.red("x")} ${path}: ${printable(error)}`;
    case "none":
      return `${style.red("cannot repair")} ${path}: nothing that can be reached holds the right bytes`;
  }
}

function verdict({ findings, repairs, left }: VerifyResult, style: Style): string {
  const advice = repairs === undefined ? " claude-mirror verify --repair puts back what still exists somewhere." : "";
  if (left.length > 0) return style.red(`${countText(countOf(left), "thing")} damaged or missing.${advice}`);
  const isRepaired = repairs !== undefined && repairs.length > 0;
  const unread = findings.filter(({ kind }) => kind === "failed").length;
  if (unread > 0) {
    const known = isRepaired ? "All damage that was found is repaired" : "No damage found";
    return style.yellow(`${known}, but ${countText(unread, "thing")} could not be read.`);
  }
  if (isRepaired) return style.green("All damage is repaired.");
  return style.green("No damage found.");
}

function countOf(findings: readonly Finding[]): number {
  return findings.reduce((sum, { count = 1 }) => sum + count, 0);
}
