import { expect, test } from "bun:test";
import fc from "fast-check";
import { holdsMarkers, MARKERS, type Merged, type MergeTexts, mergeLines, mergeTexts } from "../../src/sync/merge.ts";

type Merge = (texts: MergeTexts) => Merged;
type Sides = { readonly base: string[]; readonly local: string[]; readonly remote: string[] };

/** Every line is there once and tells who added it, so that a lost one shows. */
const SIDES: fc.Arbitrary<Sides> = fc.array(fc.tuple(edit(), edit()), { maxLength: 12 }).map((edits) => ({
  base: edits.map((_, at) => `base ${at}`),
  local: edits.flatMap(([how], at) => edited("local", how, at)),
  remote: edits.flatMap(([, how], at) => edited("remote", how, at)),
}));

type Edit = "keep" | "drop" | "replace" | "insert";

function edit(): fc.Arbitrary<Edit> {
  return fc.oneof({ weight: 6, arbitrary: fc.constant("keep" as const) }, fc.constantFrom("drop", "replace", "insert"));
}

function edited(side: string, how: Edit, at: number): string[] {
  if (how === "keep") return [`base ${at}`];
  if (how === "drop") return [];
  return how === "replace" ? [`${side} ${at}`] : [`${side} ${at}`, `base ${at}`];
}

/** A few short lines over and over, any line ending, with and without a newline at the end, with and without BOM. */
const TEXT = fc
  .tuple(
    fc.array(fc.constantFrom("", "a", "b", "constructor", "__proto__", "\r"), { maxLength: 8 }),
    fc.constantFrom("\n", "\r\n", "mixed"),
    fc.constantFrom("", "\n", "\r\n"),
    fc.constantFrom("", "\uFEFF"),
  )
  .map(([lines, ending, end, bom]) => {
    const join = (line: string, at: number) => line + (ending !== "mixed" ? ending : at % 2 ? "\n" : "\r\n");
    return bom + lines.map(join).join("") + (end === "" ? "last" : end);
  });

const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join("");
const texts = ({ base, local, remote }: Sides): MergeTexts => ({
  base: text(base),
  local: text(local),
  remote: text(remote),
});

function keepsAdditions(merge: Merge) {
  return fc.property(SIDES, (sides) => {
    const merged = new Set(merge(texts(sides)).text.split("\n"));
    const added = [...sides.local, ...sides.remote].filter((line) => !sides.base.includes(line));
    expect(added.filter((line) => !merged.has(line))).toEqual([]);
  });
}

/** What a side took away is gone, what neither did is there, and nothing comes from nowhere. */
function keepsRemovals(merge: Merge) {
  return fc.property(SIDES, (sides) => {
    const merged = merge(texts(sides));
    if (merged.kind === "conflict") return;
    const kept = sides.base.filter((line) => sides.local.includes(line) && sides.remote.includes(line));
    const added = [...sides.local, ...sides.remote].filter((line) => !sides.base.includes(line));
    expect(merged.text.split("\n").slice(0, -1).sort()).toEqual([...kept, ...added].sort());
  });
}

function changesOfOneSide(merge: Merge) {
  return fc.property(TEXT, TEXT, (base, text) => {
    expect(merge({ base, local: text, remote: base })).toEqual({ kind: "clean", text });
    expect(merge({ base, local: base, remote: text })).toEqual({ kind: "clean", text });
    expect(merge({ base, local: text, remote: text })).toEqual({ kind: "clean", text });
  });
}

function isSymmetric(merge: Merge) {
  return fc.property(TEXT, TEXT, TEXT, (base, local, remote) => {
    const here = merge({ base, local, remote });
    expect(merge({ base, local: remote, remote: local }).kind).toBe(here.kind);
    expect(here.kind === "conflict").toBe(holdsMarkers(here.text));
  });
}

const LAWS = {
  keepsAdditions: (merge: Merge) => fc.check(keepsAdditions(merge), RUNS),
  keepsRemovals: (merge: Merge) => fc.check(keepsRemovals(merge), RUNS),
  changesOfOneSide: (merge: Merge) => fc.check(changesOfOneSide(merge), RUNS),
  isSymmetric: (merge: Merge) => fc.check(isSymmetric(merge), RUNS),
};
const RUNS = { numRuns: 1000 };

test("mergeTexts: no added line is lost, no removed one comes back, one side's edit is taken as it is, sides are equal", () => {
  for (const law of Object.values(LAWS)) expect(law(mergeTexts)).toMatchObject({ failed: false });
});

