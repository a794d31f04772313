import { describe, expect, test } from "bun:test";
import { type Command, command } from "../../../src/cli/command.ts";
import { parseCommand } from "../../../src/cli/parse.ts";
import { UsageError } from "../../../src/lib/errors.ts";

const sample: Command = command({
  name: "sample",
  summary: "Try things",
  positionals: [
    { name: "FIRST", help: "The first." },
    { name: "REST", help: "More.", optional: true, many: true },
  ],
  options: {
    "dry-run": { kind: "flag", help: "h" },
    slack: { kind: "flag", help: "h", negatable: true },
    output: { kind: "text", value: "DIR", help: "h", short: "o" },
    format: { kind: "text", value: "F", help: "h", choices: ["blobs", "full"] },
    exclude: { kind: "list", value: "GLOB", help: "h" },
    limit: { kind: "number", value: "N", help: "h", min: 1, max: 200 },
    secret: { kind: "flag", help: "h", hidden: true },
  },
  run: async () => ({ result: null }),
});

const bare: Command = command({
  name: "bare",
  summary: "s",
  options: {},
  json: false,
  run: async () => ({ result: null }),
});

function fails(words: readonly string[], target: Command = sample): UsageError {
  try {
    parseCommand(target, words);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return error as UsageError;
  }
  throw new Error(`accepted: ${words.join(" ")}`);
}

describe("parseCommand", () => {
  test("parseCommand: options and positionals mix", () => {
    const { args } = parseCommand(sample, ["a", "--dry-run", "b", "-o", "dir", "c"]);
    expect(args.positionals).toEqual(["a", "b", "c"]);
    expect(args.options["dry-run"]).toBe(true);
    expect(args.options["output"]).toBe("dir");
  });

  test("parseCommand: a flag not given is undefined, a list not given is empty", () => {
    const { options } = parseCommand(sample, ["a"]).args;
    expect(options["slack"]).toBeUndefined();
    expect(options["limit"]).toBeUndefined();
    expect(options["exclude"]).toEqual([]);
  });

  test("parseCommand: --no-x says no, the last of both counts", () => {
    expect(parseCommand(sample, ["a", "--no-slack"]).args.options["slack"]).toBe(false);
    expect(parseCommand(sample, ["a", "--no-slack", "--slack"]).args.options["slack"]).toBe(true);
    expect(fails(["a", "--no-dry-run"]).message).toContain("no option --no-dry-run");
  });

  test("parseCommand: a repeated option collects, a repeated single one keeps the last", () => {
    const { options } = parseCommand(sample, [
      "a",
      "--exclude",
      "x",
      "--exclude=y",
      "--output",
      "1",
      "--output",
      "2",
    ]).args;
    expect(options["exclude"]).toEqual(["x", "y"]);
    expect(options["output"]).toBe("2");
  });

  test("parseCommand: -- ends the options", () => {
    expect(parseCommand(sample, ["a", "--", "--dry-run", "-x"]).args.positionals).toEqual(["a", "--dry-run", "-x"]);
    expect(parseCommand(sample, ["a", "--", "--json"]).json).toBe(false);
  });

  test("parseCommand: a value that looks like an option is not swallowed, with = it is taken", () => {
    const error = fails(["a", "--output", "--dry-run"]);
    expect(error.message).toBe("--output needs a value: --output DIR");
    expect(error.hint).toContain("--output=--dry-run");
    expect(parseCommand(sample, ["a", "--output=-x"]).args.options["output"]).toBe("-x");
    expect(parseCommand(sample, ["a", "--output", "-"]).args.options["output"]).toBe("-");
  });

  test("parseCommand: a missing value is named", () => {
    expect(fails(["a", "--output"]).message).toBe("--output needs a value: --output DIR");
  });

  test("parseCommand: a flag takes no value", () => {
    expect(fails(["a", "--dry-run=yes"]).message).toBe('--dry-run takes no value: got "yes"');
  });

  test("parseCommand: an unknown option suggests the near one and never a hidden one", () => {
    expect(fails(["a", "--dry-rum"]).hint).toBe("Did you mean --dry-run?");
    expect(fails(["a", "--no-slak"]).hint).toBe("Did you mean --no-slack?");
    expect(fails(["a", "--secre"]).hint).toBe("See claude-mirror help sample.");
    expect(fails(["a", "-z"]).message).toBe("sample has no option -z");
  });

  test("parseCommand: names of object members are no options", () => {
    expect(fails(["a", "--constructor"]).message).toContain("no option --constructor");
    expect(fails(["a", "--toString", "x"]).message).toContain("no option --toString");
  });

  test.each(["0", "201", "1.5", "ten", "", "1e2", "0x10", " 5"])("parseCommand: the number %p is refused", (text) => {
    expect(fails(["a", `--limit=${text}`]).message).toBe(`--limit takes a whole number from 1 to 200: got "${text}"`);
  });

  test("parseCommand: numbers at both ends of the range are taken", () => {
    expect(parseCommand(sample, ["a", "--limit", "1"]).args.options["limit"]).toBe(1);
    expect(parseCommand(sample, ["a", "--limit=200"]).args.options["limit"]).toBe(200);
  });

  test("parseCommand: a choice is checked and the near one suggested", () => {
    const error = fails(["a", "--format", "blob"]);
    expect(error.message).toBe('--format must be one of blobs, full: got "blob"');
    expect(error.hint).toBe("Did you mean blobs?");
  });

  test("parseCommand: missing and surplus arguments are named", () => {
    expect(fails([]).message).toBe("sample needs FIRST: The first.");
    expect(fails(["x"], bare).message).toBe('bare takes no further argument: got "x"');
  });

  test("parseCommand: help needs no arguments", () => {
    expect(parseCommand(sample, ["-h"]).help).toBe(true);
    expect(parseCommand(sample, ["--help"]).help).toBe(true);
  });

  test("parseCommand: --json is known everywhere and refused where the output is not data", () => {
    expect(parseCommand(sample, ["--json", "a"]).json).toBe(true);
    expect(fails(["--json"], bare).message).toContain("does not take --json");
  });
});
