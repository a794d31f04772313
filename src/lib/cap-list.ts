/** The first `max` items; when there are more, one last entry says how many: `... and 3 more`. */
export function capList(items: readonly string[], max: number): string[] {
  if (items.length <= max) return [...items];
  return [...items.slice(0, max), `... and ${items.length - max} more`];
}
