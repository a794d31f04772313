import type {
  BackendColumn,
  MirrorFileState,
  MirrorRunResult,
  PendingResult,
  StatusResult,
} from "../../project/model.ts";
import { countText } from "../format.ts";
import { type Cell, tableLines } from "../table.ts";
import { printable, type Style } from "../terminal.ts";
import { backendLines } from "./backends.ts";
import { STATUS_WORDS } from "./status.ts";

/** The table of `status --pending` and the command that helps. */
export function pendingLines(result: PendingResult, style: Style): readonly string[] {
  const { rows, unsent, snapshots, broken } = result;
  const table = tableLines({
    columns: [
      { header: "File", folds: true },
      { header: "Backend" },
      { header: "State" },
      { header: "Last error", folds: true },
    ],
    rows: rows.map(({ path, backend, state, action, error }): readonly Cell[] => [
      printable(path),
      backend,
      {
        text: action === "delete" ? `${state} (delete)` : state,
        paint: state === "failed_perm" ? style.red : style.yellow,
      },
      printable(error?.message ?? ""),
    ]),
    paintHeader: style.bold,
    width: style.width,
  });
  const lines = [
    ...(rows.length === 0 ? [] : table),
    ...snapshots.map(({ backend, timestamps }) =>
      style.yellow(`Snapshots still to be sent to ${backend}: ${timestamps.length}`),
    ),
    ...unsent.map(({ backend, files }) => style.yellow(neverSent(backend, files))),
    ...broken.map(({ backend, problem }) => style.red(`The mirror ${backend} cannot be used: ${printable(problem)}`)),
  ];
  if (rows.length + snapshots.length > 0) lines.push("Run claude-mirror retry to try again now.");
  return lines.length === 0 ? [style.green("Every mirror has all that it was sent.")] : lines;
}

/** The table of `status --by-backend`: what is not the same everywhere, a column for each backend. */
export function columnLines(
  status: StatusResult,
  columns: readonly BackendColumn[],
  primary: string,
  style: Style,
): readonly string[] {
  const words = new Map(status.differing.map(({ path, status: word }) => [path, STATUS_WORDS[word]]));
  const paths = new Set(words.keys());
  for (const { files } of columns) for (const [path, state] of files) if (state !== "ok") paths.add(path);
  const rows = [...paths]
    .sort()
    .map((path): readonly Cell[] => [
      printable(path),
      words.get(path) ?? STATUS_WORDS.in_sync,
      ...columns.map(({ files, error }) => cellOf(error === null ? files.get(path) : undefined, style)),
    ]);
  const headers = [
    { header: "File", folds: true } as const,
    { header: primary },
    ...columns.map(({ name }) => ({ header: name })),
  ];
  const table =
    rows.length === 0 ? [] : tableLines({ columns: headers, rows, paintHeader: style.bold, width: style.width });
  return [...table, ...columns.flatMap((column) => [columnSummary(column, style), ...unsentLines(column, style)])];
}

/** No push sends what a mirror was never sent. */
function unsentLines({ name, files }: BackendColumn, style: Style): readonly string[] {
  const unsent = [...files.values()].filter((state) => state === "not sent").length;
  return unsent === 0 ? [] : [style.yellow(neverSent(name, unsent))];
}

function neverSent(backend: string, files: number): string {
  return `${countText(files, "file")} never sent to ${backend}: run claude-mirror seed-mirror --backend ${backend}`;
}

function cellOf(state: MirrorFileState | undefined, style: Style): Cell {
  if (state === undefined) return "-";
  return { text: state, paint: state === "ok" ? style.green : style.yellow };
}

function columnSummary({ name, error, files }: BackendColumn, style: Style): string {
  if (error !== null) return style.red(`${name}: could not be looked at: ${printable(error)}`);
  const odd = [...files.values()].filter((state) => state !== "ok").length;
  const good = files.size - odd;
  return odd === 0
    ? style.green(`${name}: all ${countText(good, "file")} ok`)
    : style.yellow(`${name}: ${good} ok, ${odd} not`);
}

/** What `retry` and `seed-mirror` did, or would do. */
export function mirrorRunLines(result: MirrorRunResult, style: Style): readonly string[] {
  if (!result.dryRun) return backendLines(result.backends, style);
  const lines = result.planned.flatMap(({ backend, files, snapshots }) => [
    ...files.map(
      ({ path, action }) =>
        `  ${action === "delete" ? style.red("✗") : style.cyan("↑")} ${backend}: ${printable(path)}`,
    ),
    ...snapshots.map((timestamp) => `  ${style.cyan("↑")} ${backend}: snapshot ${timestamp}`),
  ]);
  const last =
    lines.length === 0
      ? "Dry run: nothing would be done."
      : `Dry run: ${lines.length} step(s) would be done, nothing was.`;
  return [...lines, style.bold(last)];
}
