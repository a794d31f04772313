/** A partial-response mask: `nextPageToken,files(id,parents)`. https://developers.google.com/drive/api/guides/fields-parameter */
type Mask = Map<string, Mask | undefined>;

export class FieldsError extends Error {}

/** The part of `value` that `fields` selects. Throws FieldsError for a mask that names what is never there. */
export function selectFields(value: unknown, fields: string, known?: ReadonlySet<string>): unknown {
  let at = 0;
  const parse = (): Mask => {
    const mask: Mask = new Map();
    for (;;) {
      const name = /^[A-Za-z0-9_*]+/.exec(fields.slice(at))?.[0];
      if (name === undefined) throw new FieldsError(`Invalid field selection ${fields.slice(at)}`);
      at += name.length;
      if (known !== undefined && name !== "*" && !known.has(name)) {
        throw new FieldsError(`Invalid field selection ${name}`);
      }
      if (fields[at] === "(") {
        at++;
        mask.set(name, parse());
        if (fields[at++] !== ")") throw new FieldsError("Invalid field selection: ) is missing");
      } else if (fields[at] === "/") {
        at++;
        const rest: Mask = new Map();
        const inner = /^[A-Za-z0-9_*]+/.exec(fields.slice(at))?.[0] ?? "";
        at += inner.length;
        rest.set(inner, undefined);
        mask.set(name, rest);
      } else mask.set(name, undefined);
      if (fields[at] !== ",") return mask;
      at++;
    }
  };
  const mask = parse();
  if (at !== fields.length) throw new FieldsError(`Invalid field selection ${fields.slice(at)}`);
  return apply(value, mask);
}

function apply(value: unknown, mask: Mask): unknown {
  if (Array.isArray(value)) return value.map((each) => apply(each, mask));
  if (typeof value !== "object" || value === null || mask.has("*")) return value;
  const result: Record<string, unknown> = {};
  for (const [name, inner] of mask) {
    const found = (value as Record<string, unknown>)[name];
    if (found !== undefined) result[name] = inner === undefined ? found : apply(found, inner);
  }
  return result;
}
