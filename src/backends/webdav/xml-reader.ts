/** What the reader met, in document order. Names are `{namespace}local`, the namespace being its URI. */
export interface XmlHandler {
  open(name: string): void;
  /** `text` is what stood directly in the element, entities replaced. */
  close(name: string, text: string): void;
}

/** The text was not well-formed XML of the kind that we accept. */
export class XmlError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "XmlError";
  }
}

export interface XmlReader {
  /** Takes the next piece of the document, cut anywhere. */
  write(text: string): void;
  /** Says that the document is over; throws XmlError when it was not complete. */
  end(): void;
}

const MAX_DEPTH = 64;
/** Longest tag and longest text of one element, in UTF-16 units. */
const MAX_TOKEN = 256 * 1024;

interface Scope {
  raw: string;
  name: string;
  names: Names;
  text: string;
}

/** The namespaces in force, with the names already resolved under them. */
interface Names {
  readonly prefixes: ReadonlyMap<string, string>;
  /** Start tags already read under these namespaces, by their text: an answer repeats a few of them thousands of times. */
  readonly tags: Map<string, Tag>;
}

interface Tag {
  readonly raw: string;
  readonly name: string;
  /** The namespaces in force inside. */
  readonly names: Names;
  readonly empty: boolean;
}

/** So many different start tags are remembered; a hostile answer gains nothing by inventing more. */
const MAX_TAGS = 256;

/**
 * A reader for XML 1.0 with namespaces, fed in pieces. It knows no DTD: a document type declaration is refused, so
 * that only the five predefined entities and character references exist. Depth and token length are limited.
 */
export function createXmlReader(handler: XmlHandler): XmlReader {
  const elements = createElements(handler);
  let rest = "";
  let started = false;
  return {
    write(text) {
      let all = rest + text;
      if (!started && all !== "") {
        started = true;
        if (all.charCodeAt(0) === 0xfeff) all = all.slice(1);
      }
      let at = 0;
      while (at < all.length) {
        const next = readToken(elements, all, at);
        if (next < 0) break;
        at = next;
      }
      rest = at === 0 ? all : all.slice(at);
      if (rest.length > MAX_TOKEN) throw new XmlError("a tag or text without end");
    },
    end() {
      if (rest.trim() !== "" || !elements.complete()) throw new XmlError("the document ends too early");
    },
  };
}

/** The elements that are open, innermost last. */
interface Elements {
  open(tag: string): void;
  /** Whether this very start tag was read before, under the namespaces in force. */
  knows(tag: string): boolean;
  close(raw: string): void;
  /** The name of the innermost one, as it is written. */
  innermost(): string | undefined;
  text(text: string): void;
  /** True when the document's element has been opened and closed again. */
  complete(): boolean;
}

function createElements(handler: XmlHandler): Elements {
  const stack: Scope[] = [];
  /** Scopes that were closed, to be used again: answers have a million elements and a depth of six. */
  const spare: Scope[] = [];
  const outer: Names = { prefixes: new Map([["xml", "http://www.w3.org/XML/1998/namespace"]]), tags: new Map() };
  let seenRoot = false;
  const close = (raw: string) => {
    const top = stack.pop();
    if (top === undefined || top.raw !== raw) throw new XmlError(`</${shorten(raw)}> closes nothing`);
    spare.push(top);
    handler.close(top.name, top.text);
  };
  const around = () => stack[stack.length - 1]?.names ?? outer;
  return {
    close,
    open(tag) {
      if (stack.length === 0 && seenRoot) throw new XmlError("a second element after the document's own");
      if (stack.length >= MAX_DEPTH) throw new XmlError(`elements nested deeper than ${MAX_DEPTH}`);
      seenRoot = true;
      const { raw, name, names, empty } = around().tags.get(tag) ?? readTag(around(), tag);
      stack.push(scopeOf(spare.pop(), { raw, name, names }));
      handler.open(name);
      if (empty) close(raw);
    },
    knows: (tag) => around().tags.has(tag),
    innermost: () => stack[stack.length - 1]?.raw,
    text(text) {
      const top = stack[stack.length - 1];
      if (top === undefined) {
        if (text.trim() !== "") throw new XmlError("text outside the document's element");
        return;
      }
      if (top.text.length + text.length > MAX_TOKEN) throw new XmlError("an element's text is too long");
      top.text += text;
    },
    complete: () => seenRoot && stack.length === 0,
  };
}

function scopeOf(spare: Scope | undefined, { raw, name, names }: Omit<Scope, "text">): Scope {
  if (spare === undefined) return { raw, name, names, text: "" };
  spare.raw = raw;
  spare.name = name;
  spare.names = names;
  spare.text = "";
  return spare;
}

/** Handles one token of `all` that begins at `at`; answers where it ends, or -1 when its end has not come yet. */
function readToken(elements: Elements, all: string, at: number): number {
  if (all.charCodeAt(at) !== LESS) {
    const end = all.indexOf("<", at);
    if (end < 0) return -1;
    elements.text(withoutEntities(all.slice(at, end)));
    return end;
  }
  if (all.charCodeAt(at + 1) === BANG || at + 1 === all.length) {
    if (all.length < at + 9 && "<![CDATA[".startsWith(all.slice(at))) return -1;
    if (all.length < at + 4 && "<!--".startsWith(all.slice(at))) return -1;
    if (all.startsWith("<![CDATA[", at)) return section(all, at, "]]>", (end) => elements.text(all.slice(at + 9, end)));
    if (all.startsWith("<!--", at)) return section(all, at + 4, "-->");
    throw new XmlError("a document type declaration");
  }
  if (all.startsWith("<?", at)) return section(all, at, "?>", (end) => checkEncoding(all.slice(at, end)));
  return all.charCodeAt(at + 1) === SLASH ? readEndTag(elements, all, at) : readStartTag(elements, all, at);
}

