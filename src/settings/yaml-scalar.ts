/** What PyYAML's safe loader makes of a plain scalar. `other` is something that it refuses to load. */
export type PlainValue =
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "null" }
  | { readonly kind: "date" }
  | { readonly kind: "other" };

const BOOL = /^(?:(yes|Yes|YES|true|True|TRUE|on|On|ON)|no|No|NO|false|False|FALSE|off|Off|OFF)$/;
const NULL = /^(?:~|null|Null|NULL|)$/;
const INT = /^[-+]?(?:0b[0-1_]+|0[0-7_]+|0x[0-9a-fA-F_]+|[1-9][0-9_]*(?::[0-5]?[0-9])+|0|[1-9][0-9_]*)$/;
const FLOAT =
  /^(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const DATE =
  /^(?:\d{4}-\d{2}-\d{2}|\d{4}-\d{1,2}-\d{1,2}(?:[Tt]|[ \t]+)\d{1,2}:\d{2}:\d{2}(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d{1,2}(?::\d{2})?))?)$/;
const OTHER = /^(?:<<|=|[!&*])$/;

/**
 * The YAML 1.1 value of a scalar without quotes and tag (yaml.org/type, in PyYAML's reading: `y` and `n` are text,
 * `010` is 8, `1:30` is 90, an exponent needs its sign).
 */
export function resolvePlain(text: string): PlainValue {
  const bool = BOOL.exec(text);
  if (bool) return { kind: "bool", value: bool[1] !== undefined };
  if (NULL.test(text)) return { kind: "null" };
  if (INT.test(text)) return { kind: "number", value: intValue(text) };
  if (FLOAT.test(text)) return { kind: "number", value: floatValue(text) };
  if (DATE.test(text)) return { kind: "date" };
  if (OTHER.test(text)) return { kind: "other" };
  return { kind: "text", value: text };
}

function intValue(text: string): number {
  const { sign, digits } = signed(text);
  if (digits.startsWith("0b")) return sign * Number.parseInt(digits.slice(2), 2);
  if (digits.startsWith("0x")) return sign * Number.parseInt(digits.slice(2), 16);
  if (digits.includes(":")) return sign * sexagesimal(digits);
  if (digits.startsWith("0")) return sign * Number.parseInt(digits, 8);
  return sign * Number(digits);
}

function floatValue(text: string): number {
  const { sign, digits } = signed(text.toLowerCase());
  if (digits === ".inf") return sign * Number.POSITIVE_INFINITY;
  if (digits === ".nan") return Number.NaN;
  if (digits.includes(":")) return sign * sexagesimal(digits);
  return sign * Number(digits);
}

function signed(text: string): { readonly sign: 1 | -1; readonly digits: string } {
  const plain = text.replaceAll("_", "");
  return { sign: plain.startsWith("-") ? -1 : 1, digits: plain.replace(/^[-+]/, "") };
}

function sexagesimal(digits: string): number {
  return digits.split(":").reduce((total, part) => total * 60 + Number(part), 0);
}
