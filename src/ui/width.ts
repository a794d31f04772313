/** Cells that `text` takes on a terminal: 2 for East Asian wide characters and emoji, 0 for marks and SGR codes. */
export function displayWidth(text: string): number {
  const bare = text.includes("\x1b") ? text.replace(SGR, "") : text;
  if (PLAIN.test(bare)) return bare.length;
  let width = 0;
  for (const { segment } of segmenter().segment(bare)) width += clusterWidth(segment);
  return width;
}

/** `text` followed by spaces up to `width` cells. */
export function padWidth(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

/** Uncoloured `text` cut to at most `width` cells, `…` marking the cut. */
export function cutWidth(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
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

/** Uncoloured `text` in exactly `width` cells: cut or filled up with spaces. */
export function fitWidth(text: string, width: number): string {
  return padWidth(cutWidth(text, width), width);
}

/** Painted or plain parts in lines of at most `width` cells, `between` them; a longer part has a line of its own. */
export function wrapParts(
  parts: readonly string[],
  { between, width, measure = displayWidth }: WrapOptions,
): readonly string[] {
  const lines: string[] = [];
  for (const part of parts) {
    const longer = `${lines.at(-1)}${between}${part}`;
    if (lines.length > 0 && measure(longer) <= width) lines.splice(-1, 1, longer);
    else lines.push(part);
  }
  return lines;
}

interface WrapOptions {
  readonly between: string;
  readonly width: number;
  /** Cells that a line takes. */
  readonly measure?: (line: string) => number;
}

/** A line cut at spaces where the terminal is narrower, what goes on `indent` cells to the right; whole without a width. */
export function hangingLines(
  line: string,
  { indent, width = Number.POSITIVE_INFINITY }: { readonly indent: number; readonly width?: number | undefined },
): readonly string[] {
  const lines = wrapParts(line.split(" "), { between: " ", width: width - indent });
  return lines.map((part, at) => (at === 0 ? part : " ".repeat(indent) + part));
}

/** `text` in lines of at most `width` cells, cut at spaces; "`" takes no room. */
export function wrapWords(text: string, width: number): readonly string[] {
  return wrapParts(text.split(" "), { between: " ", width, measure: (line) => displayWidth(line.replaceAll("`", "")) });
}

const PLAIN = /^[\x20-\x7e]*$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what this is about
const SGR = /\x1b\[[0-9;]*m/g;
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
