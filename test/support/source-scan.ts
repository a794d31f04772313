/** One import of a module by another. */
export interface Import {
  readonly specifier: string;
  readonly kind: "static" | "type" | "dynamic";
}

/**
 * The source with comments and the text of strings, templates and regular expressions blanked out, line ends kept.
 * What is left is code: a word found there is used, not talked about.
 */
export function codeOnly(source: string): string {
  return blank(source, { strings: true });
}

/** Every import, type imports and `export ... from` included. */
export function importsOf(source: string): readonly Import[] {
  const code = blank(source, { strings: false });
  const found: Import[] = [];
  const statements =
    /\b(import|export)\s+(type\s+)?([\w$*{][^;"'`]*?)\bfrom\s*["']([^"']+)["']|\bimport\s*["']([^"']+)["']/g;
  for (const [, word, type, names, specifier, bare] of code.matchAll(statements)) {
    const onlyTypes = type !== undefined || (word !== undefined && allTypes(names ?? ""));
    found.push({ specifier: specifier ?? bare ?? "", kind: onlyTypes ? "type" : "static" });
  }
  for (const [, typeWord, specifier] of code.matchAll(/(\btypeof\s+|[:<|&]\s*)?\bimport\s*\(\s*["']([^"']+)["']/g)) {
    found.push({ specifier: specifier ?? "", kind: typeWord === undefined ? "dynamic" : "type" });
  }
  return found;
}

/** `{ type A, type B }`: nothing of it is left at run time. */
function allTypes(names: string): boolean {
  const inside = /^\{([^}]*)\}\s*$/.exec(names.trim());
  const parts = (inside?.[1] ?? "").split(",").map((part) => part.trim());
  return inside !== null && parts.some(Boolean) && parts.every((part) => part === "" || part.startsWith("type "));
}

/** A `/` after one of these begins a regular expression, after anything else it divides. */
const BEFORE_REGEX = /(^|[=(,:[!&|?{};+\-*%~^<>]|\b(?:return|typeof|case|in|of|do|else|void|await|yield))\s*$/;

function blank(source: string, { strings }: { readonly strings: boolean }): string {
  let out = "";
  let at = 0;
  const braces: number[] = [];
  let depth = 0;
  const hide = (text: string) => text.replace(/[^\n]/g, " ");
  const templateFrom = (start: number) => {
    let end = start;
    while (end < source.length && source[end] !== "`" && !source.startsWith("${", end))
      end += source[end] === "\\" ? 2 : 1;
    out += strings ? hide(source.slice(start, end)) : source.slice(start, end);
    if (source[end] === "`") {
      out += "`";
      return end + 1;
    }
    braces.push(depth++);
    out += "${";
    return end + 2;
  };
  while (at < source.length) {
    const rest = source.slice(at, at + 2);
    const char = source[at] ?? "";
    if (rest === "//" || rest === "/*") {
      const close = source.indexOf(rest === "//" ? "\n" : "*/", at + 2);
      const end = close < 0 ? source.length : rest === "//" ? close : close + 2;
      out += hide(source.slice(at, end));
      at = end;
    } else if (char === '"' || char === "'") {
      let end = at + 1;
      while (end < source.length && source[end] !== char && source[end] !== "\n") end += source[end] === "\\" ? 2 : 1;
      const body = source.slice(at + 1, end);
      out += char + (strings ? hide(body) : body) + char;
      at = end + 1;
    } else if (char === "`") {
      out += "`";
      at = templateFrom(at + 1);
    } else if (char === "/" && BEFORE_REGEX.test(out.slice(-40))) {
      const literal = /^\/(?:\\.|\[(?:\\.|[^\]\n\\])*\]|[^/\n\\[])+\//.exec(source.slice(at, at + 2000))?.[0] ?? "/";
      out += `/${hide(literal.slice(1, -1))}${literal.length > 1 ? "/" : ""}`;
      at += literal.length;
    } else {
      if (char === "{") depth++;
      if (char === "}") depth--;
      out += char;
      at++;
      if (char === "}" && braces.at(-1) === depth) {
        braces.pop();
        at = templateFrom(at);
      }
    }
  }
  return out;
}
