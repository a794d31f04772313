import type { BackendOutcome, BackendState, MirrorItem } from "../../project/model.ts";
import { countText } from "../format.ts";
import { printable, type Style } from "../terminal.ts";
import { aboutPath } from "./held.ts";

/** How each backend stands after a run, one line each, and what a person has to do. */
export function backendLines(backends: readonly BackendOutcome[], style: Style): readonly string[] {
  return [
    "Per-backend status:",
    ...backends.flatMap((one) => [statusLine(one, style), ...detailLines(one, style)]),
    ...backends.filter(({ state }) => state === "action-required").flatMap((one) => actionLines(one, style)),
  ];
}

const MARKS: Readonly<Record<BackendState, string>> = {
  ok: "🟢",
  pending: "🟡",
  warning: "🟡",
  "action-required": "🔴",
};

/** `  🟢 webdav — pushed 1, snapshot 2026-05-05T10-15-22Z` */
function statusLine(one: BackendOutcome, style: Style): string {
  const text = `  ${MARKS[one.state]} ${printable(one.name)} — ${summary(one)}`;
  return paintOf(one.state, style)(text);
}

function summary(one: BackendOutcome): string {
  const done = [
    ...(one.uploaded.length > 0 ? [`pushed ${one.uploaded.length}`] : []),
    ...(one.deleted.length > 0 ? [`deleted ${one.deleted.length}`] : []),
    ...one.snapshots.map((timestamp) => `snapshot ${timestamp}`),
  ];
  const trouble = one.message === null || one.state === "ok" ? [] : [printable(one.message)];
  const waiting = one.role === "mirror" && one.pending > 0 ? ` (${countText(one.pending, "file")} pending retry)` : "";
  const text = [...done, ...trouble].join(", ");
  return text === "" ? (waiting === "" ? "nothing to do" : waiting.trim()) : text + waiting;
}

function detailLines(one: BackendOutcome, style: Style): readonly string[] {
  if (one.role === "primary") return [];
  const unsent =
    one.unsent === 0
      ? []
      : [`${countText(one.unsent, "file")} never sent from here: run claude-mirror seed-mirror --backend ${one.name}`];
  const loud = one.failed
    .filter(isOwnTrouble)
    .map(({ path, error }) => `${aboutPath(path, error?.message ?? "failed")} (${loudness(error?.class)})`);
  const advice = one.advice === null || one.state === "action-required" ? [] : [one.advice];
  return [...loud, ...unsent, ...advice].map((line) => style.yellow(`      ${line}`));
}

/** Troubles of one file alone, which the line of its backend does not tell. */
function isOwnTrouble({ error }: MirrorItem): boolean {
  return error !== null && (error.class === "FILE_REJECTED" || error.class === "STALE" || error.class === "UNKNOWN");
}

function loudness(kind: string | undefined): string {
  return kind === "UNKNOWN" ? "an error that this program does not know" : "not retried";
}

function actionLines(one: BackendOutcome, style: Style): readonly string[] {
  const waiting = one.failed.length === 0 ? [] : [`${countText(one.failed.length, "file")} wait for it.`];
  const lines = [one.message, ...waiting, one.advice].flatMap((line) => (line === null ? [] : [printable(line)]));
  return [style.red(`ACTION REQUIRED: ${printable(one.name)}`), ...lines.map((line) => style.red(`  ${line}`))];
}

function paintOf(state: BackendState, style: Style): (text: string) => string {
  switch (state) {
    case "ok":
      return style.green;
    case "pending":
    case "warning":
      return style.yellow;
    case "action-required":
      return style.red;
  }
}
