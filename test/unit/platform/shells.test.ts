import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  addBlock,
  COMPLETION_MARKERS,
  completionLine,
  dropBlock,
  PATH_MARKERS,
  pathLine,
  shellWord,
} from "../../../src/platform/shells.ts";

const LINE = completionLine("bash");

describe("addBlock", () => {
  test("addBlock: runs of blank lines elsewhere stay when the block goes", () => {
    const text = "a\n\n\n\nb\n";
    const added = addBlock(text, COMPLETION_MARKERS, LINE).text;
    expect(dropBlock(`${added}\n\n\n\nc\n`, COMPLETION_MARKERS)).toBe(`${text}\n\n\n\nc\n`);
  });

  /** What holds for every text that ends its last line. */
  function holds(drop: typeof dropBlock): void {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[ -~é]{0,2}$/)), fc.constantFrom("\n", "\r\n"), (lines, end) => {
        const text = lines.map((line) => line + end).join("");
        const { text: added } = addBlock(text, COMPLETION_MARKERS, LINE);
        expect(drop(added, COMPLETION_MARKERS)).toBe(text);
        expect(addBlock(added, COMPLETION_MARKERS, LINE)).toEqual({ text: added, replaced: false });
        expect(drop(added, PATH_MARKERS)).toBe(added);
      }),
      { seed: 20_261_121 },
    );
  }

  test("addBlock: any text that ends its last line gets back every byte, and twice is once", () => holds(dropBlock));

  test("addBlock: the property catches a removal that collapses blank lines, as the Python tool's did", () => {
    expect(() => holds((text, markers) => dropBlock(text, markers).replace(/\n{3,}/g, "\n\n"))).toThrow();
  });

  test.each([
    ["a begin without its end", `${COMPLETION_MARKERS.begin}\nx\n`],
    ["an end without its begin", `x\n${COMPLETION_MARKERS.end}\n`],
    ["two begins", `${COMPLETION_MARKERS.begin}\n${COMPLETION_MARKERS.begin}\n${COMPLETION_MARKERS.end}\n`],
  ])("addBlock: refuses %s rather than cut what is not ours", (_what, text) => {
    expect(() => addBlock(text, COMPLETION_MARKERS, LINE)).toThrow("other half");
    expect(() => dropBlock(text, COMPLETION_MARKERS)).toThrow("other half");
  });
});

describe("pathLine", () => {
  test.each([["sh"], ["dash"], ["bash"], ["zsh"], ["fish"]])("pathLine: %s puts the folder first, once", (shell) => {
    const folder = "/home/o'brien/my bin";
    const line = pathLine(shell === "fish" ? "fish" : "bash", folder);
    const show = shell === "fish" ? "string join : $PATH" : 'echo "$PATH"';
    const { stdout } = Bun.spawnSync([shell, "-c", `${line}\n${line}\n${show}`], {
      env: { PATH: "/usr/bin:/bin", HOME: "/nowhere" },
    });
    expect(stdout.toString()).toBe(`${folder}:/usr/bin:/bin\n`);
  });
});

test("shellWord: comes back as it was", () => {
  for (const word of ["/usr/bin/x", "/a b/c", "it's", "$HOME`x`"]) {
    expect(Bun.spawnSync(["sh", "-c", `printf %s ${shellWord(word)}`]).stdout.toString()).toBe(word);
  }
});
