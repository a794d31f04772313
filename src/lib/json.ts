/**
 * JSON as Python's `json.dumps` spells it with its default separators and `ensure_ascii=True`: the shape of every file
 * that we share with the Python tool. Numbers are integers here; a `bigint` is written in full.
 */
export type PythonJson =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly PythonJson[]
  | { readonly [key: string]: PythonJson }
  | ReadonlyMap<string, PythonJson>;

export interface DumpOptions {
  /** Spaces a level; left out for the compact form with `, ` and `: `. */
  readonly indent?: number;
}

/** Keys keep the order in which the object or map holds them; sort before calling where the format sorts. */
export function dumpPython(value: PythonJson, options: DumpOptions = {}): string {
  return dump(value, options.indent, "");
}

/** One JSON string, every character outside printable ASCII escaped as `\uXXXX` in lower-case hex. */
export function quoteAscii(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, escapeUnit);
}

function dump(value: PythonJson, indent: number | undefined, margin: string): string {
  if (typeof value === "string") return quoteAscii(value);
  if (value === null || typeof value !== "object") return String(value);
  if (Array.isArray(value)) {
    return wrap(
      "[",
      "]",
      (value as readonly PythonJson[]).map((item) => dump(item, indent, deeper(margin, indent))),
      indent,
      margin,
    );
  }
  const entries = value instanceof Map ? value.entries() : Object.entries(value as Record<string, PythonJson>);
  const parts: string[] = [];
  for (const [key, item] of entries as Iterable<[string, PythonJson]>) {
    parts.push(`${quoteAscii(key)}: ${dump(item, indent, deeper(margin, indent))}`);
  }
  return wrap("{", "}", parts, indent, margin);
}

function wrap(
  open: string,
  close: string,
  parts: readonly string[],
  indent: number | undefined,
  margin: string,
): string {
  if (parts.length === 0) return open + close;
  if (indent === undefined) return open + parts.join(", ") + close;
  const inner = deeper(margin, indent);
  return `${open}\n${inner}${parts.join(`,\n${inner}`)}\n${margin}${close}`;
}

function deeper(margin: string, indent: number | undefined): string {
  return indent === undefined ? margin : margin + " ".repeat(indent);
}

/** Printable ASCII without what JSON escapes. */
const PLAIN = /^[ !#-[\]-~]*$/;

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
