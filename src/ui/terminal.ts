/** Where text goes. `process.stdout` is one; a test gives its own. */
export interface Sink {
  write(text: string): void;
  readonly isTTY: boolean;
  /** Width in cells; undefined where there is no terminal. */
  readonly columns?: number | undefined;
}

type Paint = (text: string) => string;

/** Wraps text in SGR codes (ECMA-48 8.3.117), or leaves it alone when there is no colour. */
export interface Style {
  readonly colour: boolean;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly blue: Paint;
  readonly magenta: Paint;
  readonly cyan: Paint;
}

/** A sink with a style: one call is one line. */
export interface Terminal {
  readonly style: Style;
  readonly isTTY: boolean;
  /** Width in cells, 80 where nobody says. */
  readonly columns: number;
  line(text?: string): void;
  /** As it is, without a line end. */
  write(text: string): void;
}

/** Variables such as NO_COLOR, never read from the process here. */
export type Environment = Readonly<Record<string, string | undefined>>;

export function openTerminal(sink: Sink, env: Environment): Terminal {
  return {
    style: makeStyle(wantsColour(env, sink.isTTY)),
    isTTY: sink.isTTY,
    get columns() {
      return sink.columns || 80;
    },
    line: (text = "") => sink.write(`${text}\n`),
    write: (text) => sink.write(text),
  };
}

/** NO_COLOR (no-color.org) wins, then FORCE_COLOR, then whether it is a terminal that can. */
export function wantsColour(env: Environment, isTTY: boolean): boolean {
  if (env["NO_COLOR"]) return false;
  const forced = env["FORCE_COLOR"];
  if (forced !== undefined && forced !== "") return forced !== "0" && forced !== "false";
  return isTTY && env["TERM"] !== "dumb";
}

export function makeStyle(colour: boolean): Style {
  const paint =
    (open: number, close: number): Paint =>
    (text) =>
      colour && text !== "" ? `\x1b[${open}m${text}\x1b[${close}m` : text;
  return {
    colour,
    bold: paint(1, 22),
    dim: paint(2, 22),
    red: paint(31, 39),
    green: paint(32, 39),
    yellow: paint(33, 39),
    blue: paint(34, 39),
    magenta: paint(35, 39),
    cyan: paint(36, 39),
  };
}

/** A name from outside as one line that cannot steer the terminal: control and direction characters are spelled out. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (unit) => {
    const code = unit.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** Cells that `text` takes on a terminal: 2 for East Asian wide characters and emoji, 0 for marks and SGR codes. */
export function textWidth(text: string): number {
  const bare = text.includes("\x1b") ? text.replace(SGR, "") : text;
  if (PLAIN.test(bare)) return bare.length;
  let width = 0;
  for (const { segment } of segmenter().segment(bare)) width += clusterWidth(segment);
  return width;
}

/** `text` followed by spaces up to `width` cells. */
export function padCells(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - textWidth(text)));
}

/** Uncoloured `text` cut to at most `width` cells, `…` marking the cut. */
export function cutCells(text: string, width: number): string {
  if (textWidth(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const { segment } of segmenter().segment(text)) {
    const cells = clusterWidth(segment);
    if (used + cells > width - 1) break;
    kept += segment;
    used += cells;
  }
  return width < 1 ? "" : `${kept}…`;
}

const PLAIN = /^[\x20-\x7e]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what this is about
const SGR = /\x1b\[[0-9;]*m/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** Wide and full-width blocks of UAX #11, as far as they occur in practice. */
const WIDE =
  /[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18aff}\u{1aff0}-\u{1b2ff}\u{20000}-\u{3fffd}]/u;
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}\p{Cc}]+$/u;
const EMOJI = /\p{Emoji_Presentation}|\ufe0f|[\u{1f1e6}-\u{1f1ff}]{2}/u;

function clusterWidth(cluster: string): number {
  if (ZERO.test(cluster)) return 0;
  return WIDE.test(cluster) || EMOJI.test(cluster) ? 2 : 1;
}

let cached: Intl.Segmenter | undefined;
function segmenter(): Intl.Segmenter {
  cached ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  return cached;
}
