import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
  type YAMLMap,
} from "yaml";
import { SettingsError } from "./errors.ts";
import { type PlainValue, resolvePlain } from "./yaml-scalar.ts";

/** One value with the line, counted from 1, on which it stands. */
export type YamlNode = { readonly line: number } & (
  | PlainValue
  | { readonly kind: "list"; readonly items: readonly YamlNode[] }
  | { readonly kind: "map"; readonly entries: YamlEntries }
);

/** Values by key, the last of several equal keys counts, as in PyYAML. */
export type YamlEntries = ReadonlyMap<string, YamlNode>;

export interface YamlFile {
  readonly entries: YamlEntries;
  /** Line of each key. */
  readonly keyLines: ReadonlyMap<string, number>;
  /** Keys that stand more than once. */
  readonly duplicates: readonly string[];
  /** With all source tokens, for editing. Its scalars are bare text. */
  readonly document: Document.Parsed;
}

/**
 * Reads a YAML 1.1 file whose content is one mapping, with the values that PyYAML's safe loader gives. Throws
 * SettingsError with the line for a syntax error, and for a file that is empty or no mapping. `file` is for messages.
 */
export function readYaml(text: string, file: string): YamlFile {
  const lines = new LineCounter();
  const document = parseDocument(text.replace(/^\ufeff/, ""), {
    // Everything is text at first: the values are resolved as PyYAML does, which no schema of the package does.
    schema: "failsafe",
    version: "1.1",
    uniqueKeys: false,
    merge: false,
    prettyErrors: false,
    keepSourceTokens: true,
    lineCounter: lines,
  });
  const lineAt = (offset: number | undefined) => lines.linePos(offset ?? 0).line;
  const [error] = document.errors;
  if (error) throw new SettingsError(file, syntaxMessage(error), { line: lineAt(error.pos[0]) });
  const root = document.contents;
  if (root === null || (isScalar(root) && root.source === "")) {
    throw new SettingsError(file, "the file is empty; run `claude-mirror init` in the project to write a new one");
  }
  if (!isMap(root)) {
    throw new SettingsError(
      file,
      `it holds ${isSeq(root) ? "a list" : "plain text"} where lines of the form "key: value" are needed`,
      {
        line: lineAt((root as { readonly range?: readonly number[] | null }).range?.[0]),
      },
    );
  }
  return { ...new Reader(file, document, lineAt).entriesOf(root, 0), document };
}

interface Entries {
  readonly entries: Map<string, YamlNode>;
  readonly keyLines: Map<string, number>;
  readonly duplicates: string[];
}

/** Deeper and more than in any sane settings file; aliases can make a small text endless. */
const MAX_DEPTH = 32;
const MAX_ALIASES = 1000;

/** Lives as long as one file is turned into values. */
class Reader {
  private readonly file: string;
  private readonly document: Document.Parsed;
  private readonly lineAt: (offset: number | undefined) => number;
  private aliases = 0;

  constructor(file: string, document: Document.Parsed, lineAt: (offset: number | undefined) => number) {
    this.file = file;
    this.document = document;
    this.lineAt = lineAt;
  }

  entriesOf(map: YAMLMap, depth: number): Entries {
    const found: Entries = { entries: new Map(), keyLines: new Map(), duplicates: [] };
    const merged: YamlNode[] = [];
    for (const pair of map.items) this.readPair(pair, depth, found, merged);
    for (const node of merged) this.mergeInto(found, node);
    return found;
  }

  private readPair(pair: Pair, depth: number, found: Entries, merged: YamlNode[]): void {
    const line = this.lineOf(pair.key) ?? 1;
    if (!isScalar(pair.key)) this.fail("a key must be a single word", line);
    const key = String(pair.key.source ?? pair.key.value ?? "");
    const value = this.nodeOf(pair.value, line, depth);
    if (key === "<<" && pair.key.type === "PLAIN") merged.push(value);
    else {
      if (found.entries.has(key)) found.duplicates.push(key);
      found.entries.set(key, value);
      found.keyLines.set(key, line);
    }
  }

