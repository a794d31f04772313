import { type Framing, malformed } from "./http-head.ts";

/** Finds an answer's body in what comes after its head. */
export interface BodyReader {
  /** Takes what came and hands on what is of the body. Throws HttpError for what follows no rule. */
  push(bytes: Uint8Array): void;
  /** The body is complete. */
  readonly isOver: boolean;
  /** What came goes on behind the body's end. */
  readonly hasSurplus: boolean;
  /** The end of the connection is the end of the body. */
  readonly endsWithConnection: boolean;
}

/** `take` gets every piece of the body in its order, none of them empty. */
export function bodyReader(framing: Framing, take: (chunk: Uint8Array) => void): BodyReader {
  switch (framing.kind) {
    case "length":
      return lengthReader(framing.bytes, take);
    case "chunked":
      return new ChunkedReader(take);
    case "rest":
      return {
        push: (bytes) => bytes.length > 0 && take(bytes),
        isOver: false,
        hasSurplus: false,
        endsWithConnection: true,
      };
  }
}

function lengthReader(length: number, take: (chunk: Uint8Array) => void): BodyReader {
  let left = length;
  let surplus = false;
  return {
    push(bytes) {
      const mine = bytes.length > left ? bytes.subarray(0, left) : bytes;
      surplus ||= bytes.length > left;
      left -= mine.length;
      if (mine.length > 0) take(mine);
    },
    get isOver() {
      return left === 0;
    },
    get hasSurplus() {
      return surplus;
    },
    endsWithConnection: false,
  };
}

/** A size, an extension nobody reads, a trailer: nothing that an honest server makes longer. Bytes. */
const MOST_LINE = 8 * 1024;
const MOST_TRAILERS = 64;

/** Chunked transfer coding, RFC 9112 section 7.1; trailers are read and forgotten. */
class ChunkedReader implements BodyReader {
  readonly endsWithConnection = false;
  isOver = false;
  hasSurplus = false;
  readonly #take: (chunk: Uint8Array) => void;
  #at: "size" | "data" | "data-end" | "trailer" = "size";
  #left = 0;
  #line = "";
  #trailers = 0;

  constructor(take: (chunk: Uint8Array) => void) {
    this.#take = take;
  }

  push(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0 && !this.isOver) rest = this.#at === "data" ? this.#data(rest) : this.#lineOf(rest);
    this.hasSurplus ||= rest.length > 0;
  }

  #data(bytes: Uint8Array): Uint8Array {
    const mine = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes;
    this.#left -= mine.length;
    this.#take(mine);
    if (this.#left === 0) this.#at = "data-end";
    return bytes.subarray(mine.length);
  }

  #lineOf(bytes: Uint8Array): Uint8Array {
    const end = bytes.indexOf(0x0a);
    const piece = end < 0 ? bytes : bytes.subarray(0, end + 1);
    this.#line += Buffer.from(piece).toString("latin1");
    if (this.#line.length > MOST_LINE) throw malformed("a line between its pieces is too long");
    if (end >= 0) {
      if (!this.#line.endsWith("\r\n")) throw malformed("a line between its pieces has no proper end");
      const line = this.#line.slice(0, -2);
      this.#line = "";
      this.#onLine(line);
    }
    return bytes.subarray(piece.length);
  }

  #onLine(line: string): void {
    switch (this.#at) {
      case "size": {
        const size = /^([0-9a-f]{1,12})[ \t]*(?:;.*)?$/i.exec(line)?.[1];
        if (size === undefined) throw malformed("a piece does not say its size");
        this.#left = Number.parseInt(size, 16);
        this.#at = this.#left === 0 ? "trailer" : "data";
        return;
      }
      case "data-end":
        if (line !== "") throw malformed("a piece is longer than it says");
        this.#at = "size";
        return;
      case "trailer":
        if (line === "") this.isOver = true;
        else if (++this.#trailers > MOST_TRAILERS) throw malformed("it has too many trailers");
        return;
      case "data":
    }
  }
}
