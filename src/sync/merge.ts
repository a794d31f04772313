import { diff3Merge, diffIndices } from "node-diff3";
import { type Piece, piecesBetweenAnchors } from "./anchors.ts";

/** The three texts of one path. `base` is what both sides agreed on last. */
export interface MergeTexts {
  readonly base: string;
  readonly local: string;
  readonly remote: string;
}

/** `text` of a conflict holds markers around what both sides changed, with the base between them. */
export type Merged = { readonly kind: "clean" | "conflict"; readonly text: string };

/** Lines that begin and end what both sides changed; the word DRIVE stands for every backend (reference 1.16). */
export const MARKERS = {
  local: "<<<<<<< LOCAL",
  base: "||||||| BASE",
  middle: "=======",
  remote: ">>>>>>> DRIVE",
} as const;

/**
 * Merges line by line (diff3). Byte order mark, line ending and the newline at the end of the file are settled like
 * lines of their own: the side that changed them wins. Edits that touch are a conflict. Whole file in, whole file out.
 */
export function mergeTexts({ base, local, remote }: MergeTexts): Merged {
  if (local === remote || remote === base) return { kind: "clean", text: local };
  if (local === base) return { kind: "clean", text: remote };
  const sides = inOneForm({ base: formOf(base), local: formOf(local), remote: formOf(remote) });
  const { form, lines } = sides;
  const start = sharedStart(lines.base, lines.local, lines.remote);
  const end = sharedEnd(start, lines.base, lines.local, lines.remote);
  const merged: string[] = lines.base.slice(0, start);
  let kind: Merged["kind"] = "clean";
  for (const piece of piecesBetweenAnchors(innerLines(lines, start, end))) {
    for (const { ok, conflict } of regionsOf(piece)) {
      if (ok) pushAll(merged, ok);
      if (conflict === undefined) continue;
      kind = "conflict";
      const { a, o, b } = conflict;
      pushAll(merged, [mark("local", form), ...a, mark("base", form), ...o]);
      pushAll(merged, [mark("middle", form), ...b, mark("remote", form)]);
    }
  }
  pushAll(merged, lines.base.slice(lines.base.length - end));
  return { kind, text: textOf(merged, form) };
}

/**
 * Every line of both sides, each side's in its own order, for files that are only appended to: a line that both hold is
 * there as often as in the side that has it more often. Where the order alone does not tell, local lines come first.
 */
export function mergeLines({ local, remote }: Omit<MergeTexts, "base">): string {
  const sides = inOneForm({ base: formOf(local), local: formOf(local), remote: formOf(remote) });
  const { form, lines } = sides;
  const missing = lacking(lines.local, lines.remote);
  const start = sharedStart(lines.local, lines.remote);
  const end = sharedEnd(start, lines.local, lines.remote);
  const merged = lines.local.slice(0, start);
  for (const { local: here, remote: there } of piecesBetweenAnchors(innerLines(lines, start, end))) {
    let at = 0;
    for (const { upTo, added } of additions(here, there)) {
      pushAll(merged, here.slice(at, upTo));
      for (const line of added) if (take(missing, line)) merged.push(line);
      at = upTo;
    }
    pushAll(merged, here.slice(at));
  }
  pushAll(merged, lines.local.slice(lines.local.length - end));
  return textOf(merged, form);
}

/** True when both outer markers are left, each a line of its own. */
export function holdsMarkers(text: string): boolean {
  return [MARKERS.local, MARKERS.remote].every((marker) => new RegExp(`^\\uFEFF?${marker}\r?$`, "m").test(text));
}

type Region = ReturnType<typeof diff3Merge<string>>[number];

function regionsOf({ kind, base, local, remote }: Piece): readonly Region[] {
  if (kind === "same") return [{ ok: [...base] }];
  const [a, o, b] = [[...local], [...base], [...remote]];
  if (isComparable(o, a) && isComparable(o, b)) return diff3Merge(a, o, b);
  return [{ conflict: { a, aIndex: 0, o, oIndex: 0, b, bIndex: 0 } }];
}

/** The lines that `there` adds, each group with how many lines of `here` come before it. */
function additions(here: readonly string[], there: readonly string[]): { upTo: number; added: readonly string[] }[] {
  if (!isComparable(here, there)) return [{ upTo: here.length, added: there }];
  return diffIndices([...here], [...there]).map(({ buffer1: [from, length], buffer2Content }) => {
    return { upTo: from + length, added: buffer2Content };
  });
}

/** About what comparing may cost, in steps of some nanoseconds: the algorithm is cubic where lines repeat. */
const MOST_STEPS = 2e8;

