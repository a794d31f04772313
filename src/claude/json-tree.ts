/** One value of a JSON text and where it stands: `text.slice(start, end)` is the value as it was written. */
export type JsonNode = {
  readonly start: number;
  readonly end: number;
} & (
  | { readonly kind: "object"; readonly members: readonly JsonMember[] }
  | { readonly kind: "array"; readonly items: readonly JsonNode[] }
  | { readonly kind: "plain"; readonly value: string | number | boolean | null }
);

export interface JsonMember {
  readonly key: string;
  /** Where the key's opening quote stands. */
  readonly start: number;
  readonly value: JsonNode;
}

/** The text is no JSON; the message names line and column. */
export class JsonTreeError extends Error {
  constructor(what: string, text: string, at: number) {
    const before = text.slice(0, at).split("\n");
    super(`line ${before.length}, column ${(before.at(-1) ?? "").length + 1}: ${what}`);
    this.name = "JsonTreeError";
  }
}

const MOST_DEPTH = 200;

/**
 * Reads JSON (RFC 8259) and, as people write it into settings, comments and a comma behind the last item. Throws
 * {@link JsonTreeError} for anything else, two members of the same name included: no edit of such a text is safe.
 */
export function parseJsonTree(text: string): JsonNode {
  const reader = new Reader(text);
  const start = reader.skip(text.startsWith("\ufeff") ? 1 : 0);
  const root = reader.value(start, 0);
  const end = reader.skip(root.end);
  if (end < text.length) throw new JsonTreeError("something stands behind the end", text, end);
  return root;
}

/** The member called `key`, where `node` is an object that has one. */
export function memberOf(node: JsonNode, key: string): JsonMember | undefined {
  return node.kind === "object" ? node.members.find((member) => member.key === key) : undefined;
}

/** The text of the member called `key`, where that is a string. */
export function textOf(node: JsonNode, key: string): string | undefined {
  const value = memberOf(node, key)?.value;
  return value?.kind === "plain" && typeof value.value === "string" ? value.value : undefined;
}

/** The first place from `at` on that is neither white space nor comment. */
export function skipBlank(text: string, at: number): number {
  return new Reader(text).skip(at);
}

class Reader {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }

  skip(from: number): number {
    const text = this.#text;
    let at = from;
    for (;;) {
      while (at < text.length && " \t\r\n".includes(text.charAt(at))) at++;
      if (text.startsWith("//", at)) {
        const end = text.indexOf("\n", at);
        at = end < 0 ? text.length : end;
      } else if (text.startsWith("/*", at)) {
        const end = text.indexOf("*/", at + 2);
        if (end < 0) throw this.#wrong("a comment has no end", at);
        at = end + 2;
      } else return at;
    }
  }

  value(start: number, depth: number): JsonNode {
    if (depth > MOST_DEPTH) throw this.#wrong(`more than ${MOST_DEPTH} levels`, start);
    switch (this.#text.charAt(start)) {
      case "{":
        return this.#object(start, depth);
      case "[":
        return this.#array(start, depth);
      case '"': {
        const end = this.#stringEnd(start);
        return { kind: "plain", start, end, value: this.#plain(start, end) as string };
      }
      default: {
        const [word = ""] = /^[-+.\w]*/.exec(this.#text.slice(start, start + 400)) ?? [];
        if (word === "") throw this.#wrong("a value is missing", start);
        const end = start + word.length;
        return { kind: "plain", start, end, value: this.#plain(start, end) as number | boolean | null };
      }
    }
  }

  #object(start: number, depth: number): JsonNode {
    const members: JsonMember[] = [];
    const names = new Set<string>();
    const end = this.#list(start, "}", (at) => {
      if (this.#text.charAt(at) !== '"') throw this.#wrong("a name in quotes is missing", at);
      const keyEnd = this.#stringEnd(at);
      const key = String(this.#plain(at, keyEnd));
      if (names.has(key)) throw this.#wrong(`"${key}" is there twice`, at);
      names.add(key);
      const colon = this.skip(keyEnd);
      if (this.#text.charAt(colon) !== ":") throw this.#wrong("a colon is missing", colon);
      const value = this.value(this.skip(colon + 1), depth + 1);
      members.push({ key, start: at, value });
      return value.end;
    });
    return { kind: "object", start, end, members };
  }

  #array(start: number, depth: number): JsonNode {
    const items: JsonNode[] = [];
    const end = this.#list(start, "]", (at) => {
      const item = this.value(at, depth + 1);
      items.push(item);
      return item.end;
    });
    return { kind: "array", start, end, items };
  }

  /** What stands between brackets; `read` answers where the item at a place ends. Answers the place behind `close`. */
  #list(start: number, close: string, read: (at: number) => number): number {
    let at = this.skip(start + 1);
    while (this.#text.charAt(at) !== close) {
      at = this.skip(read(at));
      const next = this.#text.charAt(at);
      if (next === close) break;
      if (next !== ",") throw this.#wrong(`a comma or ${close} is missing`, at);
      at = this.skip(at + 1);
    }
    return at + 1;
  }

  #stringEnd(start: number): number {
    for (let at = start + 1; at < this.#text.length; at++) {
      const unit = this.#text.charAt(at);
      if (unit === "\\") at++;
      else if (unit === '"') return at + 1;
      else if (unit === "\n") break;
    }
    throw this.#wrong("a text in quotes has no end", start);
  }

  #plain(start: number, end: number): unknown {
    const source = this.#text.slice(start, end);
    try {
      return JSON.parse(source);
    } catch {
      throw this.#wrong(`${source.slice(0, 40)} is no value`, start);
    }
  }

  #wrong(what: string, at: number): JsonTreeError {
    return new JsonTreeError(what, this.#text, at);
  }
}
