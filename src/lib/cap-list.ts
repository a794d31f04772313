/** The first `max` items; when there are more, one last entry says how many: `... and 3 more`. */
export function capList(items: readonly string[], max: number): string[] {
  if (items.length <= max) return [...items];
  return [...items.slice(0, max), `... and ${items.length - max} more`];
}

/** What a capped list names, and how many it stands for; a name of the caller's own that reads like its end counts as one. */
export function uncapped(
  list: readonly string[],
  most: number,
): { readonly named: readonly string[]; readonly count: number } {
  const [, more] = /^\.\.\. and (\d+) more$/.exec(list.at(-1) ?? "") ?? [];
  return list.length === most + 1 && more !== undefined
    ? { named: list.slice(0, -1), count: most + Number(more) }
    : { named: list, count: list.length };
}
