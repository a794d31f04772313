/** One member of a JSON object, exactly as it is spelled. */
export interface RawMember {
  /** With its quotes. */
  readonly key: string;
  readonly value: string;
}

/** The text is not one whole JSON object. */
export class MalformedObjectError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "MalformedObjectError";
  }
}

/** Gives the next piece of text, about `size` characters long, or undefined at the end. */
export type NextText = (size: number) => string | undefined;

const FIRST_PIECE = 1 << 16;

/**
 * The members of one JSON object, in order, without holding the whole text: memory grows with the largest member only.
 * Values are delimited, not validated; parse them. Throws MalformedObjectError for anything but one whole object.
 */
export function* objectMembers(next: NextText): Generator<RawMember> {
  const input = new Input(next);
  if (input.skipSpace() !== "{") throw malformed("it does not begin with {");
  input.at++;
  if (input.skipSpace() === "}") {
    input.at++;
    return endOf(input);
  }
  for (;;) {
    if (input.skipSpace() !== '"') throw malformed("a name was expected");
    const key = input.take(stringEnd);
    if (input.skipSpace() !== ":") throw malformed("a colon was expected");
    input.at++;
    const first = input.skipSpace();
    const value = input.take(first === "{" || first === "[" ? nestedEnd : first === '"' ? stringEnd : scalarEnd);
    yield { key, value };
    const separator = input.skipSpace();
    input.at++;
    if (separator === "}") return endOf(input);
    if (separator !== ",") throw malformed("a comma or } was expected");
  }
}

function endOf(input: Input): void {
  if (input.skipSpace() !== "") throw malformed("there is text after the end");
}

/** A window over the text that grows only while one member does not fit. */
class Input {
  text = "";
  at = 0;
  readonly #next: NextText;

  constructor(next: NextText) {
    this.#next = next;
  }

  /** Moves to the next character that is not white space and returns it, `""` at the end. */
  skipSpace(): string {
    for (;;) {
      for (; this.at < this.text.length; this.at++) {
        const unit = this.text.charCodeAt(this.at);
        if (unit !== 0x20 && unit !== 0x0a && unit !== 0x0d && unit !== 0x09) return this.text.charAt(this.at);
      }
      if (!this.#grow()) return "";
    }
  }

  /** Takes what `findEnd` delimits, reading on while it answers -1. */
  take(findEnd: (text: string, from: number) => number): string {
    for (;;) {
      const end = findEnd(this.text, this.at);
      if (end >= 0) {
        const part = this.text.slice(this.at, end);
        this.at = end;
        return part;
      }
      if (!this.#grow()) throw malformed("it breaks off");
    }
  }

  /** Doubles what is held, so that one huge member costs linear time. */
  #grow(): boolean {
    const rest = this.text.slice(this.at);
    const more = this.#next(Math.max(FIRST_PIECE, rest.length));
    if (more === undefined) return false;
    this.text = rest + more;
    this.at = 0;
    return true;
  }
}

/** Just after the string that begins at `from`, or -1. */
function stringEnd(text: string, from: number): number {
  for (let i = from + 1; ; ) {
    const quote = text.indexOf('"', i);
    if (quote < 0) return -1;
    let slashes = 0;
    while (text.charCodeAt(quote - 1 - slashes) === 0x5c) slashes++;
    if (slashes % 2 === 0) return quote + 1;
    i = quote + 1;
  }
}

/** Just after the object or list that begins at `from`, or -1. */
function nestedEnd(text: string, from: number): number {
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === 0x22) {
      const end = stringEnd(text, i);
      if (end < 0) return -1;
      i = end - 1;
    } else if (unit === 0x7b || unit === 0x5b) depth++;
    else if ((unit === 0x7d || unit === 0x5d) && --depth === 0) return i + 1;
  }
  return -1;
}

/** Where the number or word that begins at `from` ends, or -1. */
function scalarEnd(text: string, from: number): number {
  for (let i = from; i < text.length; i++) {
    if (",}] \n\r\t".includes(text.charAt(i))) return i;
  }
  return -1;
}

function malformed(reason: string): MalformedObjectError {
  return new MalformedObjectError(reason);
}
