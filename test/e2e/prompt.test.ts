import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Pty, startInPty } from "../support/pty.ts";
import { tempFolder } from "../support/temp.ts";

const folder = tempFolder("prompt");
const CLI = join(import.meta.dir, "../../src/cli");
const LIB = join(import.meta.dir, "../../src/lib");

/** A program that asks one question as a command would, and prints the answer. */
function asking(question: string): Pty {
  const script = join(folder, `ask-${Bun.hash(question)}.ts`);
  writeFileSync(
    script,
    `import { command } from ${JSON.stringify(join(CLI, "command.ts"))};
import { processEnvironment } from ${JSON.stringify(join(CLI, "process.ts"))};
import { runCli } from ${JSON.stringify(join(CLI, "run.ts"))};
import { Interrupted } from ${JSON.stringify(join(LIB, "errors.ts"))};
const stop = new AbortController();
process.on("SIGINT", () => stop.abort(new Interrupted()));
const run = async (ctx) => ({ result: null, lines: ["answer: " + JSON.stringify(await ${question})] });
const go = command({ name: "go", summary: "Go", options: {}, run });
process.exitCode = await runCli(["go"], processEnvironment({ signal: stop.signal, onOutputError: (error) => { throw error; } }), { go: { summary: "Go", load: async () => go } });
`,
  );
  return startInPty(["bun", script], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", HOME: folder, TERM: "xterm" },
  });
}

describe("ask", () => {
  test("confirm: y at a terminal goes on, and the program ends by itself", async () => {
    const pty = asking('ctx.ask.confirm({ message: "Sure?", flag: "--yes" })');
    await pty.waitFor("Sure? [y/N]");
    pty.type("y\r");
    expect(await pty.exited).toBe(0);
    expect(pty.shown()).toContain("answer: true");
  });

  test("confirm: Ctrl-C exits 130", async () => {
    const pty = asking('ctx.ask.confirm({ message: "Really?", flag: "--yes" })');
    await pty.waitFor("Really? [y/N]");
    pty.type("\x03");
    expect(await pty.exited).toBe(130);
    expect(pty.shown()).toContain("interrupted");
  });

  test("select: the arrow keys choose", async () => {
    const pty = asking(
      'ctx.ask.select({ message: "Where?", flag: "--backend", choices: [{ value: "local", label: "A folder" }, { value: "webdav", label: "A server" }] })',
    );
    await pty.waitFor("A server");
    pty.type("\x1b[B");
    pty.type("\r");
    expect(await pty.exited).toBe(0);
    expect(pty.shown()).toContain('answer: "webdav"');
  });

  test("password: is not shown", async () => {
    const pty = asking(
      'ctx.ask.password({ message: "Password", flag: "--webdav-password-stdin" }).then((p) => p.length)',
    );
    await pty.waitFor("Password");
    pty.type("s3cret\r");
    expect(await pty.exited).toBe(0);
    expect(pty.shown()).toContain("answer: 6");
    expect(pty.shown()).not.toContain("s3cret");
  });

  test("text: the value offered is taken by Enter", async () => {
    const pty = asking('ctx.ask.text({ message: "Folder", initial: "/mirror", flag: "--local-folder" })');
    await pty.waitFor("Folder");
    pty.type("\r");
    expect(await pty.exited).toBe(0);
    expect(pty.shown()).toContain('answer: "/mirror"');
  });

  test("text: Ctrl-C is an interruption", async () => {
    const pty = asking('ctx.ask.text({ message: "Name", flag: "--config" })');
    await pty.waitFor("Name");
    pty.type("\x03");
    expect(await pty.exited).toBe(130);
  });
});
