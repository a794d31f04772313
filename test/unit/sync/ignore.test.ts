import { afterAll, beforeAll, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compileIgnore } from "../../../src/sync/ignore.ts";

let repo: string;

beforeAll(() => {
  repo = fs.mkdtempSync(join(tmpdir(), "ignore-"));
  spawnSync("git", ["init", "-q"], { cwd: repo });
});
afterAll(() => fs.rmSync(repo, { recursive: true, force: true }));

/** The paths of `paths` that git ignores under these rules. The files exist, so git knows files from folders. */
function gitIgnores(rules: string, paths: readonly string[]): Set<string> {
  fs.writeFileSync(join(repo, ".gitignore"), rules);
  const run = spawnSync("git", ["-c", "core.excludesFile=", "check-ignore", "--no-index", "-z", "--stdin"], {
    cwd: repo,
    input: paths.join("\0"),
    env: { PATH: process.env["PATH"] ?? "", HOME: repo, GIT_CONFIG_NOSYSTEM: "1" },
  });
  if (run.status !== 0 && run.status !== 1) throw new Error(`git: ${run.stderr}`);
  return new Set(run.stdout.toString().split("\0").filter(Boolean));
}

function createFiles(paths: readonly string[]): void {
  for (const path of paths) {
    fs.mkdirSync(join(repo, path, ".."), { recursive: true });
    fs.writeFileSync(join(repo, path), "");
  }
}

const PATHS = [
  "a", "b.md", "#x", "!x", "c d ", "-", "]", "\\", "ab", "abc", "a.b", "X", "7", "naïve.md", "[x]",
  "d/a", "d/b.md", "d/e/a", "d/e/b.md", "d/e/f/a.md", "d/e/f/#x", "d/abc", "d/.h",
  "e/d/a", "e/d/e/b.md", "e/a.md", "e/!x", "e/ab/a", "e/ab/b.md", "ee/a", "ee/b.md", "x/y/a.md", "x/y/d/a",
  ".h/a.md", "ï/a", "ï/b.md", "x/ï", "c d/a", "x/c d ",
]; // biome-ignore format: a table

const PIECES = [
  "a", "b", "d", "e", "x", "ab", "*", "**", "?", "/", "/", "/", "**/", "/**", "/**/", "*.md", "[ab]", "[!a]", "[^a]", "[a-e]",
  "[]x]", "[[:alpha:]]", "[[:digit:]-]", "[a", "[[:no:]]", "[\\]]", "[e-a]", "\\*", "\\", "\\ ", " ", ".", "#", "!", "***", "ï", "[ï]", "-",
]; // biome-ignore format: a table

function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

function randomRules(random: () => number): string {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const lines: string[] = [];
  for (let line = 0; line < 1 + random() * 4; line++) {
    let text = random() < 0.3 ? "!" : random() < 0.2 ? "/" : random() < 0.1 ? "\\" : "";
    for (let piece = 0; piece < 1 + random() * 4; piece++) text += pick(PIECES);
    if (random() < 0.2) text += "/";
    lines.push(text);
  }
  return `${lines.join(random() < 0.1 ? "\r\n" : "\n")}\n`;
}

test("compileIgnore: random rules ignore exactly what git ignores", () => {
  createFiles(PATHS);
  const random = seeded(20261120);
  const cases = Number(process.env["IGNORE_CASES"] ?? 400);
  for (let run = 0; run < cases; run++) {
    const rules = randomRules(random);
    const wanted = gitIgnores(rules, PATHS);
    const matcher = compileIgnore(rules);
    const got = PATHS.filter((path) => matcher.ignores(path));
    expect({ rules, ignored: got }).toEqual({ rules, ignored: PATHS.filter((path) => wanted.has(path)) });
  }
}, 60_000);
