import type { ForgetOutcome, ForgetPlan, GcPlan, GcReport, UnusedBlob } from "../../snapshots/model.ts";
import { bytesText, countText } from "../format.ts";
import { tableLines } from "../table.ts";
import { printable, type Style } from "../terminal.ts";

/** What `forget` or `prune` would delete, and what they leave alone although a rule does not keep it. */
export function forgetPlanLines(plan: ForgetPlan, style: Style): readonly string[] {
  const { remove, keep, tagged, unreadable, unfinished } = plan;
  const left = unreadable.map(({ timestamp, problem }) =>
    style.yellow(`${timestamp} is left alone: ${printable(problem ?? "it cannot be read")}`),
  );
  const protectedText = `${countText(tagged.length, "tagged snapshot")} stay${tagged.length === 1 ? "s" : ""} whatever the rules say.`;
  const notes = [...(tagged.length === 0 ? [] : [protectedText]), ...left];
  if (remove.length === 0) return [`No snapshot matches: all ${keep.length} stay.`, ...notes];
  const begun = new Set(unfinished);
  const table = tableLines({
    columns: [
      { header: "Snapshot" },
      { header: "Format" },
      { header: "Files", align: "right" },
      { header: "Action" },
      { header: "Tag", folds: true },
      { header: "By", folds: true },
    ],
    rows: remove.map((info) => [
      { text: info.timestamp, paint: style.cyan },
      info.format,
      info.problem === undefined ? String(info.totalFiles) : "?",
      info.action,
      printable(info.tag ?? ""),
      begun.has(info.timestamp)
        ? { text: "its deletion was interrupted", paint: style.yellow }
        : printable(info.problem ?? info.triggeredBy),
    ]),
    width: style.width,
    paintHeader: style.bold,
  });
  return [...table, `${countText(remove.length, "snapshot")} to delete, ${keep.length} to keep.`, ...notes];
}

/** What became of each snapshot that was to be deleted. */
export function forgetDoneLines(outcomes: readonly ForgetOutcome[], style: Style): readonly string[] {
  const deleted = outcomes.filter(({ status }) => status === "forgotten");
  const gone = outcomes.filter(({ status }) => status === "gone").length;
  const failed = outcomes.filter(({ status }) => status === "failed");
  const others = gone === 0 ? "" : ` ${countText(gone, "other")} had gone already.`;
  return [
    ...failed.map(({ timestamp, error }) => `  ${style.red("x")} ${timestamp}: ${printable(error ?? "failed")}`),
    `Deleted ${countText(deleted.length, "snapshot")}.${others}`,
    ...(failed.length === 0 ? [] : [style.red(`${countText(failed.length, "snapshot")} could not be deleted.`)]),
    ...(deleted.some(({ format }) => format === "blobs")
      ? ["Run claude-mirror gc --delete to free the space of contents that no snapshot needs any more."]
      : []),
  ];
}

/** What `gc` found. */
export function gcPlanLines(plan: GcPlan, style: Style): readonly string[] {
  const { candidates, held, blobs, manifests } = plan;
  const nothing = held.length === 0 ? "No blob is unused." : "No unused blob is old enough to be deleted.";
  const found =
    candidates.length === 0
      ? nothing
      : style.yellow(`${countText(candidates.length, "unused blob")} to delete (${sizeText(candidates)}).`);
  return [
    `${countText(manifests, "snapshot")} and ${countText(blobs, "blob")} looked at.`,
    found,
    ...heldLines(plan, held),
  ];
}

/** What `gc` deleted. */
export function gcDoneLines(report: GcReport, style: Style): readonly string[] {
  const { deleted, spared, failed } = report;
  return [
    ...failed.map(({ sha256, error }) => `  ${style.red("x")} ${sha256.slice(0, 12)}: ${printable(error)}`),
    `Deleted ${countText(deleted.length, "blob")} (${sizeText(deleted)}).`,
    ...(spared.length === 0 ? [] : [`${countText(spared.length, "blob")} came to be used meanwhile and stayed.`]),
    ...(failed.length === 0 ? [] : [style.red(`${countText(failed.length, "blob")} could not be deleted.`)]),
  ];
}

function heldLines({ graceMs, heldUntilMs }: GcPlan, held: readonly UnusedBlob[]): readonly string[] {
  if (held.length === 0) return [];
  const what = `${countText(held.length, "unused blob")} (${sizeText(held)})`;
  if (heldUntilMs === null) return [`${what} held: the remote does not tell how old each is.`];
  const until = new Date(heldUntilMs).toISOString().slice(0, 16).replace("T", " ");
  const hours = graceMs / 3_600_000;
  const grace = hours >= 1 ? `${Math.round(hours * 10) / 10} h` : `${Math.round(graceMs / 60_000)} min`;
  return [`${what} held for being younger than ${grace}, the last until ${until} UTC.`];
}

function sizeText(blobs: readonly UnusedBlob[]): string {
  return bytesText(blobs.reduce((sum, { size }) => sum + size, 0));
}
