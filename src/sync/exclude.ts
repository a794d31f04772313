import { fnmatchSource, isLiteral } from "./fnmatch.ts";

export interface ExcludeMatcher {
  excludes(path: string): boolean;
  /** True when everything below `folder` is surely excluded. */
  prunes(folder: string): boolean;
}

/**
 * Compiles `exclude_patterns` (table in reference 2.15): a path is out when `fnmatch(path, p)` or
 * `fnmatch(path, p + "/*")` holds or the path starts with `p + "/"`; `*` and `?` cross `/`. Beyond the Python tool,
 * a leading `**` + `/` also stands for the root (decision 9).
 */
export function compileExclude(patterns: readonly string[]): ExcludeMatcher {
  const forms = patterns.flatMap(formsOf).filter((form) => form !== "");
  if (forms.length === 0) return { excludes: () => false, prunes: () => false };
  const folders = forms.map((form) => `${form}/`);
  const names = new Set(forms.filter(isLiteral));
  const wild = forms.filter((form) => !isLiteral(form));
  const whole = wild.length === 0 ? undefined : anyOf(wild.flatMap((form) => [form, `${form}/*`]));
  const below = wild.filter((form) => form.endsWith("*")).concat(wild.map((form) => `${form}/*`));
  const prefix = wild.length === 0 ? undefined : anyOf(below);
  const startsInside = (path: string) => folders.some((folder) => path.startsWith(folder));
  return {
    excludes: (path) => names.has(path) || startsInside(path) || (whole?.test(path) ?? false),
    prunes: (folder) => startsInside(`${folder}/`) || (prefix?.test(`${folder}/`) ?? false),
  };
}

function formsOf(pattern: string): string[] {
  const forms = [pattern];
  for (let rest = pattern; rest.startsWith("**/"); ) {
    rest = rest.slice(3);
    forms.push(rest);
  }
  return forms;
}

function anyOf(patterns: readonly string[]): RegExp {
  return new RegExp(`^(?:${patterns.map((pattern) => fnmatchSource(pattern, "path")).join("|")})$`, "u");
}
