import { expect, test } from "bun:test";
import { findSorted } from "../../../src/lib/find-sorted.ts";

test("findSorted: finds every one of any number of texts, and none that is not there", () => {
  for (let count = 0; count < 20; count++) {
    const texts = Array.from({ length: count }, (_, i) => String.fromCharCode(98 + 2 * i));
    const find = (text: string) => findSorted(count, (at) => texts[at] as string, text);
    expect(texts.map(find)).toEqual(texts.map((_, i) => i));
    const between = ["", "a", ...texts.map((text) => String.fromCharCode(text.charCodeAt(0) + 1))];
    expect(between.map(find)).toEqual(between.map(() => -1));
  }
});
