import { displayWidth } from "./width.ts";

/** A cell: its text, and how it is painted once it has been measured. */
export type Cell = string | { readonly text: string; readonly paint: (text: string) => string };

export interface Column {
  readonly header: string;
  readonly align?: "left" | "right";
  /** May be folded over several lines when the terminal is too narrow. */
  readonly folds?: true;
}

export interface TableOptions {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly Cell[])[];
  /** Cells the whole table may take; unlimited when left out. */
  readonly width?: number | undefined;
  /** How headers are painted. */
  readonly paintHeader?: (text: string) => string;
}

/** A table with a heavy head and light rows, drawn with the box characters of Unicode U+2500. Nothing is cut off: text folds. */
export function tableLines({ columns, rows, width, paintHeader }: TableOptions): readonly string[] {
  const widths = fitWidths(columns, rows, width);
  const rule = (left: string, line: string, between: string, right: string) =>
    left + widths.map((cells) => line.repeat(cells + 2)).join(between) + right;
  const head = columns.map(({ header }) => (paintHeader ? { text: header, paint: paintHeader } : header));
  return [
    rule("┏", "━", "┳", "┓"),
    ...rowLines({ cells: head, columns, widths, bar: "┃" }),
    rule("┡", "━", "╇", "┩"),
    ...rows.flatMap((cells) => rowLines({ cells, columns, widths, bar: "│" })),
    rule("└", "─", "┴", "┘"),
  ];
}

interface RowOptions {
  readonly cells: readonly Cell[];
  readonly columns: readonly Column[];
  readonly widths: readonly number[];
  readonly bar: string;
}

function rowLines({ cells, columns, widths, bar }: RowOptions): string[] {
  const folded = columns.map((_, at) => fold(textOf(cells[at]), widths[at] ?? 0));
  const height = Math.max(1, ...folded.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) => {
    const parts = columns.map((column, at) => {
      const text = folded[at]?.[line] ?? "";
      const gap = " ".repeat(Math.max(0, (widths[at] ?? 0) - displayWidth(text)));
      const painted = paintOf(cells[at])(text);
      return column.align === "right" ? gap + painted : painted + gap;
    });
    return `${bar} ${parts.join(` ${bar} `)} ${bar}`;
  });
}

/** Natural widths, the widest folding columns made narrower until the table fits. */
function fitWidths(columns: readonly Column[], rows: TableOptions["rows"], width: number | undefined): number[] {
  const widths = columns.map(({ header }) => displayWidth(header));
  for (const row of rows) {
    row.forEach((cell, at) => {
      widths[at] = Math.max(widths[at] ?? 0, displayWidth(textOf(cell)));
    });
  }
  let excess = widths.reduce((sum, cells) => sum + cells + 3, 1) - (width ?? Number.POSITIVE_INFINITY);
  while (excess > 0) {
    const widest = widestFolding(columns, widths);
    if (widest < 0) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
    excess--;
  }
  return widths;
}

const NARROWEST = 12;

function widestFolding(columns: readonly Column[], widths: readonly number[]): number {
  let found = -1;
  columns.forEach(({ folds }, at) => {
    const cells = widths[at] ?? 0;
    if (folds && cells > NARROWEST && cells > (widths[found] ?? 0)) found = at;
  });
  return found;
}

/**
 * `text` in pieces of at most `width` cells, cut after a slash or a space where there is one in the second half, else
 * after a dash or an underscore there.
 */
function fold(text: string, width: number): readonly string[] {
  if (displayWidth(text) <= width) return [text];
  const pieces: string[] = [];
  let piece = "";
  for (const { segment } of new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(text)) {
    if (piece !== "" && displayWidth(piece + segment) > width) {
      const at = cutAfter(piece, "/", " ") ?? cutAfter(piece, "-", "_") ?? piece.length;
      pieces.push(piece.slice(0, at).trimEnd());
      piece = piece.slice(at);
    }
    piece += segment;
  }
  return [...pieces, piece];
}

function cutAfter(piece: string, ...letters: readonly string[]): number | undefined {
  const cut = Math.max(...letters.map((letter) => piece.lastIndexOf(letter))) + 1;
  return cut > piece.length / 2 ? cut : undefined;
}

function textOf(cell: Cell | undefined): string {
  return typeof cell === "object" ? cell.text : (cell ?? "");
}

function paintOf(cell: Cell | undefined): (text: string) => string {
  return typeof cell === "object" ? cell.paint : (text) => text;
}
