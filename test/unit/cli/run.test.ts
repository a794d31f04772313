import { describe, expect, test } from "bun:test";
import { BackendError, LocalFileError } from "../../../src/backends/errors.ts";
import { command } from "../../../src/cli/command.ts";
import type { CommandContext } from "../../../src/cli/context.ts";
import { COMMANDS, type CommandEntry } from "../../../src/cli/table.ts";
import { Interrupted, NeedsActionError, RefusedError, UsageError } from "../../../src/lib/errors.ts";
import { cli } from "../../support/cli.ts";

/** A table with one command `go` that does what the test says. */
function going(run: (ctx: CommandContext) => Promise<{ result: unknown; lines?: string[]; exit?: 3 }>): {
  readonly commands: Readonly<Record<string, CommandEntry>>;
} {
  const go = command({ name: "go", summary: "Go", options: {}, run: (ctx) => run(ctx) });
  return { commands: { go: { summary: "Go", load: async () => go } } };
}

const throwing = (error: unknown) => going(() => Promise.reject(error));

describe("runCli", () => {
  test("runCli: no words print the list of commands", async () => {
    const run = await cli([]);
    expect(run.code).toBe(0);
    for (const [name, entry] of Object.entries(COMMANDS)) {
      if (entry.hidden) expect(run.stdout).not.toContain(`  ${name} `);
      else expect(run.stdout).toContain(`  ${name} `);
    }
    expect(run.stderr).toBe("");
  });

  test("runCli: every command's own name and summary stand in the table, and its help renders", async () => {
    for (const [name, entry] of Object.entries(COMMANDS)) {
      const loaded = await entry.load();
      expect(loaded.name).toBe(name);
      expect(loaded.summary).toBe(entry.summary);
      expect(loaded.summary.endsWith(".")).toBe(false);
      const help = await cli([name, "--help"]);
      expect(help.code).toBe(0);
      expect(help.stdout).toContain(`claude-mirror ${name} [OPTIONS]`);
    }
  });

  test("runCli: no command takes an option that the shell owns", async () => {
    for (const entry of Object.values(COMMANDS)) {
      const { options } = await entry.load();
      for (const [name, option] of Object.entries(options)) {
        expect(["json", "help"]).not.toContain(name);
        expect(option.short).not.toBe("h");
      }
    }
  });

  test("runCli: an unknown command exits 2 and suggests the near one", async () => {
    const run = await cli(["completoin"]);
    expect(run).toEqual({
      code: 2,
      stdout: "",
      stderr: 'there is no command "completoin"\nDid you mean claude-mirror completion?\n',
    });
    expect((await cli(["constructor"])).code).toBe(2);
  });

  test("runCli: --version is answered, as JSON too", async () => {
    expect((await cli(["--version"])).stdout).toBe("claude-mirror 1.2.3 (abc1234)\n");
    const json = await cli(["--version", "--json"]);
    expect(JSON.parse(json.stdout)).toEqual({
      version: 1,
      command: "version",
      result: { version: "1.2.3", commit: "abc1234" },
    });
  });

  test("runCli: with --json only the envelope goes to stdout", async () => {
    const run = await cli(
      ["go", "--json"],
      going(async (ctx) => {
        ctx.print("not there");
        ctx.note("on stderr");
        return { result: { map: new Map([["a", 1n]]), set: new Set(["x"]) }, lines: ["nor this"], exit: 3 };
      }),
    );
    expect(run.code).toBe(3);
    expect(run.stdout).toBe(
      '{\n  "version": 1,\n  "command": "go",\n  "result": {\n    "map": {\n      "a": 1\n    },\n    "set": [\n      "x"\n    ]\n  }\n}\n',
    );
    expect(run.stderr).toBe("on stderr\n");
  });

  test("runCli: a failure with --json is an envelope on stderr", async () => {
    const run = await cli(["go", "--json"], throwing(new RefusedError("mass-delete", "60 of 70 files would go")));
    expect(run.code).toBe(5);
    expect(run.stdout).toBe("");
    expect(JSON.parse(run.stderr)).toEqual({
      version: 1,
      command: "go",
      error: { type: "refused", message: "60 of 70 files would go" },
    });
  });

  test("runCli: even a command line that cannot be read answers --json with an envelope", async () => {
    const run = await cli(
      ["go", "--nope", "--json"],
      going(async () => ({ result: 1 })),
    );
    expect(run.code).toBe(2);
    expect(JSON.parse(run.stderr).error.type).toBe("usage");
  });

  const named = (name: string) => Object.assign(new Error("m"), { name });
  test.each([
    ["usage", 2, new UsageError("m")],
    ["settings", 1, named("SettingsError")],
    ["locked", 7, named("LockedError")],
    ["refused", 5, new RefusedError("g", "m")],
    ["needs-action", 6, new NeedsActionError("m")],
    ["interrupted", 130, new Interrupted()],
    ["interrupted", 130, new DOMException("m", "AbortError")],
    ["auth", 6, new BackendError("m", { class: "AUTH" })],
    ["quota", 6, new BackendError("m", { class: "QUOTA" })],
    ["permission", 6, new BackendError("m", { class: "PERMISSION" })],
    ["transient", 1, new BackendError("m", { class: "TRANSIENT" })],
    ["local-file", 1, new LocalFileError("m")],
    ["error", 1, new Error("m")],
    ["error", 1, "thrown text"],
  ])("runCli: %s exits %d", async (type, code, error) => {
    const run = await cli(["go", "--json"], throwing(error));
    expect(run.code).toBe(code);
    expect(JSON.parse(run.stderr).error.type).toBe(type);
  });

  test("runCli: a failure is one sentence and its hint, a stack only with CLAUDE_MIRROR_DEBUG", async () => {
    const error = new BackendError('cannot list "x": wrong password', { class: "AUTH", hint: "Use an app password." });
    const run = await cli(["go"], throwing(error));
    expect(run.stderr).toBe('cannot list "x": wrong password\nUse an app password.\n');
    const debug = await cli(["go"], { ...throwing(error), env: { CLAUDE_MIRROR_DEBUG: "1" } });
    expect(debug.stderr).toContain("    at ");
  });

  test("runCli: a system error says what the code means and names the file", async () => {
    const error = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC", path: "/a/b" });
    expect((await cli(["go"], throwing(error))).stderr).toBe('cannot use "/a/b": the disk is full; free some space\n');
  });

  test("runCli: a reader that has gone is no failure", async () => {
    const run = await cli(["go"], throwing(Object.assign(new Error("EPIPE"), { code: "EPIPE" })));
    expect(run).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  test("runCli: what fails because of a signal is told as the interruption", async () => {
    const stop = new AbortController();
    const options = going(async () => {
      stop.abort(new Interrupted());
      throw new Error("socket closed");
    });
    const run = await cli(["go"], { ...options, signal: stop.signal });
    expect(run).toEqual({ code: 130, stdout: "", stderr: "interrupted\n" });
  });

  test("runCli: without a terminal a question exits 2 and names the flag", async () => {
    const run = await cli(
      ["go"],
      going(async (ctx) => ({ result: await ctx.ask.confirm({ message: "Sure?", flag: "--yes" }) })),
    );
    expect(run.code).toBe(2);
    expect(run.stderr).toBe('cannot ask "Sure?": there is no terminal to ask at\nAnswer it with --yes.\n');
  });

  test("runCli: --json never asks, not even at a terminal", async () => {
    const options = going(async (ctx) => ({
      result: await ctx.ask.typed({ message: "Sure?", word: "YES", flag: "--yes" }),
    }));
    const run = await cli(["go", "--json"], { ...options, terminal: true });
    expect(run.code).toBe(2);
    expect(JSON.parse(run.stderr).error.hint).toContain("--yes");
  });
});

describe("ask", () => {
  const asked = (stdin: string, ask: (ctx: CommandContext) => Promise<unknown>) =>
    cli(["go"], {
      ...going(async (ctx) => ({ result: null, lines: [String(await ask(ctx))] })),
      terminal: true,
      stdin,
    });

  test.each([
    ["y\n", "true"],
    ["YES\n", "true"],
    ["n\n", "false"],
    ["\n", "false"],
    ["yellow\n", "false"],
  ])("confirm: %p is %s", async (stdin, answer) => {
    const run = await asked(stdin, (ctx) => ctx.ask.confirm({ message: "Sure?", flag: "--yes" }));
    expect(run.stdout).toBe(`${answer}\n`);
    expect(run.stderr).toContain("Sure? [y/N] ");
  });

  test.each([
    ["YES\n", "true"],
    ["yes\n", "false"],
    ["y\n", "false"],
    ["YES please\n", "false"],
  ])("typed: only the exact word goes on: %p is %s", async (stdin, answer) => {
    const run = await asked(stdin, (ctx) => ctx.ask.typed({ message: "Delete.", word: "YES", flag: "--yes" }));
    expect(run.stdout).toBe(`${answer}\n`);
  });

  test("key: takes either case", async () => {
    const run = await asked("B\n", (ctx) => ctx.ask.key({ message: "?", keys: ["l", "b"], flag: "--strategy" }));
    expect(run.stdout).toBe("b\n");
  });

  test("ask: the end of the input is an interruption", async () => {
    const run = await asked("", (ctx) => ctx.ask.confirm({ message: "Sure?", flag: "--yes" }));
    expect(run.code).toBe(130);
  });
});
