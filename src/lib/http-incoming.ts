import { clearTimeout, setTimeout } from "node:timers";
import { HttpError } from "./http-error.ts";

/** Who takes a body: pieces in their order, then one of the other two, once. */
export interface Receiver {
  onData(chunk: Uint8Array): void;
  onEnd(): void;
  onError(error: unknown): void;
}

/** What a body may do to the connection that it comes over. */
export interface Flow {
  pause(): void;
  resume(): void;
  /** Nobody wants the rest. */
  drop(): void;
}

/** So much is kept of a body that nobody has asked for yet; then the server has to wait. Bytes. */
const MOST_UNASKED = 64 * 1024;

/** A body on its way in: fed by its connection, kept until somebody takes it. */
export class IncomingBody {
  readonly #flow: Flow;
  readonly #idleMs: number;
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #end: "none" | "well" | { readonly error: unknown } = "none";
  #receiver: Receiver | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(flow: Flow, { idleMs }: { readonly idleMs: number }) {
    this.#flow = flow;
    this.#idleMs = idleMs;
  }

  push(chunk: Uint8Array): void {
    if (this.#end !== "none") return;
    if (this.#receiver !== undefined) {
      this.due(true);
      this.#receiver.onData(chunk);
      return;
    }
    this.#kept.push(chunk);
    this.#keptBytes += chunk.length;
    if (this.#keptBytes >= MOST_UNASKED) this.#flow.pause();
  }

  end(): void {
    if (this.#end !== "none") return;
    this.#end = "well";
    this.due(false);
    this.#receiver?.onEnd();
  }

  fail(error: unknown): void {
    if (this.#end !== "none") return;
    this.#end = { error };
    this.due(false);
    this.#kept = [];
    this.#receiver?.onError(error);
  }

  /** The body when it ended well before anybody asked for it; it is then no longer kept. */
  whole(): Uint8Array | undefined {
    if (this.#end !== "well" || this.#receiver !== undefined) return undefined;
    const kept = this.#kept;
    this.#kept = [];
    this.#receiver = NOBODY;
    return kept.length === 1 ? kept[0] : Buffer.concat(kept);
  }

  /** Takes the body from now on, beginning with what is here already. Once only. */
  receive(receiver: Receiver): void {
    if (this.#receiver !== undefined) {
      receiver.onError(new TypeError("the body of this answer has been taken already"));
      return;
    }
    this.#receiver = receiver;
    const kept = this.#kept;
    this.#kept = [];
    for (const chunk of kept) receiver.onData(chunk);
    if (this.#end === "well") receiver.onEnd();
    else if (this.#end !== "none") receiver.onError(this.#end.error);
    else this.resume();
  }

  /** Silence is a failure from now on. */
  resume(): void {
    this.due(true);
    this.#flow.resume();
  }

  /** The receiver has enough for now. */
  pause(): void {
    this.due(false);
    this.#flow.pause();
  }

  /** Gives the rest up: the receiver hears nothing more. */
  drop(): void {
    this.due(false);
    const wasOver = this.#end !== "none";
    this.#end = "well";
    this.#kept = [];
    this.#receiver = NOBODY;
    if (!wasOver) this.#flow.drop();
  }

  /** Says whether bytes are due, so that silence is a failure. */
  due(wanted: boolean): void {
    clearTimeout(this.#timer);
    if (!wanted || this.#end !== "none") return;
    this.#timer = setTimeout(() => {
      const text = `no data came for ${this.#idleMs / 1000} s`;
      this.fail(new HttpError(text, { failure: "timeout", reached: true }));
      this.#flow.drop();
    }, this.#idleMs);
  }
}

const NOBODY: Receiver = { onData() {}, onEnd() {}, onError() {} };
