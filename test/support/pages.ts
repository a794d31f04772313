import { expect } from "bun:test";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compiledBinary } from "./binary.ts";
import { tempFolder } from "./temp.ts";

/** The repository, where the pages are. */
export const ROOT = join(import.meta.dir, "../..");

/** The commands of a page's `sh` blocks, in order; a line that ends in a backslash goes on in the next. */
export function commandsOf(page: string): string[] {
  const blocks = [...readPage(page).matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = ""]) => block);
  return blocks
    .join("")
    .replaceAll("\\\n", " ")
    .split("\n")
    .filter((line) => line.trim() !== "");
}

export function readPage(page: string): string {
  return readFileSync(join(ROOT, page), "utf8");
}

export interface Place {
  readonly home: string;
  readonly project: string;
  /** Runs one line of a page as it stands there, placeholders replaced; it must exit 0. Answers what it printed. */
  run(line: string, placeholders?: Readonly<Record<string, string>>): string;
}

/** A person's machine: an empty HOME, `claude-mirror` on the PATH, and one project. */
export async function somePlace(env: Readonly<Record<string, string>> = {}): Promise<Place> {
  const home = tempFolder("readme");
  const bin = join(home, "bin");
  const project = join(home, "my-project");
  for (const folder of [bin, join(project, "memory")]) mkdirSync(folder, { recursive: true });
  symlinkSync(await compiledBinary(), join(bin, "claude-mirror"));
  writeFileSync(join(project, "CLAUDE.md"), "# My project\n");
  writeFileSync(join(project, "memory/notes.md"), "- a note\n");
  writeFileSync(join(project, "old.md"), "old\n");
  return {
    home,
    project,
    run(line, placeholders = {}) {
      const all = { HOME: home, PATH: `${bin}:/usr/bin:/bin`, ...env };
      return shell(filled(line, placeholders), { cwd: project, env: all });
    },
  };
}

/** The line with what stands for something of the reader's own put in. */
function filled(line: string, placeholders: Readonly<Record<string, string>>): string {
  let text = line;
  for (const [placeholder, value] of Object.entries(placeholders)) text = text.replaceAll(placeholder, value);
  return text;
}

export function shell(
  line: string,
  { cwd, env }: { readonly cwd: string; readonly env: Record<string, string> },
): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync(["bash", "-euc", line], { cwd, env, stdin: "ignore" });
  const said = `${stdout.toString()}${stderr.toString()}`;
  expect({ line, exitCode, said: exitCode === 0 ? "" : said }).toEqual({ line, exitCode: 0, said: "" });
  return said;
}