function isComparable(left: readonly string[], right: readonly string[]): boolean {
  const counts = new Map<string, number>();
  for (const line of left) counts.set(line, (counts.get(line) ?? 0) + 1);
  let pairs = 0;
  for (const line of right) pairs += counts.get(line) ?? 0;
  return pairs * Math.min(left.length, right.length) <= MOST_STEPS;
}

type Ending = "\n" | "\r\n";

/** A text taken apart: its lines with their endings, the last one given an ending too. */
interface Form {
  readonly lines: readonly string[];
  readonly bom: boolean | undefined;
  /** The ending of every line; undefined where there is none or they differ. */
  readonly ending: Ending | undefined;
  readonly isMixed: boolean;
  /** Whether the last line ends in a newline; undefined for a text without lines. */
  readonly closed: boolean | undefined;
}

function formOf(text: string): Form {
  const bom = text.startsWith("\uFEFF");
  const body = bom ? text.slice(1) : text;
  const lines = body.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  const closed = lines.length === 0 ? undefined : body.endsWith("\n");
  const endings = new Set(lines.filter((line) => line.endsWith("\n")).map(endingOf));
  const [ending] = endings.size === 1 ? endings : [];
  if (closed === false) lines[lines.length - 1] += ending ?? "\n";
  return { lines, bom: text === "" ? undefined : bom, ending, isMixed: endings.size > 1, closed };
}

function endingOf(line: string): Ending {
  return line.endsWith("\r\n") ? "\r\n" : "\n";
}

type Sides<T> = { readonly base: T; readonly local: T; readonly remote: T };

interface OneForm {
  readonly form: { readonly bom: boolean; readonly ending: Ending; readonly closed: boolean };
  readonly lines: Sides<readonly string[]>;
}

/** Gives the three texts one line ending, unless one of them mixes endings: then they stay part of the lines. */
function inOneForm({ base, local, remote }: Sides<Form>): OneForm {
  const changed = <T>(of: (form: Form) => T | undefined): T | undefined => {
    const side = of(local) === of(base) ? of(remote) : of(local);
    return side ?? of(local) ?? of(remote);
  };
  const ending = changed((form) => form.ending) ?? "\n";
  const mixed = base.isMixed || local.isMixed || remote.isMixed;
  const lines = (form: Form) =>
    mixed || form.ending === ending ? form.lines : form.lines.map((line) => withEnding(line, form.ending, ending));
  return {
    form: { bom: changed((form) => form.bom) ?? false, ending, closed: changed((form) => form.closed) ?? true },
    lines: { base: lines(base), local: lines(local), remote: lines(remote) },
  };
}

function withEnding(line: string, from: Ending | undefined, to: Ending): string {
  return line.slice(0, -(from ?? "\n").length) + to;
}

/** A conflict at the end keeps the newline of its last marker. */
function textOf(lines: readonly string[], { bom, closed, ending }: OneForm["form"]): string {
  const last = lines.at(-1);
  const isOpen = !closed && last?.endsWith(ending) && last !== MARKERS.remote + ending;
  const body = isOpen ? lines.join("").slice(0, -ending.length) : lines.join("");
  return (bom ? "\uFEFF" : "") + body;
}

function mark(name: keyof typeof MARKERS, { ending }: OneForm["form"]): string {
  return MARKERS[name] + ending;
}

function innerLines({ base, local, remote }: Sides<readonly string[]>, start: number, end: number) {
  const inner = (all: readonly string[]) => all.slice(start, all.length - end);
  return { base: inner(base), local: inner(local), remote: inner(remote) };
}

function sharedStart(first: readonly string[], ...others: readonly (readonly string[])[]): number {
  let at = 0;
  while (at < first.length && others.every((other) => other[at] === first[at])) at++;
  return at;
}

/** How many lines at the end are the same in all, none of them among the first `start`. */
function sharedEnd(start: number, first: readonly string[], ...others: readonly (readonly string[])[]): number {
  const most = Math.min(first.length, ...others.map((other) => other.length)) - start;
  let end = 0;
  while (end < most && others.every((other) => other.at(-1 - end) === first.at(-1 - end))) end++;
  return end;
}

/** How often each line of `wanted` is missing among `held`. */
function lacking(held: readonly string[], wanted: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of wanted) counts.set(line, (counts.get(line) ?? 0) + 1);
  for (const line of held) counts.set(line, (counts.get(line) ?? 0) - 1);
  return counts;
}

function take(counts: Map<string, number>, line: string): boolean {
  const left = counts.get(line) ?? 0;
  counts.set(line, left - 1);
  return left > 0;
}

function pushAll(target: string[], lines: readonly string[]): void {
  for (const line of lines) target.push(line);
}
