/** Where text goes. `process.stdout` is one; a test gives its own. */
export interface Sink {
  write(text: string): void;
  readonly isTTY: boolean;
  /** Width in cells; undefined where there is no terminal. */
  readonly columns?: number | undefined;
  /** Resolves once nobody reads it any more, as after `| head`. */
  readonly gone?: Promise<void>;
}

type Paint = (text: string) => string;

/** How text is shown: wrapped in SGR codes (ECMA-48 8.3.117) or left alone when there is no colour. */
export interface Style {
  readonly colour: boolean;
  /** Cells a table may take; undefined where nobody looks at it on a terminal. */
  readonly width?: number | undefined;
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
    style: makeStyle(wantsColour(env, sink.isTTY), sink.isTTY ? { width: sink.columns || 80 } : {}),
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

export function makeStyle(colour: boolean, { width }: { readonly width?: number } = {}): Style {
  const paint =
    (open: number, close: number): Paint =>
    (text) =>
      colour && text !== "" ? `\x1b[${open}m${text}\x1b[${close}m` : text;
  return {
    colour,
    width,
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

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;
