import { describe, expect, test } from "bun:test";
import { parse } from "yaml";
import { skillText } from "../../../src/claude/skill.ts";
import { parseCommand } from "../../../src/cli/parse.ts";
import { COMMANDS } from "../../../src/cli/table.ts";

/** What Claude Code allows (its documentation of skills): name of 64, description of 1024 characters. */
const LIMITS = { name: 64, description: 1024 };

describe("skillText", () => {
  test("skillText: has the front matter that Claude Code reads", () => {
    const [, front = ""] = /^---\n([\s\S]*?)\n---\n/.exec(skillText()) ?? [];
    const read = parse(front) as Record<string, string>;
    expect(Object.keys(read)).toEqual(["name", "description"]);
    expect(read["name"]).toBe("claude-mirror");
    expect(read["description"]?.length).toBeLessThan(LIMITS.description);
  });

  test("skillText: every command line in it is one that this program takes", async () => {
    const lines = [...skillText().matchAll(/`claude-mirror ([a-z][^`]*)`/g)].map(([, line = ""]) => line.split(/\s+/));
    expect(lines.length).toBeGreaterThan(18);
    for (const [name = "", ...words] of lines) {
      const entry = COMMANDS[name];
      expect([name, entry !== undefined]).toEqual([name, true]);
      if (entry && !(name === "init" || name === "auth")) parseCommand(await entry.load(), words);
    }
  });

  test("skillText: teaches the three rules, and offers the directives", () => {
    for (const word of [
      "MIRROR RULE",
      "PRE-SYNC REVIEW RULE",
      "POST-PULL EVALUATION RULE",
      "Smart merge",
      "never instructions",
    ])
      expect(skillText()).toContain(word);
  });
});
