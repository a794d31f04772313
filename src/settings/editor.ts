import * as fs from "node:fs";
import { isMap, isScalar, isSeq, type Pair, type Scalar, type YAMLMap } from "yaml";
import { writeSecret } from "../lib/secrets.ts";
import type { ConfigValue, ConfigValues } from "./config-keys.ts";
import { SettingsError } from "./errors.ts";
import { formatEntry } from "./writer.ts";
import { readYaml, type YamlEntries, type YamlNode } from "./yaml-tree.ts";

export interface EditOptions {
  /** Name of the file in messages. */
  readonly file: string;
  /** Keys to take out, with their values. Those that are not there are passed over. */
  readonly remove?: readonly string[];
}

/**
 * The text of a project YAML with some values changed and every other byte kept: comments, order, unknown keys, blank
 * lines. A key that is new goes to the end. Values that are already as wished are not touched. Throws SettingsError
 * when the file cannot be read, or is built so that a change would not be certain to mean what it says.
 */
export function editConfig(text: string, changes: ConfigValues, options: EditOptions): string {
  const remove = new Set(options.remove);
  let edited = text;
  for (const key of remove) edited = removeKey(edited, key, options.file);
  for (const [key, value] of Object.entries(changes)) {
    if (!remove.has(key)) edited = setKey(edited, key, value, options.file);
  }
  verify(text, edited, changes, remove, options.file);
  return edited;
}

/**
 * Puts the text in the place of the file, atomically, readable by the owner alone. Where the file is a symbolic link
 * the file behind it is replaced, and the link stays.
 */
export function saveConfig(file: string, text: string): void {
  const real = fs.existsSync(file) ? fs.realpathSync(file) : file;
  writeSecret(real, text);
}

function setKey(text: string, key: string, value: ConfigValue, file: string): string {
  const { root, entries, start } = open(text, file);
  if (same(entries.get(key), value)) return text;
  const pair = pairOf(root, key);
  const indent = columnOf(text, start + rangeOf(root.items[0]?.key)[0]);
  if (pair === undefined)
    return append(text, start, root, formatEntry(key, value, { indent, width: Number.POSITIVE_INFINITY }));
  const bare = formatEntry(key, value, { indent, width: Number.POSITIVE_INFINITY }).slice(indent + key.length + 1, -1);
  const simple = simpleValue(pair);
  if (simple && !Array.isArray(value)) return splice(text, start, simple, bare.slice(1));
  const { from, to, comment } = valueRegion(pair, file);
  const [first, ...rest] = bare.split("\n");
  // A block scalar's region includes the line break after it.
  const end = text.slice(start + from, start + to).endsWith("\n") ? "\n" : "";
  return splice(text, start, [from, to], [(first ?? "") + comment, ...rest].join("\n") + end);
}

function removeKey(text: string, key: string, file: string): string {
  const { root, start } = open(text, file);
  let kept = text;
  // From the last to the first: offsets before a cut stay right.
  for (const pair of [...root.items].reverse()) {
    if (keyOf(pair) !== key) continue;
    const { to } = valueRegion(pair, file);
    const from = lineStart(kept, start + rangeOf(pair.key)[0]);
    const end = start + to;
    kept = kept.slice(0, from) + kept.slice(kept[end - 1] === "\n" ? end : lineEnd(kept, end));
  }
  return kept;
}

interface Opened {
  readonly root: YAMLMap;
  readonly entries: YamlEntries;
  /** Offset of the YAML in the text: 1 after a byte order mark. */
  readonly start: number;
}

function open(text: string, file: string): Opened {
  const { document, entries } = readYaml(text, file);
  const root = document.contents;
  if (!isMap(root) || root.flow) throw new SettingsError(file, "it is one mapping in braces; edit it by hand");
  return { root, entries, start: text.startsWith("\ufeff") ? 1 : 0 };
}

function append(text: string, start: number, root: YAMLMap, entry: string): string {
  const at = start + rangeOf(root)[1];
  // Behind the last value's own line, comment included, and before a document end mark.
  const end = text[at - 1] === "\n" ? at : lineEnd(text, at);
  const hasMore = /^(?:\.\.\.|---)/m.test(text.slice(end));
  const place = hasMore ? end : text.length;
  const gap = place === 0 || text[place - 1] === "\n" ? "" : newlineOf(text);
  return text.slice(0, place) + gap + withNewlines(entry, text) + text.slice(place);
}

