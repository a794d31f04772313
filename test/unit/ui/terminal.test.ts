import { describe, expect, test } from "bun:test";
import { bytesText, clockText, countText } from "../../../src/ui/format.ts";
import { tableLines } from "../../../src/ui/table.ts";
import { makeStyle, openTerminal, printable, wantsColour } from "../../../src/ui/terminal.ts";
import { cutWidth, displayWidth, fitWidth, padWidth } from "../../../src/ui/width.ts";

describe("wantsColour", () => {
  test.each([
    [{}, true, true],
    [{}, false, false],
    [{ NO_COLOR: "1" }, true, false],
    [{ NO_COLOR: "" }, true, true],
    [{ FORCE_COLOR: "1" }, false, true],
    [{ FORCE_COLOR: "0" }, true, false],
    [{ NO_COLOR: "1", FORCE_COLOR: "1" }, true, false],
    [{ TERM: "dumb" }, true, false],
  ])("wantsColour: %j at a terminal %p is %p", (env, isTTY, wanted) => {
    expect(wantsColour(env, isTTY)).toBe(wanted);
  });
});

describe("displayWidth", () => {
  test.each([
    ["", 0],
    ["plain", 5],
    ["é", 1],
    ["e\u0301", 1],
    ["日本語", 6],
    ["한글", 4],
    ["\u1112\u1161\u11ab", 2],
    ["ｆｕｌｌ", 8],
    ["👍", 2],
    ["👩‍👩‍👧", 2],
    ["🇩🇪", 2],
    ["❤️", 2],
    ["…│─", 3],
    ["\u200b", 0],
    ["\x1b[31mred\x1b[39m", 3],
  ])("displayWidth: %p takes %d", (text, width) => {
    expect(displayWidth(text)).toBe(width);
  });

  test("cutWidth: never cuts through a character and never gets too wide", () => {
    expect(cutWidth("日本語", 6)).toBe("日本語");
    expect(cutWidth("日本語", 5)).toBe("日本…");
    expect(cutWidth("日本語", 4)).toBe("日…");
    expect(cutWidth("abc", 0)).toBe("");
    expect(fitWidth("日本語", 4)).toBe("日… ");
    expect(padWidth("日", 4)).toBe("日  ");
  });
});

describe("printable", () => {
  test("printable: a name cannot steer the terminal", () => {
    expect(printable("a\x1b[2Jb\nc\u202ed")).toBe("a\\x1b[2Jb\\x0ac\\u202ed");
    expect(printable("ordinary é 日本")).toBe("ordinary é 日本");
  });
});

describe("openTerminal", () => {
  test("openTerminal: no colour codes when piped, codes at a terminal", () => {
    const write = () => {};
    expect(openTerminal({ write, isTTY: false }, {}).style.red("x")).toBe("x");
    expect(openTerminal({ write, isTTY: true, columns: 40 }, {}).style.red("x")).toBe("\x1b[31mx\x1b[39m");
    expect(openTerminal({ write, isTTY: false }, {}).style.width).toBeUndefined();
  });
});

describe("tableLines", () => {
  test("tableLines: draws the seed's table", () => {
    const lines = tableLines({
      columns: [{ header: "File" }, { header: "N", align: "right" }],
      rows: [
        ["a.md", "1"],
        ["日本", "100"],
      ],
    });
    expect(lines).toEqual([
      "┏━━━━━━┳━━━━━┓",
      "┃ File ┃   N ┃",
      "┡━━━━━━╇━━━━━┩",
      "│ a.md │   1 │",
      "│ 日本 │ 100 │",
      "└──────┴─────┘",
    ]);
  });

  test("tableLines: folds a long path at a slash and loses nothing", () => {
    const path = "memory/projects/2026/november/decisions-about-everything.md";
    const lines = tableLines({
      columns: [{ header: "File", folds: true }, { header: "Status" }],
      rows: [[path, "in sync"]],
      width: 40,
    });
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(40);
    const cells = lines.slice(3, -1).map((line) => line.split("│")[1]?.trim());
    expect(cells.join("")).toBe(path);
    expect(cells[0]?.endsWith("/")).toBe(true);
  });

  test("tableLines: colour does not change the layout", () => {
    const style = makeStyle(true);
    const rows = [[{ text: "x", paint: style.red }]];
    const [, , , row] = tableLines({ columns: [{ header: "abc" }], rows });
    expect(row).toBe("│ \x1b[31mx\x1b[39m   │");
  });
});

describe("format", () => {
  test.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [1024, "1.0 KB"],
    [1536, "1.5 KB"],
    [1024 * 1024 - 1, "1.0 MB"],
    [5 * 1024 ** 3, "5.0 GB"],
  ])("bytesText: %d is %s", (bytes, text) => {
    expect(bytesText(bytes)).toBe(text);
  });

  test("clockText: minutes and hours", () => {
    expect([0, 7, 61, 3723].map(clockText)).toEqual(["0:00", "0:07", "1:01", "1:02:03"]);
  });

  test("countText: one and many", () => {
    expect([countText(1, "file"), countText(12345, "file")]).toEqual(["1 file", "12,345 files"]);
  });
});
