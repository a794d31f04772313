/** What a search query of files.list (`q`) asks of a file. https://developers.google.com/drive/api/guides/ref-search-terms */
export interface Searchable {
  readonly name: string;
  readonly mimeType: string;
  readonly parents: readonly string[];
  readonly trashed: boolean;
  readonly owner: string;
  readonly modifiedTime: string;
  readonly appProperties: Readonly<Record<string, string>>;
}

export class QueryError extends Error {}

type Test = (file: Searchable, user: string) => boolean;

/** More terms than this are refused, as the service does somewhere above 100. */
const MOST_TERMS = 120;

/** Parses a query. Throws QueryError where the service answers `Invalid Value`. */
export function parseQuery(text: string): Test {
  const tokens = text.match(/'(?:\\.|[^'\\])*'|[(){}]|!=|<=|>=|=|<|>|[A-Za-z]+|\S/g) ?? [];
  let at = 0;
  let terms = 0;
  const peek = (): string => tokens[at] ?? "";
  const take = (expected?: string): string => {
    const token = tokens[at++] ?? "";
    if (expected !== undefined && token !== expected) throw new QueryError(`expected ${expected}, found ${token}`);
    return token;
  };
  const either = (): Test => {
    const tests = [both()];
    while (peek() === "or") {
      take();
      tests.push(both());
    }
    return (file, user) => tests.some((test) => test(file, user));
  };
  const both = (): Test => {
    const tests = [negated()];
    while (peek() === "and") {
      take();
      tests.push(negated());
    }
    return (file, user) => tests.every((test) => test(file, user));
  };
  const negated = (): Test => {
    if (peek() === "not") {
      take();
      const test = negated();
      return (file, user) => !test(file, user);
    }
    if (peek() === "(") {
      take();
      const test = either();
      take(")");
      return test;
    }
    if (++terms > MOST_TERMS) throw new QueryError("The query is too complex.");
    return term(take);
  };
  const test = either();
  if (at !== tokens.length) throw new QueryError(`nothing follows, found ${peek()}`);
  return test;
}

function term(take: (expected?: string) => string): Test {
  const first = take();
  if (first.startsWith("'")) {
    take("in");
    return collectionTerm(unquote(first), take());
  }
  if (first === "appProperties") return propertyTerm(take);
  const operator = take();
  const value = take();
  if (first === "trashed") {
    const wanted = value === "true";
    if (operator !== "=" && operator !== "!=") throw new QueryError(operator);
    return (file) => (file.trashed === wanted) === (operator === "=");
  }
  const text = unquote(value);
  // `=` on names ignores case: found by clients (rclone checks the case itself), not in the document.
  if (first === "name") return nameTerm(operator, text.toLowerCase());
  if (first === "mimeType") {
    if (operator === "=") return (file) => file.mimeType === text;
    if (operator === "!=") return (file) => file.mimeType !== text;
    if (operator === "contains") return (file) => file.mimeType.startsWith(text);
  }
  if (first === "modifiedTime" && operator === ">") return (file) => file.modifiedTime > text;
  throw new QueryError(`${first} ${operator}`);
}

function nameTerm(operator: string, text: string): Test {
  if (operator === "=") return (file) => file.name.toLowerCase() === text;
  if (operator === "!=") return (file) => file.name.toLowerCase() !== text;
  if (operator === "contains") return (file) => file.name.toLowerCase().includes(text);
  throw new QueryError(operator);
}

function collectionTerm(value: string, collection: string): Test {
  if (collection === "parents") return (file) => file.parents.includes(value);
  if (collection === "owners") return (file, user) => file.owner === (value === "me" ? user : value);
  throw new QueryError(collection);
}

function propertyTerm(take: (expected?: string) => string): Test {
  for (const token of ["has", "{", "key", "="]) take(token);
  const key = unquote(take());
  for (const token of ["and", "value", "="]) take(token);
  const value = unquote(take());
  take("}");
  return (file) => file.appProperties[key] === value;
}

function unquote(token: string): string {
  if (!token.startsWith("'")) throw new QueryError(`a string is needed, found ${token}`);
  return token.slice(1, -1).replace(/\\(.)/g, "$1");
}