function readEndTag(elements: Elements, all: string, at: number): number {
  const expected = elements.innermost();
  const near = at + 2 + (expected?.length ?? 0);
  // Nearly always: and then no text is made of it.
  if (expected !== undefined && all.charCodeAt(near) === GREATER && all.startsWith(expected, at + 2)) {
    elements.close(expected);
    return near + 1;
  }
  const end = tagEnd(all, at);
  if (end >= 0) elements.close(all.slice(at + 2, end).trimEnd());
  return end < 0 ? -1 : end + 1;
}

function readStartTag(elements: Elements, all: string, at: number): number {
  const near = all.indexOf(">", at);
  if (near < 0) return -1;
  const tag = all.slice(at + 1, near);
  const end = elements.knows(tag) ? near : tagEnd(all, at);
  if (end >= 0) elements.open(end === near ? tag : all.slice(at + 1, end));
  return end < 0 ? -1 : end + 1;
}

const LESS = 0x3c;
const SLASH = 0x2f;
const GREATER = 0x3e;
const BANG = 0x21;
const NAME = /^[\p{L}_:][\p{L}\p{N}_:.\-·\p{M}]*$/u;

function section(all: string, from: number, closing: string, found?: (end: number) => void): number {
  const end = all.indexOf(closing, from);
  if (end < 0) return -1;
  found?.(end);
  return end + closing.length;
}

/** Where the `>` of the tag at `at` is; a `>` inside a quoted attribute does not count. */
function tagEnd(all: string, at: number): number {
  let end = all.indexOf(">", at);
  if (end < 0) return -1;
  const quote = all.slice(at, end).search(/["']/);
  if (quote < 0) return end;
  let i = at + quote;
  while (i < all.length) {
    const unit = all[i];
    if (unit === ">") return i;
    if (unit === '"' || unit === "'") {
      end = all.indexOf(unit, i + 1);
      if (end < 0) return -1;
      i = end;
    }
    i++;
  }
  return -1;
}

function withAttributes(around: Names, text: string): Names {
  const attribute = /\s+([^\s=<]+)\s*=\s*("[^"<]*"|'[^'<]*')/gy;
  let names: Map<string, string> | undefined;
  let at = 0;
  for (let match = attribute.exec(text); match; match = attribute.exec(text)) {
    at = attribute.lastIndex;
    const [, name = "", quoted = ""] = match;
    if (name !== "xmlns" && !name.startsWith("xmlns:")) continue;
    names ??= new Map(around.prefixes);
    names.set(name === "xmlns" ? "" : name.slice(6), withoutEntities(quoted.slice(1, -1)));
  }
  if (text.slice(at).trim() !== "") throw new XmlError(`not an attribute: ${JSON.stringify(shorten(text.slice(at)))}`);
  return names === undefined ? around : { prefixes: names, tags: new Map() };
}

function readTag(around: Names, tag: string): Tag {
  const empty = tag.endsWith("/");
  const inner = empty ? tag.slice(0, -1) : tag;
  const space = inner.search(/[ \t\r\n]/);
  const raw = space < 0 ? inner : inner.slice(0, space);
  if (!NAME.test(raw)) throw new XmlError(`not an element's name: ${JSON.stringify(shorten(raw))}`);
  const names = space < 0 ? around : withAttributes(around, inner.slice(space));
  const read: Tag = { raw, name: resolve(names, raw), names, empty };
  if (around.tags.size < MAX_TAGS) around.tags.set(tag, read);
  return read;
}

function resolve(names: Names, raw: string): string {
  const colon = raw.indexOf(":");
  const prefix = colon < 0 ? "" : raw.slice(0, colon);
  const uri = names.prefixes.get(prefix);
  if (uri === undefined && prefix !== "") throw new XmlError(`an unknown prefix: ${JSON.stringify(shorten(prefix))}`);
  return `{${uri ?? ""}}${raw.slice(colon + 1)}`;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function withoutEntities(text: string): string {
  if (!text.includes("&")) return text;
  return text.replace(/&([^;&]{0,12});?/g, (all, name: string) => {
    const plain = all.endsWith(";") ? (Object.hasOwn(ENTITIES, name) ? ENTITIES[name] : character(name)) : undefined;
    if (plain === undefined) throw new XmlError(`an unknown entity: ${JSON.stringify(all)}`);
    return plain;
  });
}

function character(name: string): string | undefined {
  const match = /^#(?:x([0-9a-fA-F]+)|([0-9]+))$/.exec(name);
  if (!match) return undefined;
  const code = match[1] !== undefined ? Number.parseInt(match[1], 16) : Number(match[2]);
  if (code === 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
  return String.fromCodePoint(code);
}

function checkEncoding(instruction: string): void {
  const encoding = /^<\?xml\s[^?]*encoding\s*=\s*["']([^"']*)["']/.exec(instruction)?.[1];
  if (encoding !== undefined && !/^(utf-?8|us-ascii)$/i.test(encoding)) {
    throw new XmlError(`an encoding that is not UTF-8: ${JSON.stringify(shorten(encoding))}`);
  }
}

function shorten(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text;
}
