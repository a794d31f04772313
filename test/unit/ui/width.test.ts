import { describe, expect, test } from "bun:test";
import { hangingLines, wrapParts, wrapWords } from "../../../src/ui/width.ts";

describe("wrapWords", () => {
  test("wrapWords: lines are filled, a word that is too long has a line of its own, code marks take no room", () => {
    expect(wrapWords("one two three four", 9)).toEqual(["one two", "three", "four"]);
    expect(wrapWords("a very-long-word-indeed b", 6)).toEqual(["a", "very-long-word-indeed", "b"]);
    expect(wrapWords("`one` two", 7)).toEqual(["`one` two"]);
    expect(wrapWords("日本 語", 4)).toEqual(["日本", "語"]);
    expect(wrapWords("", 5)).toEqual([""]);
  });
});

describe("wrapParts", () => {
  test("wrapParts: parts stay whole and colour takes no room", () => {
    const red = (text: string) => `\x1b[31m${text}\x1b[39m`;
    expect(wrapParts([red("1 a"), red("2 b"), "3 c"], { between: " · ", width: 9 })).toEqual([
      `${red("1 a")} · ${red("2 b")}`,
      "3 c",
    ]);
    expect(wrapParts([], { between: " ", width: 9 })).toEqual([]);
  });
});

describe("hangingLines", () => {
  test("hangingLines: what goes on is indented, leading spaces stay, and without a width nothing is cut", () => {
    expect(hangingLines("! check: a detail that goes on", { indent: 2, width: 16 })).toEqual([
      "! check: a",
      "  detail that",
      "  goes on",
    ]);
    expect(hangingLines("    Run this command", { indent: 4, width: 16 })).toEqual(["    Run this", "    command"]);
    expect(hangingLines("a b c", { indent: 2 })).toEqual(["a b c"]);
  });
});
