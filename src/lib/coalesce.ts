import type { Clock } from "./clock.ts";

/** What became of one item of a batch. */
export type Settled<R> = { readonly ok: R } | { readonly error: unknown };

export interface CoalesceOptions<T, R> {
  readonly clock: Clock;
  /** Most items of one batch. */
  readonly count: number;
  /** Most of what `weigh` adds up to in one batch; an item that weighs more goes alone. */
  readonly weight?: number;
  readonly weigh?: (item: T) => number;
  /** Batches under way at once; calls that come meanwhile gather for the next one. 1 when left out. */
  readonly batches?: number;
  /** How many calls can be under way: when all of them wait here, no more can arrive. */
  readonly callers?: number;
  /** Milliseconds without another call after which a batch goes out although more might come; 25 when left out. */
  readonly quietMs?: number;
  /**
   * Sends one batch: what became of each item, in order. What it throws is every item's error. The signal fires when
   * nobody waits for any of the items any more.
   */
  readonly send: (items: readonly T[], signal: AbortSignal) => Promise<readonly Settled<R>[]>;
}

/** One call of many: its promise settles as its own item does. */
export type Coalesced<T, R> = (item: T, options?: { readonly signal?: AbortSignal | undefined }) => Promise<R>;

interface Waiting<T, R> {
  readonly item: T;
  readonly weight: number;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (result: R) => void;
  readonly reject: (error: unknown) => void;
  gone: boolean;
}

/** Gathers calls that are under way at once and hands them over together, in the order in which they came. */
export function coalesce<T, R>(options: CoalesceOptions<T, R>): Coalesced<T, R> {
  const { clock, count, weight = Number.POSITIVE_INFINITY, weigh = () => 0 } = options;
  const { batches = 1, callers = Number.POSITIVE_INFINITY, quietMs = 25 } = options;
  let queue: Waiting<T, R>[] = [];
  let running = 0;
  let inBatches = 0;
  let arrivals = 0;
  let watching = false;

  const isFull = (): boolean =>
    queue.length >= Math.min(count, callers - inBatches) ||
    queue.reduce((sum, { weight }) => sum + weight, 0) >= weight;

  const take = (): Waiting<T, R>[] => {
    let taken = 0;
    let sum = 0;
    for (const waiting of queue) {
      if (taken === count || (taken > 0 && sum + waiting.weight > weight)) break;
      sum += waiting.weight;
      taken++;
    }
    const batch = queue.slice(0, taken);
    queue = queue.slice(taken);
    return batch;
  };

  const go = (): void => {
    const batch = take();
    running++;
    inBatches += batch.length;
    void carryOut(batch, options.send).finally(() => {
      running--;
      inBatches -= batch.length;
      pump();
    });
  };

  const pump = (): void => {
    while (running < batches && queue.length > 0 && isFull()) go();
    if (running < batches && queue.length > 0 && !watching) void watch();
  };

  /** Waits until nothing more has come for a while. */
  const watch = async (): Promise<void> => {
    watching = true;
    for (let seen = -1; seen !== arrivals && queue.length > 0; ) {
      seen = arrivals;
      await clock.sleep(quietMs);
    }
    watching = false;
    if (running < batches && queue.length > 0) go();
    pump();
  };

  return (item, { signal } = {}) =>
    new Promise<R>((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const leave = (): void => {
        waiting.gone = true;
        queue = queue.filter((other) => other !== waiting);
        reject(signal?.reason);
      };
      const settled = <V>(settle: (value: V) => void) => {
        return (value: V): void => {
          signal?.removeEventListener("abort", leave);
          settle(value);
        };
      };
      const waiting: Waiting<T, R> = {
        item,
        weight: weigh(item),
        signal,
        resolve: settled(resolve),
        reject: settled(reject),
        gone: false,
      };
      signal?.addEventListener("abort", leave, { once: true });
      arrivals++;
      queue.push(waiting);
      pump();
    });
}

async function carryOut<T, R>(batch: readonly Waiting<T, R>[], send: CoalesceOptions<T, R>["send"]): Promise<void> {
  const abandoned = new AbortController();
  const look = (): void => {
    if (batch.every(({ gone }) => gone)) abandoned.abort(batch[0]?.signal?.reason);
  };
  // The call's own listener came first, so that `gone` is up to date when this one runs.
  const signals = new Set(batch.flatMap(({ signal }) => signal ?? []));
  for (const signal of signals) signal.addEventListener("abort", look);
  try {
    const results = await send(
      batch.map(({ item }) => item),
      abandoned.signal,
    );
    batch.forEach((waiting, at) => {
      const result = results[at];
      if (result === undefined) waiting.reject(new Error("a batch answered fewer items than it was given"));
      else if ("error" in result) waiting.reject(result.error);
      else waiting.resolve(result.ok);
    });
  } catch (error) {
    for (const { reject } of batch) reject(error);
  } finally {
    for (const signal of signals) signal.removeEventListener("abort", look);
  }
}
