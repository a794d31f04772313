import type { Backend, Opened } from "../../src/backends/types.ts";
import { aroundVerbs, type Call, type Verb } from "../../src/backends/wrap/verbs.ts";

export interface FaultOptions {
  /** How many calls in a row; 1 when left out. */
  readonly times?: number;
  /** Only calls about this path use the fault up. */
  readonly path?: string;
  /** `reply`: the call takes effect and its answer is lost. */
  readonly at?: "request" | "reply";
}

/** A call that was stopped before it began. */
export interface HeldCall {
  /** Resolves when the call has arrived. */
  readonly arrived: Promise<void>;
  release(): void;
}

export interface FaultQueue {
  /** The backend with the faults in it. */
  readonly backend: Backend;
  /** Calls that arrived, by verb, faulty ones included. */
  readonly calls: Readonly<Record<Verb, number>>;
  /** Every call in order, as `write docs/a.md`. */
  readonly history: readonly string[];
  fail(verb: Verb, error: Error, options?: FaultOptions): void;
  /** Drops the faults of a verb that were not met yet. */
  heal(verb: Verb): void;
  /** Runs `act` before the call goes on: the hand of somebody else between our look and our deed. */
  before(verb: Verb, act: () => unknown, options?: Omit<FaultOptions, "at">): void;
  /** Stops the next call until it is released. */
  hold(verb: Verb, options?: Omit<FaultOptions, "at" | "times">): HeldCall;
  /** The next read gives so many bytes and then ends, as if that were all. */
  truncate(bytes: number, options?: Omit<FaultOptions, "at">): void;
  /** Throws when a fault was never met. */
  verify(): void;
}

interface Fault {
  readonly verb: Verb;
  readonly path: string | undefined;
  readonly what: string;
  left: number;
  readonly run: <T>(act: () => Promise<T>) => Promise<T>;
}

/** Puts a queue of faults for each verb in front of a backend. */
export function faultQueue(inner: Backend): FaultQueue {
  const faults: Fault[] = [];
  const calls: Record<Verb, number> = {
    list: 0,
    stat: 0,
    read: 0,
    write: 0,
    edit: 0,
    remove: 0,
    copy: 0,
    move: 0,
    removeFolder: 0,
    mend: 0,
    changes: 0,
    poll: 0,
  };
  const history: string[] = [];
  const take = (call: Call): Fault | undefined => {
    const fault = faults.find(({ verb, path, left }) => {
      return left > 0 && verb === call.verb && (path === undefined || path === call.path);
    });
    if (fault) fault.left--;
    return fault;
  };
  const add = (verb: Verb, what: string, options: FaultOptions, run: Fault["run"]): void => {
    faults.push({ verb, what, path: options.path, left: options.times ?? 1, run });
  };

  return {
    calls,
    history,
    backend: aroundVerbs(inner, (call, act) => {
      calls[call.verb]++;
      history.push(`${call.verb} ${call.path}${call.to === undefined ? "" : ` ${call.to}`}`);
      return take(call)?.run(act) ?? act();
    }),
    fail(verb, error, options = {}) {
      add(verb, `fail with ${error.message}`, options, async (act) => {
        if (options.at === "reply") await act();
        throw error;
      });
    },
    heal(verb) {
      for (const fault of faults) if (fault.verb === verb) fault.left = 0;
    },
    before(verb, deed, options = {}) {
      add(verb, "deed before it", options, async (act) => {
        await deed();
        return act();
      });
    },
    hold(verb, options = {}) {
      const arrival = Promise.withResolvers<void>();
      const leave = Promise.withResolvers<void>();
      add(verb, "hold", options, async (act) => {
        arrival.resolve();
        await leave.promise;
        return act();
      });
      return { arrived: arrival.promise, release: () => leave.resolve() };
    },
    truncate(bytes, options = {}) {
      add("read", `truncate to ${bytes} bytes`, options, async <T>(act: () => Promise<T>) => {
        const opened = (await act()) as Opened;
        return { ...opened, body: firstBytes(opened.body, bytes) } as T;
      });
    },
    verify() {
      const unmet = faults.filter((fault) => fault.left > 0).map((fault) => `${fault.verb}: ${fault.what}`);
      if (unmet.length > 0) throw new Error(`faults that were never met: ${unmet.join("; ")}`);
    },
  };
}

function firstBytes(body: ReadableStream<Uint8Array>, count: number): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let left = count;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await reader.read();
      if (value && left > 0) controller.enqueue(value.subarray(0, left));
      left -= value?.length ?? 0;
      if (!done && left > 0) return;
      await reader.cancel();
      controller.close();
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
