/** Runs one task when a slot is free; settles as the task does. */
export type Limiter = <T>(task: () => Promise<T>) => Promise<T>;

/** At most `n` (a whole number, at least 1) of the tasks given to it run at once; the others wait in order. */
export function limiter(n: number): Limiter {
  requireCount(n);
  let running = 0;
  let waiting: (() => void)[] = [];
  let head = 0;

  function next(): void {
    const resume = waiting[head];
    if (resume === undefined) {
      running--;
      return;
    }
    head++;
    if (head > 1024 && head * 2 > waiting.length) {
      waiting = waiting.slice(head);
      head = 0;
    }
    resume();
  }

  return async (task) => {
    if (running < n) running++;
    else await new Promise<void>((resume) => waiting.push(resume));
    try {
      return await task();
    } finally {
      next();
    }
  };
}

/**
 * Tasks run in the order given, as many as weigh at most `most` together; a task that weighs more runs alone. Settles as
 * the task does.
 */
export function weightLimiter(most: number): <T>(weight: number, task: () => Promise<T>) => Promise<T> {
  let running = 0;
  let weightNow = 0;
  const waiting: { readonly weight: number; readonly resume: () => void }[] = [];
  const fits = (weight: number): boolean => running === 0 || weightNow + weight <= most;
  const enter = (weight: number): void => {
    running++;
    weightNow += weight;
  };
  return async (weight, task) => {
    if (waiting.length === 0 && fits(weight)) enter(weight);
    else await new Promise<void>((resume) => waiting.push({ weight, resume }));
    try {
      return await task();
    } finally {
      running--;
      weightNow -= weight;
      for (let first = waiting[0]; first && fits(first.weight); first = waiting[0]) {
        waiting.shift();
        enter(first.weight);
        first.resume();
      }
    }
  };
}

export interface ForEachOptions {
  readonly signal?: AbortSignal;
}

/**
 * Calls `fn` for every item, at most `n` at a time, and takes an item only when a slot is free, so that a generator of
 * any length is never run ahead. After the first failure, or when the signal fires, nothing new is started; what was
 * started is waited for, then that failure (or the signal's reason) is thrown.
 */
export async function forEachLimit<T>(
  items: Iterable<T> | AsyncIterable<T>,
  n: number,
  fn: (item: T, index: number) => Promise<void>,
  options: ForEachOptions = {},
): Promise<void> {
  requireCount(n);
  const source = open(items);
  const failures: unknown[] = [];
  let index = 0;
  let ended = false;

  async function worker(): Promise<void> {
    while (!ended && failures.length === 0) {
      options.signal?.throwIfAborted();
      const taken = source.next();
      const step = taken instanceof Promise ? await taken : taken;
      if (step.done) ended = true;
      else if (failures.length === 0) await fn(step.value, index++);
    }
  }

  const guarded = async () => {
    try {
      await worker();
    } catch (error) {
      failures.push(error);
    }
  };
  const workers: Promise<void>[] = [];
  for (let i = 0; i < n && !ended && failures.length === 0; i++) workers.push(guarded());
  await Promise.all(workers);
  if (!ended) await source.return?.();
  if (failures.length > 0) throw failures[0];
}

interface Taker<T> {
  next(): IteratorResult<T> | Promise<IteratorResult<T>>;
  return?(): unknown;
}

function open<T>(items: Iterable<T> | AsyncIterable<T>): Taker<T> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  return iterator as Taker<T>;
}

function requireCount(n: number): void {
  if (!Number.isInteger(n) || n < 1)
    throw new RangeError(`cannot run ${n} tasks at once: a whole number from 1 on is needed`);
}