const BUGS: readonly { readonly what: string; readonly law: keyof typeof LAWS; readonly merge: Merge }[] = [
  {
    what: "the last added line is lost",
    law: "keepsAdditions",
    merge: (sides) => ({ kind: "clean", text: mergeTexts(sides).text.replace(/remote \d+\n(?!.*remote)/s, "") }),
  },
  { what: "the local side always wins", law: "keepsAdditions", merge: ({ local }) => ({ kind: "clean", text: local }) },
  {
    what: "removed lines come back",
    law: "keepsRemovals",
    merge: (sides) => ({ ...mergeTexts(sides), text: sides.base + mergeTexts(sides).text }),
  },
  {
    what: "line endings are made the same",
    law: "changesOfOneSide",
    merge: (sides) => ({ ...mergeTexts(sides), text: mergeTexts(sides).text.replaceAll("\r\n", "\n") }),
  },
  {
    what: "a newline is put at the end",
    law: "changesOfOneSide",
    merge: (sides) => ({ ...mergeTexts(sides), text: mergeTexts(sides).text.replace(/[^\n]$/, "$&\n") }),
  },
  {
    what: "the longer side decides whether it is a conflict",
    law: "isSymmetric",
    merge: (sides) =>
      sides.local.length > sides.remote.length ? { kind: "clean", text: sides.local } : mergeTexts(sides),
  },
];

test.each([...BUGS])("mergeTexts: the laws find a merge in which $what", ({ law, merge }) => {
  expect(LAWS[law](merge).failed).toBe(true);
});

test("mergeLines: holds every line of both sides, in both orders, as often as the side that has it more often", () => {
  const line = fc.constantFrom("a", "b", "c", "constructor");
  const lines = fc.array(line, { maxLength: 10 });
  const count = (all: readonly string[], one: string) => all.filter((it) => it === one).length;
  fc.assert(
    fc.property(lines, lines, lines, (base, here, there) => {
      const local = [...base, ...here];
      const remote = [...base, ...there];
      const merged = mergeLines({ local: text(local), remote: text(remote) })
        .split("\n")
        .slice(0, -1);
      for (const one of new Set([...local, ...remote]))
        expect(count(merged, one)).toBe(Math.max(count(local, one), count(remote, one)));
      expect(isWithin(local, merged)).toBe(true);
    }),
  );
  fc.assert(
    fc.property(SIDES, ({ local, remote, base }) => {
      const united = mergeLines({ local: text(local), remote: text(remote) }).split("\n");
      expect(isWithin(local, united) && isWithin(remote, united)).toBe(true);
      expect(united.filter((it) => base.includes(it))).toHaveLength(
        base.filter((it) => local.includes(it) || remote.includes(it)).length,
      );
    }),
  );
});

function isWithin(lines: readonly string[], all: readonly string[]): boolean {
  let at = 0;
  for (const line of all) if (line === lines[at]) at++;
  return at === lines.length;
}

test("mergeTexts, mergeLines: large texts, unique lines or not, take no time to speak of", () => {
  const unique = Array.from({ length: 20_000 }, (_, at) => `line ${at}`);
  const local = unique.with(5, "mine");
  const remote = unique.with(-5, "theirs");
  expect(mergeTexts(texts({ base: unique, local, remote })).text).toBe(text(local.with(-5, "theirs")));
  expect(mergeLines({ local: text(local), remote: text(remote) }).split("\n")).toHaveLength(20_003);
  const alike = Array.from({ length: 8000 }, (_, at) => (at % 3 ? "" : "}"));
  const sides = { base: alike, local: ["mine", ...alike.slice(1)], remote: [...alike.slice(0, -1), "theirs"] };
  expect(mergeTexts(texts(sides)).kind).toBe("conflict");
  expect(mergeLines({ local: text(sides.local), remote: text(sides.remote) }).split("\n")).toHaveLength(8002 + 1);
});

test("mergeTexts: what both sides changed stands between markers with the base", () => {
  const merged = mergeTexts({ base: "1\r\n2\r\n3", local: "1\r\nmine\r\n3", remote: "1\r\ntheirs\r\n3" });
  const block = [MARKERS.local, "mine", MARKERS.base, "2", MARKERS.middle, "theirs", MARKERS.remote];
  expect(merged).toEqual({ kind: "conflict", text: ["1", ...block, "3"].join("\r\n") });
});

test("mergeTexts: a side that changed line endings, final newline or byte order mark alone meets the other's edit", () => {
  const base = "1\n2\n3\n4\n";
  const cases = [
    { local: "1\r\n2\r\n3\r\n4\r\n", text: "1\r\n2\r\n3\r\nfour\r\n" },
    { local: "1\n2\n3\n4", text: "1\n2\n3\nfour" },
    { local: `\uFEFF${base}`, text: "\uFEFF1\n2\n3\nfour\n" },
    { local: "one\n2\n3\n4\n", text: "one\n2\n3\nfour\n" },
  ];
  for (const { local, text } of cases) {
    expect(mergeTexts({ base, local, remote: "1\n2\n3\nfour\n" })).toEqual({ kind: "clean", text });
  }
});

test("holdsMarkers: only whole lines count, and both must be there", () => {
  expect(holdsMarkers(`x\r\n${MARKERS.local}\r\ny\r\n${MARKERS.remote}`)).toBe(true);
  expect(holdsMarkers(`${MARKERS.local}\n`)).toBe(false);
  expect(holdsMarkers(` ${MARKERS.local}\n${MARKERS.remote} x\n`)).toBe(false);
});
