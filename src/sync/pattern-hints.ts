export interface Patterns {
  readonly filePatterns: readonly string[];
  readonly excludePatterns: readonly string[];
}

/** One sentence for each pattern that most likely does not mean what it looks like (traps of reference 2.15). */
export function patternHints(config: Patterns): string[] {
  return [
    ...config.filePatterns.flatMap((pattern) => hintsFor("file", pattern, includeTrap)),
    ...config.excludePatterns.flatMap((pattern) => hintsFor("exclude", pattern, excludeTrap)),
  ];
}

function hintsFor(list: string, pattern: string, trap: (pattern: string) => string | undefined): string[] {
  const hints: string[] = [];
  const found = trap(pattern);
  if (found !== undefined) hints.push(found);
  if (/\[\^[^\]]*\]/.test(pattern)) hints.push(`[^...] does not negate; write ${pattern.replaceAll("[^", "[!")}`);
  return hints.map((hint) => `${list} pattern ${JSON.stringify(pattern)}: ${hint}`);
}

function includeTrap(pattern: string): string | undefined {
  const folder = pattern.replace(/\/+$/, "");
  if (/(?:^|\/)\.\.(?:\/|$)/.test(pattern))
    return "a pattern with .. selects nothing; patterns cannot leave the project";
  if (/(?:^|\/)\*\*\/?$/.test(pattern)) return `it selects folders only, no files; write ${folder}/*`;
  if (pattern.endsWith("/")) return `it selects folders only, no files; write ${folder}/**/*`;
  return undefined;
}

function excludeTrap(pattern: string): string | undefined {
  const bare = pattern.replace(/^(?:\.?\/)+/, "").replace(/\/+$/, "");
  if (pattern === "") return "it excludes nothing";
  if (bare === "")
    return "it excludes nothing; patterns are relative to the project, without ./ and slashes at the ends";
  if (bare !== pattern) return `it excludes nothing; write ${bare}`;
  if (/^\*+(?:\/\*+)*$/.test(pattern)) return "it excludes every file";
  if (pattern.startsWith("**/"))
    return `it also excludes ${pattern.replace(/^(?:\*\*\/)+/, "")} at the root; the Python tool excludes it in folders only`;
  if (pattern.includes("/**/"))
    return `/**/ needs at least one folder in between here; add ${pattern.replaceAll("/**/", "/")} for none`;
  return undefined;
}
