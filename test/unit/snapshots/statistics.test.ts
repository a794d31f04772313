import { expect, test } from "bun:test";
import fc from "fast-check";
import { tallyContents } from "../../../src/snapshots/content-tally.ts";
import { deltaBody, type Entries, formatRecord, parseDeltaLog, wholeBody } from "../../../src/snapshots/delta-log.ts";

const sha = (n: number) => String(n).repeat(64).slice(0, 64);

interface State {
  /** In the text this comes at the place it has in the list; by time, by its name. */
  readonly name: string;
  readonly files: Readonly<Record<string, number>>;
  readonly wanted: boolean;
  readonly whole: boolean;
}

function logOf(states: readonly State[]) {
  const parts: Buffer[] = [];
  let digest = parseDeltaLog(Buffer.alloc(0)).digest;
  let before: Entries = new Map();
  for (const [at, { name, files, whole }] of states.entries()) {
    const after: Entries = new Map(
      Object.entries(files).map(([path, content]) => [JSON.stringify(path), sha(content)]),
    );
    const asWhole = whole || at === 0;
    const head = { op: asWhole ? "whole" : "delta", name, format: "blobs", rev: null, size: 0 } as const;
    const record = formatRecord(digest, head, asWhole ? wholeBody(after) : deltaBody(before, after).body);
    parts.push(...record.bytes);
    digest = record.digest;
    before = after;
  }
  const wanted = new Map(states.flatMap(({ name, wanted: is }, at) => (is ? [[name, { at }] as const] : [])));
  return { log: parseDeltaLog(Buffer.concat(parts)), wanted };
}

const sizeOf = (sha256: string) => (sha256[0] === "9" ? undefined : Number(sha256[0]) * 10);

/** The same, counted the slow way. */
function counted(states: readonly State[], forgetful = false) {
  const firstIn = new Map<string, string>();
  const contents = new Map<string, Set<string>>();
  let files = 0;
  let bytes: number | null = 0;
  for (const { name, files: held } of forgetful
    ? states.filter(({ wanted }) => wanted)
    : [...states].filter(({ wanted }) => wanted).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    for (const [path, content] of Object.entries(held)) {
      const size = sizeOf(sha(content));
      files++;
      bytes = bytes === null || size === undefined ? null : bytes + size;
      if (!firstIn.has(sha(content))) firstIn.set(sha(content), name);
      contents.set(path, (contents.get(path) ?? new Set()).add(sha(content)));
    }
  }
  const versions = new Map([...contents].filter(([, all]) => all.size > 1).map(([path, all]) => [path, all.size]));
  return { files, bytes, firstIn, versions };
}

const tree = fc.dictionary(fc.constantFrom("a.md", 'q"uote.md', "d/ü.md"), fc.constantFrom(1, 2, 3, 9));
const history = fc
  .array(fc.record({ files: tree, wanted: fc.boolean(), whole: fc.boolean() }), { minLength: 1, maxLength: 8 })
  .chain((states) =>
    fc
      .shuffledSubarray(
        states.map((_, at) => `2026-03-0${at + 1}T00-00-00Z`),
        { minLength: states.length },
      )
      .map((names) => states.map((state, at) => ({ ...state, name: names[at] as string }))),
  );

test("tallyContents: counts what counting snapshot by snapshot counts, in whatever order they were seen", () => {
  fc.assert(
    fc.property(history, (states) => {
      const { log, wanted } = logOf(states);
      const found = tallyContents(log, wanted, sizeOf);
      expect({
        ...found,
        firstIn: new Map([...found.firstIn].sort()),
        versions: new Map([...found.versions].sort()),
      }).toEqual({
        ...counted(states),
        firstIn: new Map([...counted(states).firstIn].sort()),
        versions: new Map([...counted(states).versions].sort()),
      });
    }),
    { numRuns: 300 },
  );
});

test("tallyContents: the property finds out one that takes the order of the text for the order of time", () => {
  const { failed } = fc.check(
    fc.property(history, (states) => {
      const { log, wanted } = logOf(states);
      expect(new Map([...tallyContents(log, wanted, sizeOf).firstIn].sort())).toEqual(
        new Map([...counted(states, true).firstIn].sort()),
      );
    }),
    { numRuns: 300 },
  );
  expect(failed).toBe(true);
});
