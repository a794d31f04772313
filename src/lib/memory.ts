interface Collecting {
  readonly Bun?: { readonly gc?: (force: boolean) => void };
}

/** A step that makes little garbage for each item has made enough for a collection after so many. */
export const MANY_ITEMS = 10_000;

/** What fewer items leave behind is some tens of megabytes at most: to collect it takes longer than the step itself. */
const WORTH_COLLECTING = 25_000;

/** After so many items of a step that makes some kilobytes of garbage for each, a collection keeps the pile small. */
export const ITEMS_PER_COLLECTION = 4_000;

/**
 * Gives back what a step over many items has left behind, before the next one asks for more: a collector that sees a
 * large machine would let both pile up. Takes a few milliseconds per ten megabytes in use, so it is for the ends of
 * large steps only. Does nothing where the runtime offers no such call.
 */
export function releaseMemory(items: number): void {
  if (items >= WORTH_COLLECTING) collect();
}

/** The same in the middle of a large step, of which so many items are done. */
export function releaseDuring(items: number): void {
  if (items >= MANY_ITEMS) collect();
}

/**
 * The same for a process that waits for days: a collector that is hardly ever asked for memory lets garbage lie. For
 * moments when nobody waits.
 */
export function releaseWaiting(): void {
  collect();
}

function collect(): void {
  (globalThis as Collecting).Bun?.gc?.(true);
}
