import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../src/cli/table.ts";
import { compiledBinary } from "../support/binary.ts";
import { ROOT } from "../support/pages.ts";
import { tempFolder } from "../support/temp.ts";

const PAGE = join(ROOT, "docs/claude-mirror.1");

function run(words: readonly string[], env: Record<string, string> = { PATH: "/usr/bin:/bin" }) {
  const { stdout, stderr, exitCode } = Bun.spawnSync([...words], { env, stdin: "ignore" });
  return { said: stdout.toString(), wrong: stderr.toString(), code: exitCode };
}

test("man page: mandoc finds nothing to say about it, and shows every command and every section", () => {
  // A date would differ between builds of one version.
  const found = run(["mandoc", "-T", "lint", PAGE]).said.split("\n");
  expect(found.filter((line) => line !== "" && !line.includes("missing date"))).toEqual([]);
  const { said } = run(["mandoc", "-T", "ascii", "-O", "width=78", PAGE]);
  const shown = said.replace(/.[\b]/g, "");
  for (const [name, { hidden }] of Object.entries(COMMANDS))
    if (!hidden) expect(shown).toMatch(new RegExp(`^ {3}claude-mirror ${name} \\[`, "m"));
  for (const title of ["NAME", "SYNOPSIS", "COMMANDS", "EXIT CODES", "FILES", "ENVIRONMENT", "TROUBLESHOOTING"])
    expect(shown).toMatch(new RegExp(`^${title}$`, "m"));
  expect(shown).toContain('eval "$(claude-mirror completion bash)"');
  expect(shown).toContain("~/.config/claude_mirror/PROJECT.yaml");
});

test("claude-mirror install --only man: the compiled program puts this very page where man(1) looks for it", async () => {
  const home = tempFolder("man");
  const bin = join(home, ".local/bin");
  mkdirSync(bin, { recursive: true });
  symlinkSync(await compiledBinary(), join(bin, "claude-mirror"));
  const env = { HOME: home, PATH: `${bin}:/usr/bin:/bin`, SHELL: "/bin/bash" };
  const { code, said } = run([join(bin, "claude-mirror"), "install", "--only", "man", "--yes"], env);
  expect([code, said]).toEqual([0, expect.stringContaining("manual page")]);
  const file = join(home, ".local/share/man/man1/claude-mirror.1");
  expect(readFileSync(file, "utf8")).toBe(readFileSync(PAGE, "utf8"));
});
