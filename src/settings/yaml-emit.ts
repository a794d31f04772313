import { resolvePlain } from "./yaml-scalar.ts";

export interface EmitOptions {
  /** Column at which the line stands before the scalar and its space. */
  readonly column: number;
  /** Spaces before a continued line. */
  readonly indent: number;
  /** A line is continued at the first chance beyond this column; PyYAML's default is 80. */
  readonly width: number;
}

/**
 * Text as PyYAML's `dump(default_flow_style=False)` writes it as a block mapping's value or a block list's item, without
 * the space before it: plain where it would be read back as this text, else single-quoted, double-quoted where it
 * holds anything but printable ASCII and line feeds; long ones folded.
 */
export function emitText(text: string, options: EmitOptions): string {
  const chars = Array.from(text);
  const seen = analyse(chars);
  const line = new Line(options);
  if (seen.plain && resolvePlain(text).kind === "text") writePlain(chars, line);
  else if (seen.single) writeSingle(chars, line);
  else writeDouble(chars, line);
  return line.text;
}

/** The text written so far and the column that it ends in. */
class Line {
  text = "";
  column: number;
  private readonly indent: number;
  private readonly width: number;

  constructor(options: EmitOptions) {
    // One for the space before the scalar.
    this.column = options.column + 1;
    this.indent = options.indent;
    this.width = options.width;
  }

  put(text: string): void {
    this.text += text;
    this.column += text.length;
  }

  isOver(extra = 0): boolean {
    return this.column + extra > this.width;
  }

  /** Goes `count` lines down, to the indentation. */
  breakLines(count: number): void {
    this.text += "\n".repeat(count);
    this.column = 0;
    this.put(" ".repeat(this.indent));
  }
}

interface Analysis {
  readonly plain: boolean;
  readonly single: boolean;
}

function analyse(chars: readonly string[]): Analysis {
  const text = chars.join("");
  const special = /[^\n\x20-\x7e]/.test(text);
  const spaceBeforeBreak = / \n/.test(text);
  const breakBeforeSpace = /\n /.test(text);
  const edges = /^[ \n]|[ \n]$/.test(text);
  const plain = text !== "" && !special && !text.includes("\n") && !edges && !hasIndicator(text);
  return { plain, single: !special && !spaceBeforeBreak && !breakBeforeSpace };
}

/** YAML 1.1 indicators (5.3) where they would end or change a plain scalar in block context. */
function hasIndicator(text: string): boolean {
  if (text.startsWith("---") || text.startsWith("...")) return true;
  if (/^[#,[\]{}&*!|>'"%@`]/.test(text)) return true;
  return /^[-?](?:\s|$)/.test(text) || /:(?:\s|$)/.test(text) || /\s#/.test(text);
}

function writePlain(chars: readonly string[], line: Line): void {
  for (const run of runs(chars)) {
    if (run.kind === "spaces" && run.text.length === 1 && line.isOver()) line.breakLines(1);
    else line.put(run.text);
  }
}

function writeSingle(chars: readonly string[], line: Line): void {
  line.put("'");
  const all = runs(chars);
  all.forEach((run, i) => {
    const inside = i > 0 && i < all.length - 1;
    if (run.kind === "spaces" && run.text.length === 1 && inside && line.isOver()) line.breakLines(1);
    else if (run.kind === "breaks") line.breakLines(run.text.length + 1);
    else line.put(run.text.replaceAll("'", "''"));
  });
  line.put("'");
}

interface Run {
  readonly kind: "word" | "spaces" | "breaks";
  readonly text: string;
}

function runs(chars: readonly string[]): Run[] {
  const found = chars.join("").match(/ +|\n+|[^ \n]+/g) ?? [];
  return found.map((text) => ({ kind: text[0] === " " ? "spaces" : text[0] === "\n" ? "breaks" : "word", text }));
}

/** Folds at a space, or after an escape, beyond the width; the fold is marked by a backslash (YAML 1.1, 5.14). */
function writeDouble(chars: readonly string[], line: Line): void {
  line.put('"');
  let start = 0;
  for (let end = 0; end <= chars.length; end++) {
    const char = chars[end];
    if (char === undefined || needsEscape(char)) {
      line.put(chars.slice(start, end).join(""));
      start = end;
      if (char !== undefined) {
        line.put(escaped(char));
        start = end + 1;
      }
    }
    const inside = end > 0 && end < chars.length - 1;
    if (inside && (char === " " || start >= end) && line.isOver(end - start)) {
      line.put(`${chars.slice(start, Math.max(start, end)).join("")}\\`);
      start = Math.max(start, end);
      line.breakLines(1);
      if (chars[start] === " ") line.put("\\");
    }
  }
  line.put('"');
}

function needsEscape(char: string): boolean {
  return char === '"' || char === "\\" || char < " " || char > "~";
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\0": "0",
  "\x07": "a",
  "\b": "b",
  "\t": "t",
  "\n": "n",
  "\v": "v",
  "\f": "f",
  "\r": "r",
  "\x1b": "e",
  '"': '"',
  "\\": "\\",
  "\x85": "N",
  "\xa0": "_",
  "\u2028": "L",
  "\u2029": "P",
};

function escaped(char: string): string {
  const short = ESCAPES[char];
  if (short !== undefined) return `\\${short}`;
  const hex = (char.codePointAt(0) ?? 0).toString(16).toUpperCase();
  if (hex.length <= 2) return `\\x${hex.padStart(2, "0")}`;
  return hex.length <= 4 ? `\\u${hex.padStart(4, "0")}` : `\\U${hex.padStart(8, "0")}`;
}