/** Where the value stands when it is a quoted or plain scalar of one line without anchor or tag. */
function simpleValue(pair: Pair): readonly [number, number] | undefined {
  const value = pair.value;
  if (!isScalar(value) || !value.source || value.tag !== undefined || value.anchor !== undefined) return undefined;
  if (!SIMPLE_TYPES.has(value.type)) return undefined;
  const [from, to] = rangeOf(value);
  return [from, to];
}

const SIMPLE_TYPES: ReadonlySet<Scalar["type"]> = new Set<Scalar["type"]>(["PLAIN", "QUOTE_SINGLE", "QUOTE_DOUBLE"]);

interface Region {
  /** Just behind the colon. */
  readonly from: number;
  readonly to: number;
  /** A comment on the key's own line that the region holds, with the space before it. */
  readonly comment: string;
}

function valueRegion(pair: Pair, file: string): Region {
  const tokens = pair.srcToken?.sep ?? [];
  const colon = tokens.find((token) => token.type === "map-value-ind");
  if (colon === undefined) throw new SettingsError(file, `"${keyOf(pair)}" has no value; add a colon to it`);
  const from = colon.offset + 1;
  const newline = tokens.findIndex((token) => token.type === "newline");
  const comment = tokens.slice(0, newline < 0 ? tokens.length : newline).find((token) => token.type === "comment");
  const to = Math.max(from, pair.value === null ? from : rangeOf(pair.value)[1]);
  // An empty value ends where its line does: what follows on the line stays.
  const empty = isScalar(pair.value) && pair.value.source === "" && pair.value.type === "PLAIN";
  if (empty) return { from, to: from, comment: "" };
  return { from, to, comment: comment && isSeq(pair.value) ? ` ${comment.source}` : "" };
}

/** The last pair of that key: the one that counts. */
function pairOf(root: YAMLMap, key: string): Pair | undefined {
  return root.items.findLast((pair) => keyOf(pair) === key);
}

function keyOf(pair: Pair): string | undefined {
  return isScalar(pair.key) ? String(pair.key.source ?? pair.key.value) : undefined;
}

function rangeOf(node: unknown): readonly [number, number] {
  const range = (node as { readonly range?: readonly [number, number, number] | null } | null)?.range;
  return range ? [range[0], range[1]] : [0, 0];
}

function splice(text: string, start: number, [from, to]: readonly [number, number], replacement: string): string {
  return text.slice(0, start + from) + withNewlines(replacement, text) + text.slice(start + to);
}

function newlineOf(text: string): string {
  return text.includes("\r\n") ? "\r\n" : "\n";
}

function withNewlines(added: string, text: string): string {
  return newlineOf(text) === "\n" ? added : added.replaceAll("\n", "\r\n");
}

function lineStart(text: string, at: number): number {
  return text.lastIndexOf("\n", at - 1) + 1;
}

/** Behind the line's end. */
function lineEnd(text: string, at: number): number {
  const end = text.indexOf("\n", at);
  return end < 0 ? text.length : end + 1;
}

function columnOf(text: string, at: number): number {
  const begin = lineStart(text, at);
  return at - begin - (begin === 0 && text.startsWith("\ufeff") ? 1 : 0);
}

/** Reads the result back: the changed keys must have their new values, and the others must be what they were. */
function verify(text: string, edited: string, changes: ConfigValues, remove: ReadonlySet<string>, file: string): void {
  const before = open(text, file).entries;
  let after: YamlEntries;
  try {
    after = open(edited, file).entries;
  } catch (error) {
    throw new SettingsError(file, "it is built so that it cannot be changed safely; edit it by hand", { cause: error });
  }
  const names = new Set([...before.keys(), ...after.keys(), ...Object.keys(changes)]);
  for (const name of names) {
    const value = changes[name];
    const node = after.get(name);
    const right = remove.has(name)
      ? node === undefined
      : value !== undefined
        ? same(node, value)
        : equal(before.get(name), node);
    if (!right) throw new SettingsError(file, `"${name}" cannot be changed safely in this file; edit it by hand`);
  }
}

function same(node: YamlNode | undefined, value: ConfigValue): boolean {
  if (node === undefined) return false;
  if (value === null) return node.kind === "null";
  if (typeof value === "object") {
    return (
      node.kind === "list" &&
      node.items.length === value.length &&
      node.items.every((item, i) => same(item, value[i] ?? null))
    );
  }
  return (node.kind === "text" || node.kind === "number" || node.kind === "bool") && node.value === value;
}

function equal(a: YamlNode | undefined, b: YamlNode | undefined): boolean {
  return JSON.stringify(a, withoutLines) === JSON.stringify(b, withoutLines);
}

function withoutLines(key: string, value: unknown): unknown {
  if (key === "line") return undefined;
  return value instanceof Map ? [...value] : value;
}
