import { expect, test } from "bun:test";
import { openAsker } from "../../../src/cli/ask.ts";
import type { Input } from "../../../src/cli/context.ts";
import { openTerminal } from "../../../src/ui/terminal.ts";

test("openAsker: standard input stays closed while nothing is asked", () => {
  let opened = 0;
  const input: Input = {
    isTTY: true,
    get stream(): NodeJS.ReadableStream {
      opened++;
      return process.stdin;
    },
    echo: process.stderr,
    text: async () => "",
  };
  const err = openTerminal({ write: () => undefined, isTTY: true }, {});
  const asker = openAsker({ input, err, json: false, signal: new AbortController().signal });
  expect([asker.possible, opened]).toEqual([true, 0]);
});
