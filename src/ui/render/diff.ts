import { createTwoFilesPatch } from "diff";
import type { DiffResult } from "../../project/model.ts";
import { bytesText } from "../format.ts";
import { printable, type Style } from "../terminal.ts";
import { cutWidth } from "../width.ts";

/** What `diff` shows: the changes from the remote file to the local one, or why there are none to show. */
export function diffLines(
  diff: DiffResult,
  style: Style,
  { context, width }: { readonly context: number; readonly width?: number },
): readonly string[] {
  const path = printable(diff.path);
  switch (diff.kind) {
    case "equal":
      return [`${path} is the same here and on the remote.`];
    case "one-sided":
      return [`${path} exists only ${diff.side === "local" ? "here" : "on the remote"}.`];
    case "binary":
      return [
        `${path} differs and is not text: ${bytesText(diff.localBytes)} here, ${bytesText(diff.remoteBytes)} on the remote.`,
      ];
    case "text":
      return patchLines(unifiedDiff(diff, context), style, width);
  }
}

/** The lines of a unified diff, painted; longer ones are cut where there is a width. */
export function patchLines(patch: string, style: Style, width: number | undefined): readonly string[] {
  const lines = patch.replace(/\n$/, "").split("\n");
  return lines.map((line, at) => paintLine(line, { isHead: at < 2, style, width }));
}

/** The unified diff (as `diff -u` writes it) from the remote text to the local one, `context` unchanged lines around a change. */
export function unifiedDiff(diff: Extract<DiffResult, { readonly kind: "text" }>, context: number): string {
  const names = [`remote/${printable(diff.path)}`, `local/${printable(diff.path)}`] as const;
  return patchOf(names, [diff.remote, diff.local], context);
}

/** A unified diff of two texts under two names. */
export function patchOf(names: readonly [string, string], texts: readonly [string, string], context: number): string {
  const patch = createTwoFilesPatch(...names, ...texts, undefined, undefined, { context });
  return patch.replace(/^={3,}\n/, "");
}

interface PaintOptions {
  readonly isHead: boolean;
  readonly style: Style;
  /** Longer lines are cut; none is when left out. */
  readonly width: number | undefined;
}

function paintLine(line: string, { isHead, style, width }: PaintOptions): string {
  const whole = printable(line.replaceAll("\t", "    "));
  const safe = width === undefined ? whole : cutWidth(whole, width);
  if (isHead) return style.bold(safe);
  if (line.startsWith("@@")) return style.cyan(safe);
  if (line.startsWith("+")) return style.green(safe);
  return line.startsWith("-") ? style.red(safe) : safe;
}