  /** `<<: *other`: keys that the map itself has stay (yaml.org/type/merge). */
  private mergeInto(found: Entries, node: YamlNode): void {
    for (const part of node.kind === "list" ? node.items : [node]) {
      if (part.kind !== "map") this.fail('"<<" must name a mapping', node.line);
      for (const [key, value] of part.entries) {
        if (found.entries.has(key)) continue;
        found.entries.set(key, value);
        found.keyLines.set(key, node.line);
      }
    }
  }

  private nodeOf(node: unknown, keyLine: number, depth: number): YamlNode {
    const line = this.lineOf(node) ?? keyLine;
    if (depth > MAX_DEPTH) this.fail("it is nested too deep", line);
    if (isAlias(node)) return { ...this.nodeOf(this.target(node, line), keyLine, depth + 1), line };
    if (isMap(node)) return { line, kind: "map", entries: this.entriesOf(node, depth + 1).entries };
    if (isSeq(node)) return { line, kind: "list", items: node.items.map((item) => this.nodeOf(item, line, depth + 1)) };
    if (!isScalar(node)) return { line: keyLine, kind: "null" };
    const text = String(node.source ?? node.value ?? "");
    return { line: text === "" ? keyLine : line, ...this.scalarValue(text, node.type === "PLAIN", node.tag, line) };
  }

  private target(alias: Alias, line: number): unknown {
    if (++this.aliases > MAX_ALIASES) this.fail("it uses too many aliases", line);
    return alias.resolve(this.document) ?? this.fail("a value that begins with * needs quotes", line);
  }

  private scalarValue(text: string, plain: boolean, tag: string | undefined, line: number): PlainValue {
    if (tag === undefined) return plain ? resolvePlain(text) : { kind: "text", value: text };
    const name = tag.replace("tag:yaml.org,2002:", "!!");
    if (name === "!!str" || name === "!") return { kind: "text", value: text };
    const wanted = {
      "!!int": "number",
      "!!float": "number",
      "!!bool": "bool",
      "!!null": "null",
      "!!timestamp": "date",
    }[name];
    const value = resolvePlain(text);
    if (wanted === undefined || value.kind !== wanted)
      this.fail(`the tag "${name}" cannot be used here; remove it`, line);
    return value;
  }

  private lineOf(node: unknown): number | undefined {
    const range = (node as { readonly range?: readonly number[] | null } | null)?.range;
    return range ? this.lineAt(range[0]) : undefined;
  }

  private fail(found: string, line: number): never {
    throw new SettingsError(this.file, found, { line });
  }
}

const NOT_CLOSED =
  "a character is missing: look for a quote or bracket that is not closed, or a colon without a space after it";

/** Our own words for the package's error codes: its messages can quote the file, and a secret with it. */
function syntaxMessage({ code, message }: { readonly code: string; readonly message: string }): string {
  if (code === "BAD_INDENT" && /^Flow /.test(message)) return NOT_CLOSED;
  switch (code) {
    case "TAB_AS_INDENT":
      return "the line begins with a tab; indent with spaces";
    case "BAD_INDENT":
    case "BAD_COLLECTION_TYPE":
    case "BLOCK_IN_FLOW":
      return "the indentation does not fit the lines above; lines of one level begin in the same column";
    case "MULTIPLE_DOCS":
      return 'a second document begins here; remove the line "---"';
    case "MISSING_CHAR":
      return NOT_CLOSED;
    case "MULTILINE_IMPLICIT_KEY":
    case "BLOCK_AS_IMPLICIT_KEY":
      return 'this is no "key: value" line; look for a missing colon, or for a value with a colon that needs quotes';
    case "BAD_SCALAR_START":
    case "BAD_DQ_ESCAPE":
      return "the value begins with or holds a character that needs single quotes around the value";
    case "BAD_ALIAS":
      return "a value that begins with * needs quotes";
    default:
      return "this is not valid YAML; check the spelling of this line and the one above";
  }
}
