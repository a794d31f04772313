import type { Socket } from "node:net";
import { systemClock } from "./clock.ts";
import { HttpError } from "./http-error.ts";
import { type Answered, type Asked, Exchange, type Wire } from "./http-exchange.ts";

export interface ConnectionOptions {
  /** The event that says that the connection stands: `connect`, or `secureConnect` once the handshake is done. */
  readonly readyEvent: "connect" | "secureConnect";
  /** It waits for another request. */
  readonly onFree: (connection: HttpConnection) => void;
  /** It is closed. Called once. */
  readonly onGone: (connection: HttpConnection) => void;
}

/** A server may close what it said to keep for some seconds a moment early: such a connection is used no more. */
const EARLY_MS = 1000;

/** One connection to a server: one exchange at a time. */
export class HttpConnection implements Wire {
  isConnected = false;
  isReused = false;
  readonly #socket: Socket;
  readonly #options: ConnectionOptions;
  #exchange: Exchange | undefined;
  #isGone = false;
  #isPaused = false;
  /** Milliseconds since 1970; not used again from then on. */
  #freshUntil = Number.POSITIVE_INFINITY;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.setNoDelay(true);
    socket.on(options.readyEvent, () => {
      this.isConnected = true;
      socket.setKeepAlive(true, EARLY_MS);
      this.#exchange?.onConnect();
    });
    // What comes while nothing was asked cannot be the answer to anything.
    socket.on("data", (bytes: Buffer) => (this.#exchange ? this.#exchange.onData(bytes) : this.close()));
    socket.on("drain", () => this.#exchange?.onDrain());
    socket.on("end", () => this.#ended((exchange) => exchange.onEnd()));
    socket.on("error", (error) => this.#ended((exchange) => exchange.onBreak(error)));
    socket.on("close", () => this.#ended((exchange) => exchange.onEnd()));
  }

  get isFresh(): boolean {
    return !this.#isGone && systemClock.now() < this.#freshUntil;
  }

  /** Settles as `HttpClient.request` says, or with "stale". */
  async exchange(asked: Asked): Promise<Answered> {
    if (this.#isGone && this.isReused) return "stale";
    if (this.#isGone) throw new HttpError("the connection was closed", { failure: "cut", reached: false });
    if (this.isReused) this.#socket.ref();
    this.#exchange = new Exchange(asked, this);
    return this.#exchange.answer;
  }

  write(bytes: Uint8Array): boolean {
    return this.#socket.write(bytes);
  }

  pause(): void {
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#socket.resume();
  }

  over(next: { readonly keepMs: number | undefined } | undefined): void {
    this.#exchange = undefined;
    if (next === undefined) {
      this.close();
      return;
    }
    this.resume();
    this.isReused = true;
    const { keepMs } = next;
    if (keepMs !== undefined) this.#freshUntil = systemClock.now() + Math.max(keepMs - EARLY_MS, keepMs / 2);
    // One that waits for work keeps no process alive.
    this.#socket.unref();
    this.#options.onFree(this);
  }

  close(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#socket.destroy();
    this.#options.onGone(this);
  }

  #ended(tell: (exchange: Exchange) => void): void {
    const exchange = this.#exchange;
    if (exchange !== undefined) tell(exchange);
    this.close();
  }
}
