import { type JsonNode, parseJsonTree, skipBlank } from "./json-tree.ts";

/** Puts `source` in the place of what stands from `start` to `end`. */
export function replaceRange(text: string, { start, end }: Pick<JsonNode, "start" | "end">, source: string): string {
  return text.slice(0, start) + source + text.slice(end);
}

/** `value` as the last item of the array `list`, laid out as the text around it is. Every other byte stays. */
export function appendItem(text: string, list: JsonNode, value: unknown): string {
  return append(text, list, (layout) => layout.render(value));
}

/** `key` with `value` as the last member of `object`; the same promise. */
export function appendMember(text: string, object: JsonNode, key: string, value: unknown): string {
  return append(text, object, (layout) => `${JSON.stringify(key)}: ${layout.render(value)}`);
}

interface Layout {
  /** The value as JSON, its inner lines as deep as the place demands. */
  readonly render: (value: unknown) => string;
}

function append(text: string, list: JsonNode, source: (layout: Layout) => string): string {
  const children = childrenOf(list);
  const { indent, newline } = styleOf(text);
  const outer = marginAt(text, list.start);
  const last = children.at(-1);
  const flat = last !== undefined && !text.slice(list.start, last.start).includes("\n");
  const inner = last === undefined || flat ? outer + indent : marginAt(text, last.start);
  const render = (value: unknown) =>
    flat ? JSON.stringify(value) : JSON.stringify(value, null, indent).split("\n").join(`${newline}${inner}`);
  const item = source({ render });
  if (last === undefined) {
    const inside = text.slice(list.start + 1, list.end - 1).trimEnd();
    const body = `${inside}${newline}${inner}${item}${newline}${outer}`;
    return replaceRange(text, { start: list.start + 1, end: list.end - 1 }, body);
  }
  const comma = skipBlank(text, last.end);
  const hasComma = text.charAt(comma) === ",";
  const lead = flat ? " " : `${newline}${inner}`;
  if (hasComma) return replaceRange(text, { start: comma + 1, end: comma + 1 }, `${lead}${item}`);
  // A comment on the line of the last item belongs to that item.
  const at = flat ? last.end : last.end + trailingComment(text.slice(last.end, list.end - 1));
  return `${text.slice(0, last.end)},${text.slice(last.end, at)}${lead}${item}${text.slice(at)}`;
}

/** Length of the comment that goes on in the line where an item ends; 0 without one. */
function trailingComment(rest: string): number {
  const [found = ""] = /^[ \t]*(?:\/\/[^\r\n]*|\/\*[^\r\n]*?\*\/)/.exec(rest) ?? [];
  return found.length;
}

/** `list` without its child number `index`: with its comma and, where it stood alone on them, its lines. */
export function removeChild(text: string, list: JsonNode, index: number): string {
  const children = childrenOf(list);
  const child = children[index];
  if (!child) return text;
  const previous = children[index - 1];
  const comma = skipBlank(text, child.end);
  if (text.charAt(comma) === ",") return cutLines(text, child.start, comma + 1);
  if (!previous) return cutLines(text, child.start, child.end);
  const before = skipBlank(text, previous.end);
  const rest = cutLines(text, child.start, child.end);
  return replaceRange(rest, { start: before, end: before + 1 }, "");
}

/** Cuts the range out, with the white space before it and, where nothing else is left of its lines, their end. */
function cutLines(text: string, start: number, end: number): string {
  const lead = /[ \t]*$/.exec(text.slice(0, start))?.[0].length ?? 0;
  const [tail = ""] = /^[ \t]*(?:\r?\n|$)/.exec(text.slice(end)) ?? [];
  const ownLine = tail !== "" && text.charAt(start - lead - 1) === "\n";
  return ownLine
    ? text.slice(0, start - lead) + text.slice(end + tail.length)
    : text.slice(0, start - lead) + text.slice(end);
}

interface Child {
  readonly start: number;
  readonly end: number;
}

function childrenOf(node: JsonNode): readonly Child[] {
  if (node.kind === "array") return node.items;
  if (node.kind === "object") return node.members.map(({ start, value }) => ({ start, end: value.end }));
  return [];
}

/** How this text is laid out: the first indented line tells; two spaces where none is. */
function styleOf(text: string): { readonly indent: string; readonly newline: string } {
  const [, indent = "  "] = /\n([ \t]+)"/.exec(text) ?? [];
  return { indent, newline: text.includes("\r\n") ? "\r\n" : "\n" };
}

/** The white space that the line of `at` begins with. */
function marginAt(text: string, at: number): string {
  const line = text.slice(text.lastIndexOf("\n", at - 1) + 1);
  return /^[ \t]*/.exec(line)?.[0] ?? "";
}

/** The node at the end of a path of keys and indexes; undefined where the text holds none. */
export function nodeAt(text: string, path: readonly (string | number)[]): JsonNode | undefined {
  let node: JsonNode | undefined = parseJsonTree(text);
  for (const step of path) {
    if (node?.kind === "object") node = node.members.find(({ key }) => key === step)?.value;
    else if (node?.kind === "array" && typeof step === "number") node = node.items[step];
    else return undefined;
  }
  return node;
}
